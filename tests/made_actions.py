"""Orders, and what is told of actions, for tests."""

from dataclasses import replace
from typing import Any

from streamguard.core.action_data import (
    ActionFailedData,
    ActionRequestedData,
    ActionVerifiedData,
)
from streamguard.core.action_events import action_event, action_id_of
from streamguard.core.decision_data import DecisionData
from streamguard.core.events import Event
from streamguard.core.orders import Order
from tests.core_fakes import SOURCE
from tests.made_reviews import AT, DECIDED_STREAM

ACTION = {
    "action_id": action_id_of("d-1", "live"),
    "decision_id": "d-1",
    "act": "cut",
    "scope": "live",
    "actor": "r-1",
}
TIMES = {"decided_time": AT, "requested_time": AT}


def requested(**changes: Any) -> ActionRequestedData:
    fields = {"stream": DECIDED_STREAM, "action": ACTION, **TIMES, "expires_time": AT}
    return ActionRequestedData.model_validate(fields | changes)


def verified(**changes: Any) -> ActionVerifiedData:
    fields = {
        "stream": DECIDED_STREAM,
        "action": ACTION,
        **TIMES,
        "method": "no_media",
        "window_ms": 3_000,
        "accepted_time": AT,
        "effective_time": AT,
        "verified_time": AT,
        "n_attempts": 1,
        "denied_until": AT,
    }
    return ActionVerifiedData.model_validate(fields | changes)


def failed(**changes: Any) -> ActionFailedData:
    fields = {
        "stream": DECIDED_STREAM,
        "action": ACTION,
        **TIMES,
        "reason": "session_replaced",
        "server": "edge",
        "failed_time": AT,
        "n_attempts": 0,
    }
    return ActionFailedData.model_validate(fields | changes)


def order(decision_id: str = "d-1", **changes: Any) -> Order:
    """Give an order to cut, decided and taken at 100 s."""
    made = Order(
        action_id="",
        decision_id=decision_id,
        case_id="c-1",
        stream_id="edge-lobby",
        session_id="s-1",
        act="cut",
        scope="live",
        actor="r-1",
        decided_s=100.0,
        taken_s=100.0,
        expires_s=1000.0,
    )
    made = replace(made, **changes)
    return replace(made, action_id=action_id_of(made.decision_id, made.scope))


def taken_up(made: DecisionData) -> Event:
    """Tell that an enforcer has begun to do what was decided to the live stream."""
    of = {"action_id": action_id_of(made.decision_id, "live"), "decision_id": made.decision_id}
    action = ACTION | of | {"act": made.action, "actor": made.actor}
    return action_event(SOURCE, requested(action=action), recorded_s=2_000.0)
