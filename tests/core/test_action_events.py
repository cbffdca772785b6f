import pytest
from pydantic import ValidationError

from streamguard.core.action_events import action_event, action_id_of
from streamguard.core.event_values import MAX_INT
from streamguard.core.events import Event, Topic
from tests.core.test_events import SOURCE
from tests.made_actions import ACTION, failed, requested, verified
from tests.made_reviews import AT


def test_an_action_is_one_decision_for_one_scope() -> None:
    ids = {action_id_of(decision, scope) for decision in "ab" for scope in ("live", "clips")}

    assert len(ids) == 4
    assert action_id_of("a", "live") in ids


def test_each_kind_of_event_comes_once_for_an_action() -> None:
    said = [action_event(SOURCE, data, recorded_s=1.0) for data in (requested(), verified())]
    again = [
        action_event(SOURCE, data, recorded_s=9.0)
        for data in (requested(), verified(n_attempts=3), failed())
    ]

    assert [one.id for one in again[:2]] == [one.id for one in said]
    assert len({one.id for one in again}) == 3


def test_an_action_goes_with_its_stream_and_its_session() -> None:
    event = action_event(SOURCE, verified(), recorded_s=1.0)

    assert (event.topic, event.partitionkey, event.subject) == (Topic.ACTIONS, "lobby", "s-1")
    assert event.time == AT
    assert Event.model_validate_json(event.to_json()) == event


@pytest.mark.parametrize(
    "changes",
    [
        {"n_attempts": 0},
        {"method": "hope"},
        {"window_ms": -1},
        {"action": ACTION | {"act": "none"}},
        {"action": ACTION | {"scope": "dvr"}},
        {"url": "rtmp://a"},
    ],
    ids=str,
)
def test_a_proof_out_of_bounds_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        verified(**changes)


def test_a_failure_may_have_been_no_attempt_at_all() -> None:
    assert failed(n_attempts=0, server=None).reason == "session_replaced"
    with pytest.raises(ValidationError):
        failed(reason="nobody knows")


def test_the_largest_action_is_far_below_64_kib() -> None:
    name = "\U0001f6d1" * 256
    data = verified(
        stream={"stream_id": name, "session_id": name},
        action=ACTION | {"decision_id": "d" * 128, "actor": f"rule:{'r' * 64}"},
        n_attempts=MAX_INT,
    )

    assert len(action_event(SOURCE, data, recorded_s=1.0).to_json().encode()) < 8_192
