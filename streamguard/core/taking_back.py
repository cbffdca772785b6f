"""Taking back what was decided: by whoever decided, by a senior, or after an appeal.

Rule: pure. What is taken back is taken back whole: what was done to the stream and, where the case
was no case, what was banked of it.
"""

from streamguard.core.cases import Case, Ruling
from streamguard.core.choosing import Decider, Rules
from streamguard.core.decision_data import DecisionData, Notice, Outcome
from streamguard.core.errors import DecisionRefused
from streamguard.core.event_data import utc_text
from streamguard.core.ruling import circumstances, in_force, of_case


def undo(case: Case, decider: Decider, rules: Rules, at: tuple[str, float]) -> DecisionData:
    """Make the decision that takes the latest one back; the case is open again.

    Raises:
        DecisionRefused: it is somebody else's, or it is too late.
    """
    latest = case.ruling
    if latest is None or latest.actor != decider.account_id or latest.outcome == "undone":
        raise DecisionRefused("only the latest decision can be undone, by whoever made it")
    if at[1] > latest.undo_until_s:
        raise DecisionRefused("it can be undone no more: decide anew, or restore the stream")
    return _following(case, decider, rules, at, ("undone", latest.reason_code), latest)


def restore(
    case: Case, decider: Decider, rules: Rules, at: tuple[str, float], reason_code: str
) -> DecisionData:
    """Make the decision that takes back whatever holds: the case is rejected.

    Raises:
        DecisionRefused: nothing holds that could be taken back.
    """
    if in_force(case) is None:
        raise DecisionRefused("nothing was done to the stream that could be restored")
    return overturn(case, decider, rules, at, reason_code)


def overturn(
    case: Case, decider: Decider, rules: Rules, at: tuple[str, float], reason_code: str
) -> DecisionData:
    """Make the decision that rejects the case after all; what came of it is taken back with it."""
    return _following(case, decider, rules, at, ("rejected", reason_code), in_force(case))


def with_the_other(other: Case, made: DecisionData, decision_id: str) -> DecisionData | None:
    """Make the decision that goes with one that rejects a case which took another one in.

    Returns:
        What rejects the other one as well; None where nothing came of that.
    """
    holds = in_force(other)
    if holds is None and other.banked is None:
        return None
    return DecisionData(
        decision_id=decision_id,
        **of_case(other),
        unbanking=other.banked,
        outcome="rejected",
        reason_code=made.reason_code,
        action="restore" if holds else "none",
        scopes=holds.scopes if holds else (),
        decided_at=made.decided_at,
        actor=made.actor,
        reviewer=made.reviewer,
        automation=made.automation,
        appeal_id=made.appeal_id,
    )


def _following(
    case: Case,
    decider: Decider,
    rules: Rules,
    at: tuple[str, float],
    what: tuple[Outcome, str],
    taken_back: Ruling | None,
) -> DecisionData:
    """Make a decision that takes back what another one did, if it did anything."""
    scopes = taken_back.scopes if taken_back and taken_back.action != "restore" else ()
    return DecisionData(
        decision_id=at[0],
        **of_case(case),
        unbanking=case.banked if what[0] == "rejected" else None,
        outcome=what[0],
        reason_code=what[1],
        action="restore" if scopes else "none",
        scopes=scopes,
        decided_at=utc_text(at[1]),
        actor=decider.account_id,
        reviewer=decider.reviewer(is_second=False),
        notify_user=Notice(required=False),
        **circumstances(decider, rules),
    )
