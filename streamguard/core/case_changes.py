"""How cases change by what the log says: flags, decisions, failed actions, the stream's end.

Rule: pure, and the same events in the same order give the same cases. A case that is decided stays
so; what is new after that (another entry or category, or more urgent) opens the next one, and what
had been seen is only counted.
"""

from collections.abc import Sequence
from uuid import UUID, uuid5

import msgspec

from streamguard.core.action_data import ActionFailedData
from streamguard.core.cases import (
    LEFT_ON_AIR,
    MAX_TOLD,
    MISSED,
    OFF_AIR,
    Case,
    NotDone,
    Ruling,
    Stage,
    entry_of_case,
    signal_name,
)
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.core.signal_data import Signal


def first_case(flag: FlagData, at_s: float, after: Case | None = None) -> Case:
    """Open a case with a flag; its id follows from the flag's, and from the case before it."""
    return Case(
        case_id=str(uuid5(UUID(flag.flag_id), after.case_id if after else "case")),
        stream_id=flag.stream.stream_id,
        session_id=flag.stream.session_id,
        policy=flag.policy.code,
        severity=flag.policy.severity,
        opened_s=max(at_s, after.opened_s + 1e-6) if after else at_s,  # 1e-6: floats tell it apart
        flagged_s=at_s,
        stage="open",
        stage_s=at_s,
        n_flags=1,
        n_repeats=0,
        flag_ids=(flag.flag_id,),
        signals=_joined((), flag.signals),
        is_live=after is None or after.is_live,
    )


def with_flag(case: Case, flag: FlagData, at_s: float, own: frozenset[str] = frozenset()) -> Case:
    """Take a flag, or news of one, into the case of its session and policy.

    own: entries that may be made of the cases of its session.

    Returns:
        The case as it now is; another one where this one is decided and the flag brings news.
    """
    is_forgotten = flag.state != "open" and case.n_flags > MAX_TOLD  # of the first of very many
    is_known = is_forgotten or flag.flag_id in case.flag_ids
    if case.is_settled:
        if is_news(case, flag, own):
            return first_case(flag, at_s, after=case)
        n_repeats = case.n_repeats + (flag.state == "open" and not is_known)
        return msgspec.structs.replace(
            case, flagged_s=max(case.flagged_s, at_s), n_repeats=n_repeats
        )
    return msgspec.structs.replace(
        case,
        severity=min(case.severity, flag.policy.severity),
        flagged_s=max(case.flagged_s, at_s),
        n_flags=case.n_flags + (not is_known),
        flag_ids=case.flag_ids if is_known else (*case.flag_ids, flag.flag_id)[-MAX_TOLD:],
        signals=_joined(case.signals, flag.signals),
    )


def with_decision(case: Case, decision: DecisionData) -> Case:
    """Take a decision; one that does not follow the latest changes nothing.

    A log lets only one decision follow another, so that this is the order of all who read it. In
    different logs a rule and a person may decide at once: then what the rule decided comes first
    for all, whichever is told first, and what the person decided stands.
    """
    if decision.case_id != case.case_id:
        return case
    undo_until = decision.undo_until
    ruling = Ruling(
        decision_id=decision.decision_id,
        actor=decision.actor,
        outcome=decision.outcome,
        action=decision.action,
        proposed=decision.proposed,
        scopes=decision.scopes,
        role=decision.reviewer.role if decision.reviewer else None,
        is_second=decision.reviewer is not None and decision.reviewer.is_second,
        decided_s=utc_seconds(decision.decided_at),
        undo_until_s=utc_seconds(undo_until) if undo_until else 0.0,
        reason_code=decision.reason_code,
        supersedes=decision.supersedes,
        banked_in=decision.banking.bank if decision.banking else None,
        is_unbanking=decision.unbanking is not None,
        until_s=utc_seconds(decision.expires_at) if decision.expires_at else 0.0,
    )
    rulings = _placed(case.rulings, ruling)
    if rulings is None:
        return case
    if rulings[-1] is not ruling:
        return msgspec.structs.replace(case, rulings=rulings)
    return msgspec.structs.replace(
        case,
        stage="decided" if case.into else _stage_after(decision),
        stage_s=ruling.decided_s,
        rulings=rulings,
        not_done=None,
        missed_s=None,
    )


def with_failure(case: Case, failed: ActionFailedData) -> Case:
    """Take that something could not be done: who is not cut waits for a senior, and first of all.

    That of a rule, which nobody has confirmed, moves nothing: its case waits for people already.
    """
    meant, action = case.acting, failed.action
    is_latest = meant is not None and meant.decision_id == action.decision_id
    is_off_air = action.scope == "live" and action.act in OFF_AIR
    if meant is None or not is_latest or meant.is_a_rules or not is_off_air:
        return case
    failed_s = utc_seconds(failed.failed_time)
    if failed.reason in MISSED:
        return msgspec.structs.replace(case, missed_s=failed_s)
    if failed.reason not in LEFT_ON_AIR or not case.is_live:
        return case
    return came_back(case, failed.reason, failed_s)


