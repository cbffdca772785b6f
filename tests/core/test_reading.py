import json
from typing import Any

import pytest

from streamguard.core.events import Event
from streamguard.core.reading import read_event
from streamguard.core.review_events import decision_event
from tests.core_fakes import SOURCE
from tests.made_reviews import decision, flag, flag_opened

EVENTS = [flag_opened(flag(1)), decision_event(SOURCE, decision(), recorded_s=1.0)]


@pytest.mark.parametrize("event", EVENTS, ids=lambda one: one.type.name)
def test_fields_that_a_later_version_added_are_passed_over(event: Event) -> None:
    said: dict[str, Any] = json.loads(event.to_json())
    said["later"] = 1
    said["data"]["later"] = {"more": [1]}
    said["data"]["stream"]["later"] = "word"

    assert read_event(json.dumps(said)) == event
    assert read_event(event.to_json()) == event


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"type": 7}',
        '{"type": "org.streamguard.later.v1", "data": {}}',
        '{"type": "org.streamguard.decision.made.v1", "data": []}',
        '{"type": "org.streamguard.decision.made.v1", "data": {}}',
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_nothing(body: str) -> None:
    assert read_event(body) is None


def test_what_contradicts_itself_is_nothing() -> None:
    said = json.loads(EVENTS[0].to_json())
    said["type"] = "org.streamguard.flag.closed.v1"

    assert read_event(json.dumps(said)) is None
