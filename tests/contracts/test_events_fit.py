"""Events as they are made, held against their contracts: today's and those of the last release."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from streamguard import contracts
from streamguard.core.action_events import action_event
from streamguard.core.coverage_data import StreamExcludedData
from streamguard.core.events import (
    Event,
    EventType,
    bank_event,
    flag_event,
    gap_event,
    stream_ended_event,
    stream_excluded_event,
    stream_started_event,
)
from streamguard.core.review_events import appeal_event, audit_event, decision_event, referral_event
from tests.core.test_bank_events import QUARANTINED, RELEASED
from tests.core.test_events import SOURCE, ended, flag, gap, started
from tests.made_actions import failed, requested, verified
from tests.made_reviews import appeal, audit_records, decision, referral, resolved

TODAY = Path(contracts.__file__).parent
LAST_RELEASE = Path(__file__).parent / "released"
KNOWN = [name for name in EventType if (LAST_RELEASE / f"{name}.json").exists()]
"""The types that the last release has."""

ARTIFACT = {"uri": "file:///evidence/a.mp4", "sha256": "0" * 64, "size_bytes": 3}
EVIDENCE = {"state": "ready", "clip": ARTIFACT, "still": ARTIFACT}
EXCLUDED = StreamExcludedData(stream_id="lobby", reason="a radio with a still picture")
FLAGS = [
    flag_event(SOURCE, "opened", flag(), time_s=1.0, recorded_s=2.0),
    flag_event(SOURCE, "updated", flag(state="updated", revision=1), time_s=1.0, recorded_s=2.0),
    flag_event(
        SOURCE,
        "closed",
        flag(state="closed", revision=2, close_reason="stream_ended", evidence=EVIDENCE),
        time_s=1.0,
        recorded_s=2.0,
    ),
]
EVENTS = {
    event.type: event
    for event in (
        *FLAGS,
        gap_event(SOURCE, gap(), recorded_s=2.0),
        stream_started_event(SOURCE, started(), recorded_s=2.0),
        stream_ended_event(SOURCE, ended(), time_s=1.0, recorded_s=2.0),
        stream_excluded_event(SOURCE, EXCLUDED, recorded_s=2.0),
        bank_event(SOURCE, QUARANTINED, recorded_s=2.0),
        bank_event(SOURCE, RELEASED, recorded_s=2.0),
        decision_event(SOURCE, decision(), recorded_s=2.0),
        referral_event(SOURCE, referral(), recorded_s=2.0),
        appeal_event(SOURCE, appeal(), recorded_s=2.0),
        appeal_event(SOURCE, resolved(), recorded_s=2.0),
        action_event(SOURCE, requested(), recorded_s=2.0),
        action_event(SOURCE, verified(), recorded_s=2.0),
        action_event(SOURCE, failed(), recorded_s=2.0),
        *(audit_event(SOURCE, record) for record in audit_records(1)),
    )
}


def problems(folder: Path, event: Event | dict[str, Any]) -> list[str]:
    fields = json.loads(event.to_json()) if isinstance(event, Event) else event
    schema = json.loads((folder / f"{fields['type']}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(fields)]


def test_there_is_an_event_of_every_type() -> None:
    assert set(EVENTS) == set(EventType)


@pytest.mark.parametrize("event_type", EventType)
def test_an_event_fits_its_contract(event_type: EventType) -> None:
    assert problems(TODAY, EVENTS[event_type]) == []


@pytest.mark.parametrize("event_type", KNOWN)
def test_an_event_fits_the_contract_of_the_last_release(event_type: EventType) -> None:
    assert problems(LAST_RELEASE, EVENTS[event_type]) == []


@pytest.mark.parametrize("event_type", EventType)
def test_an_event_without_any_one_of_its_fields_does_not(event_type: EventType) -> None:
    whole = json.loads(EVENTS[event_type].to_json())

    for name in whole.keys() - {"type"}:
        part = {key: value for key, value in whole.items() if key != name}
        assert problems(TODAY, part) == [f"'{name}' is a required property"]


def test_a_flag_with_a_state_of_another_type_does_not_fit() -> None:
    event = json.loads(EVENTS[EventType.FLAG_OPENED].to_json())
    event["data"]["state"] = "closed"

    assert problems(TODAY, event) == ["'open' was expected"]
