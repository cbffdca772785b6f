"""Makes the events of actions.

Rule: of each action each kind of event comes once, however often we are restarted: the id follows
from the action.
"""

import json
from uuid import UUID, uuid5

from streamguard.core.action_data import ActionData, ActionRequestedData, ActionVerifiedData
from streamguard.core.decision_data import Scope
from streamguard.core.event_data import utc_text
from streamguard.core.events import ID_NAMESPACE, Event, EventType, make_event


def action_id_of(decision_id: str, scope: Scope) -> str:
    """Name the action that carries out a decision for one scope."""
    return str(uuid5(ID_NAMESPACE, json.dumps(["action", decision_id, scope])))


def action_event(source: str, data: ActionData, *, recorded_s: float) -> Event:
    """Make the event of an action that was requested, verified or failed.

    Args:
        source: `/streamguard/<deployment>`.
        data: what is told.
        recorded_s: now, seconds since 1970 UTC.
    """
    match data:
        case ActionRequestedData():
            kind, at = EventType.ACTION_REQUESTED, data.requested_time
        case ActionVerifiedData():
            kind, at = EventType.ACTION_VERIFIED, data.verified_time
        case _:
            kind, at = EventType.ACTION_FAILED, data.failed_time
    event_id = uuid5(UUID(data.action.action_id), kind)
    return make_event(source, kind, event_id, data, (at, utc_text(recorded_s)))
