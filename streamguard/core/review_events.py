"""Makes the events of review: decisions, referrals, appeals, and who saw and did what.

Rule: the id of a decision's event follows from its case and its place among the decisions of that
case, and the id of an audit record from its place in the chain: of two that claim the same place
only one can ever be in the log. A rule's place is not a person's, so that neither hides the other
where they decide at once in different logs; within one log, `rival_id` is looked for as well.
"""

import json
from uuid import UUID, uuid5

from streamguard.core.appeal_data import AppealReceivedData, AppealResolvedData
from streamguard.core.audit_data import AuditData
from streamguard.core.decision_data import DecisionData, is_a_rules
from streamguard.core.event_data import utc_text
from streamguard.core.events import ID_NAMESPACE, Event, EventType, make_event
from streamguard.core.referral_data import ReferralData


def decision_event(source: str, data: DecisionData, *, recorded_s: float) -> Event:
    """Make the event of a decision: the one that follows `data.supersedes`, or the case's first.

    Args:
        source: `/streamguard/<deployment>`.
        data: the decision.
        recorded_s: now, seconds since 1970 UTC.
    """
    place = _place(data, is_a_rules=is_a_rules(data.actor))
    return _made(source, EventType.DECISION_MADE, data, place, recorded_s)


def rival_id(event: Event) -> str | None:
    """Give the id of a rule's decision that would have the place of a person's, or the reverse.

    None where the event is no decision.
    """
    if not isinstance(event.data, DecisionData):
        return None
    place = _place(event.data, is_a_rules=not is_a_rules(event.data.actor))
    return str(uuid5(ID_NAMESPACE, json.dumps(place)))


def appeal_event(
    source: str, data: AppealReceivedData | AppealResolvedData, *, recorded_s: float
) -> Event:
    """Make the event of an appeal that was handed in or resolved; each comes once."""
    received = isinstance(data, AppealReceivedData)
    kind = EventType.APPEAL_RECEIVED if received else EventType.APPEAL_RESOLVED
    return _made(source, kind, data, [kind, data.appeal_id], recorded_s)


def referral_event(source: str, data: ReferralData, *, recorded_s: float) -> Event:
    """Make the event of a referral; what is said again has the same id."""
    place = [EventType.REFERRAL_MADE, data.referral_id]
    return _made(source, EventType.REFERRAL_MADE, data, place, recorded_s)


def audit_event(source: str, data: AuditData) -> Event:
    """Make the event of an audit record."""
    event_id, times = audit_event_id(data.seq), (data.at, data.at)
    return make_event(source, EventType.AUDIT_RECORDED, event_id, data, times)


def audit_event_id(seq: int) -> UUID:
    """Give the id of the event of the audit record that has a place in the chain."""
    return uuid5(ID_NAMESPACE, json.dumps([EventType.AUDIT_RECORDED, seq]))


def _place(data: DecisionData, *, is_a_rules: bool) -> list[str]:
    place = [EventType.DECISION_MADE, data.case_id, data.supersedes or ""]
    return [*place, "rule"] if is_a_rules else place


def _made(
    source: str,
    kind: EventType,
    data: DecisionData | ReferralData | AppealReceivedData | AppealResolvedData,
    place: list[str],
    recorded_s: float,
) -> Event:
    match data:
        case DecisionData():
            at = data.decided_at
        case ReferralData():
            at = data.made_at
        case AppealReceivedData():
            at = data.received_at
        case AppealResolvedData():
            at = data.resolved_at
    event_id = uuid5(ID_NAMESPACE, json.dumps(place))
    return make_event(source, kind, event_id, data, (at, utc_text(recorded_s)))
