"""What follows from what a reviewer chooses: the decision that goes on record.

Rule: pure. What can be taken back is done at once; what cannot waits for another person, and the
stream is held meanwhile. A person who judges second is not told what the first one chose.
"""

import hashlib
from typing import Any

from streamguard.core.cases import Case, Ruling, entry_of_case
from streamguard.core.choosing import DAY_S, MADE_ANEW, Choice, Decider, Rules
from streamguard.core.decision_data import (
    ActionKind,
    AppealRight,
    Automation,
    BankOrder,
    Context,
    DecidedStream,
    DecisionData,
    Notice,
    Outcome,
    Scope,
)
from streamguard.core.errors import DecisionRefused
from streamguard.core.event_data import FlagPolicy, utc_text
from streamguard.core.reasons import REASONS

REVERSIBLE = frozenset({"none", "limit_reach", "hold"})
"""What can be taken back as if it had not been; a cut broadcast can be restored, not undone."""

ONLY_CONFIRMED = frozenset({"cut", "cut_and_suspend"})
"""What is done to nobody on whom nothing was found."""


def rule(
    case: Case, choice: Choice, decider: Decider, rules: Rules, at: tuple[str, float]
) -> DecisionData:
    """Make the decision that follows from a choice.

    at: the id of the decision to be, and its instant in seconds since 1970 UTC.

    Raises:
        DecisionRefused: the choice contradicts itself, or is not this person's to make.
    """
    _require_may(case, decider)
    _require_fit(case, choice)
    outcome, action, proposed = _effect(case, choice, decider, rules)
    decision_id, now_s = at
    is_second = case.stage in {"second", "check"}
    drawn = case.stage == "open" and outcome in {"confirmed", "rejected"}
    ends_s = now_s + (choice.hold_s or rules.hold_s) if action in {"hold", "limit_reach"} else None
    undoable = action in REVERSIBLE and choice.referral is None and choice.bank is None
    fields: dict[str, Any] = choice.model_dump(exclude=MADE_ANEW)
    return DecisionData(
        **fields,
        decision_id=decision_id,
        **of_case(case),
        banking=_order(case, choice) if outcome == "confirmed" else None,  # what waits is not
        unbanking=case.banked if outcome == "rejected" else None,
        outcome=outcome,
        context=_context_of(choice),
        action=action,
        proposed=proposed,
        scopes=_scopes(case, choice, action),
        expires_at=utc_text(ends_s) if ends_s else None,
        decided_at=utc_text(now_s),
        actor=decider.account_id,
        reviewer=decider.reviewer(is_second=is_second),
        undo_until=utc_text(now_s + rules.undo_s) if undoable else None,
        notify_user=_notice(action, choice, now_s),
        **circumstances(decider, rules),
        appeal=_appeal_right(action, now_s, rules),
        drawn_for_check=True if drawn and _drawn(decision_id, rules.check_share) else None,
    )


def in_force(case: Case) -> Ruling | None:
    """Give the decision whose action holds now; None where none does."""
    acting = case.acting
    return acting if acting and acting.action != "restore" else None


def _require_may(case: Case, decider: Decider) -> None:
    if case.stage == "decided":
        raise DecisionRefused("the case is decided")
    if decider.role not in {"reviewer", "senior"}:
        raise DecisionRefused("this account decides no cases")
    if case.stage == "escalated" and decider.role != "senior":
        raise DecisionRefused("the case is a senior's to decide")
    if case.stage != "open" and decider.account_id in case.deciders:
        raise DecisionRefused("another person must judge this case")


def _require_fit(case: Case, choice: Choice) -> None:
    reason = REASONS.get(choice.reason_code)
    if reason is None or choice.outcome not in reason.outcomes:
        raise DecisionRefused(f"{choice.reason_code} is no reason for {choice.outcome}")
    if choice.outcome == "no_decision_stream_ended" and case.is_live:
        raise DecisionRefused("the stream is live: judge what it shows")
    onset, end = choice.onset_pts_ms, choice.end_pts_ms
    if onset is not None and end is not None and end < onset:
        raise DecisionRefused("what was marked ends before it begins")
    if (choice.notice_delay_s is None) != (choice.notice_delay_reason is None):
        raise DecisionRefused("say for how long nobody is told, and why; or neither")
    if choice.action in ONLY_CONFIRMED and choice.outcome != "confirmed":
        raise DecisionRefused("a stream is cut only where something was confirmed")
    if choice.preserve and choice.outcome == "rejected":
        raise DecisionRefused("nothing was found: there is nothing to preserve")
    if choice.bank is not None and choice.outcome != "confirmed":
        raise DecisionRefused("only what was confirmed goes into a bank")
    if choice.outcome == "rejected" and choice.action not in {"none", "restore"}:
        raise DecisionRefused("nothing is done to a stream in which nothing was found")
    if choice.action == "restore" and in_force(case) is None:
        raise DecisionRefused("nothing was done to the stream that could be restored")