def came_back(case: Case, why: NotDone, at_s: float) -> Case:
    """Have a case wait for a senior, or go on waiting, since what was decided is not done.

    at_s: since when, seconds since 1970 UTC.
    """
    return msgspec.structs.replace(
        case,
        stage="escalated" if case.is_settled else case.stage,
        stage_s=at_s if case.is_settled else case.stage_s,
        not_done=why,
    )


def with_stream(case: Case, *, is_live: bool, n_viewers: int | None = None) -> Case:
    """Note that the stream goes on or has ended, and who watches where that is known."""
    if n_viewers is None:
        return msgspec.structs.replace(case, is_live=is_live)
    most = max(case.most_viewers, n_viewers)
    return msgspec.structs.replace(case, is_live=is_live, n_viewers=n_viewers, most_viewers=most)


def following_case(before: Case, session_id: str, at_s: float) -> Case:
    """Open a case for the publish that came after one whose action missed, as urgent as that.

    It has no flag of its own yet: nothing was found in that publish, or not until now.
    """
    opened = Case(
        case_id=str(uuid5(UUID(before.case_id), session_id)),
        stream_id=before.stream_id,
        session_id=session_id,
        policy=before.policy,
        severity=before.severity,
        opened_s=at_s,
        flagged_s=at_s,
        stage="open",
        stage_s=at_s,
        n_flags=0,
        n_repeats=0,
        flag_ids=(),
        signals=(),
    )
    return with_follows(opened, before)


def with_follows(case: Case, before: Case) -> Case:
    """Have a case follow that of the publish before it: as urgent, and looked at with it."""
    acting = before.acting
    return msgspec.structs.replace(
        case,
        severity=min(case.severity, before.severity),
        also=(*case.also, before.case_id, *before.also),
        follows=before.case_id,
        is_after_confirmed=acting is not None and acting.outcome == "confirmed",
    )


def taken_in(older: Case, newer: Case) -> tuple[Case, Case]:
    """Let one case take another of its session and policy in: both wait, and one is enough.

    What was decided about the newer one stays with it; its flags are looked at with the older's.

    Returns:
        The older, which waits for both, and the newer, which waits for nobody.
    """
    told = tuple(dict.fromkeys((*older.flag_ids, *newer.flag_ids)))
    both = msgspec.structs.replace(
        older,
        severity=min(older.severity, newer.severity),
        flagged_s=max(older.flagged_s, newer.flagged_s),
        stage="escalated" if newer.stage == "escalated" else older.stage,
        stage_s=min(older.stage_s, newer.stage_s),
        n_flags=older.n_flags + newer.n_flags,
        n_repeats=older.n_repeats + newer.n_repeats,
        flag_ids=told[-MAX_TOLD:],
        signals=tuple(dict.fromkeys((*older.signals, *newer.signals)))[-MAX_TOLD:],
        n_viewers=older.n_viewers if newer.n_viewers is None else newer.n_viewers,
        most_viewers=max(older.most_viewers, newer.most_viewers),
        not_done=older.not_done or newer.not_done,
        also=(*older.also, newer.case_id, *newer.also),
    )
    gone = msgspec.structs.replace(newer, stage="decided", not_done=None, into=older.case_id)
    return both, gone


def is_news(case: Case, flag: FlagData, own: frozenset[str] = frozenset()) -> bool:
    """Say whether a flag tells more than the case knows: it is more urgent, or found by another.

    What was banked from its session finds it again at once: that tells nothing.
    """
    found = told_by_others(flag, own | {entry_of_case(case.case_id)})
    return bool(found) and (flag.policy.severity < case.severity or not found <= set(case.signals))


def told_by_others(flag: FlagData, own: frozenset[str]) -> frozenset[str]:
    """Name what found a flag, but for these entries."""
    told = (one for one in flag.signals if not (one.match and one.match.entry in own))
    return frozenset(map(signal_name, told))


def _placed(rulings: tuple[Ruling, ...], new: Ruling) -> tuple[Ruling, ...] | None:
    """Put a decision after the one that it follows, a rule's before a person's that follows it too.

    Returns:
        None where the one that it follows is not there, or another has its place.
    """
    ids = [None, *(one.decision_id for one in rulings)]
    if new.supersedes not in ids:
        return None
    at = ids.index(new.supersedes)
    later = rulings[at:]
    if new.is_a_rules:
        return None if later and later[0].is_a_rules else (*rulings[:at], new, *later)
    return (*rulings, new) if all(one.is_a_rules for one in later) else None


def _stage_after(decision: DecisionData) -> Stage:
    match decision.outcome:
        case "needs_second":
            return "second"
        case "escalated":
            return "escalated"
        case "undone":
            return "open"
    return "check" if decision.drawn_for_check else "decided"


def _joined(names: tuple[str, ...], signals: Sequence[Signal]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*names, *map(signal_name, signals))))[-MAX_TOLD:]