def _effect(
    case: Case, choice: Choice, decider: Decider, rules: Rules
) -> tuple[Outcome, ActionKind, ActionKind | None]:
    """Say what comes of a choice: the outcome, what is done now, and what once somebody agrees."""
    latest = case.ruling
    if case.stage == "check" and latest is not None:
        same = (choice.outcome, choice.action) == (latest.outcome, latest.action_upon_it)
        return (choice.outcome if same else "escalated"), "none", None
    if case.stage == "second" and latest and latest.is_contradicted(choice.outcome, choice.action):
        return "escalated", "none", None
    if choice.outcome == "rejected" and in_force(case) is not None:
        return "rejected", "restore", None
    if choice.action in rules.two_person and not _seconded(case, choice, decider):
        return "needs_second", "hold", choice.action
    return choice.outcome, choice.action, None


def _scopes(case: Case, choice: Choice, action: ActionKind) -> tuple[Scope, ...]:
    """Give what it is done to; where nothing was found, all that was done is taken back."""
    if action == "none":
        return ()
    holds = in_force(case)
    if choice.outcome == "rejected" and holds is not None:
        return holds.scopes
    return choice.scopes


def _seconded(case: Case, choice: Choice, decider: Decider) -> bool:
    """Say whether somebody else had proposed the same, and has not taken it back."""
    undone = {one.supersedes for one in case.rulings if one.outcome == "undone"}
    return any(
        one.proposed == choice.action
        and one.actor != decider.account_id
        and not one.is_a_rules
        and one.decision_id not in undone
        for one in case.rulings
    )


def _order(case: Case, choice: Choice) -> BankOrder | None:
    """Say what goes into which bank: into the one that the case is in, where it is in one."""
    if choice.bank is None:
        return None
    return case.banked or BankOrder(bank=choice.bank, entry=entry_of_case(case.case_id))


def of_case(case: Case) -> dict[str, Any]:
    """Give what every decision about a case says of it."""
    latest = case.ruling
    return {
        "case_id": case.case_id,
        "flag_ids": case.flag_ids,
        "stream": DecidedStream(stream_id=case.stream_id, session_id=case.session_id),
        "policy": FlagPolicy(code=case.policy, severity=case.severity),
        "supersedes": latest.decision_id if latest else None,
    }


def circumstances(decider: Decider, rules: Rules) -> dict[str, Any]:
    """Give what every decision of a person says of when and by which rules it was made."""
    return {
        "automation": Automation(detection_automated=True, decision=rules.automation),
        "policy_version": rules.policy_version,
        "incident_id": decider.incident_id,
    }


def _notice(action: ActionKind, choice: Choice, now_s: float) -> Notice:
    if action in {"none", "restore"}:
        return Notice(required=False)
    delay_s = choice.notice_delay_s
    return Notice(
        required=True,
        delayed_until=None if delay_s is None else utc_text(now_s + delay_s),
        delay_reason=choice.notice_delay_reason,
    )


def _context_of(choice: Choice) -> tuple[Context, ...]:
    by_code = REASONS[choice.reason_code].context
    return tuple(dict.fromkeys((*choice.context, *((by_code,) if by_code else ()))))


def _appeal_right(action: ActionKind, now_s: float, rules: Rules) -> AppealRight:
    if action in {"none", "restore"}:
        return AppealRight(eligible=False)
    return AppealRight(eligible=True, window_ends_at=utc_text(now_s + rules.appeal_days * DAY_S))


def _drawn(decision_id: str, share: float) -> bool:
    """Draw a lot that nobody can foresee or choose: ids are random."""
    number = int.from_bytes(hashlib.sha256(decision_id.encode()).digest()[:4], "big")
    return number < share * 2**32
