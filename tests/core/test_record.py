import json

import pytest

from loadtest.made_events import MADE_S, number_in, opened
from streamguard.core.coverage_data import GapData
from streamguard.core.event_data import Evidence, FlagData, StreamRef
from streamguard.core.events import Event, gap_event
from streamguard.core.record import (
    REDUCED,
    REPLAYED,
    Position,
    Record,
    message_of,
    reduced,
    row_of,
)
from streamguard.core.types import GapReason, Severity


def kept(event: Event, offset: int = 1) -> Record:
    """Give what the log keeps of an event."""
    return Record(
        offset, event.topic, event.partitionkey, event.id, event.type, MADE_S, event.to_json()
    )


def gap() -> Event:
    data = GapData(
        stream=StreamRef(stream_id="lobby", session_id="s-1", epoch=0, protocol="rtmp"),
        start_pts_ms=0,
        end_pts_ms=1,
        start_time="2026-01-02T03:04:05.000Z",
        end_time="2026-01-02T03:04:05.000Z",
        reason=GapReason.OVERLOAD,
    )
    return gap_event("/streamguard/test", data, recorded_s=MADE_S)


def test_a_message_is_the_event_in_cloudevents_binary_mode() -> None:
    event = opened(7, "Übertragung-1")

    message = message_of(kept(event))

    headers = {name: value.decode() for name, value in message.headers}
    assert message.key.decode() == "Übertragung-1"
    assert headers == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": "/streamguard/test",
        "ce_type": "org.streamguard.flag.opened.v1",
        "ce_subject": "s-1",
        "ce_time": event.time,
        "ce_recordedtime": event.recordedtime,
        "ce_dataschema": event.dataschema,
        "ce_partitionkey": "Übertragung-1",
    }
    assert json.loads(message.value) == json.loads(event.to_json())["data"]


def test_a_message_put_together_again_is_the_event() -> None:
    event = opened(7, n_signals=3)

    message = message_of(kept(event))

    fields = {name.removeprefix("ce_"): value.decode() for name, value in message.headers}
    fields["datacontenttype"] = fields.pop("content-type")
    assert Event.model_validate(fields | {"data": json.loads(message.value)}) == event


def test_a_reduced_flag_is_a_flag_with_its_strongest_signal_and_says_that_it_is() -> None:
    record = kept(opened(7, n_signals=8))

    rest, *_ = reduced(record)

    message = message_of(rest, "refused")
    data = FlagData.model_validate_json(message.value)
    assert [signal.match.entry for signal in data.signals if signal.match] == ["0" * 150]
    assert number_in(message.value) == 7
    assert dict(message.headers)[REDUCED] == b"refused"
    assert (rest.id, rest.offset) == (record.id, record.offset)
    assert len(rest.body) < len(record.body) / 2


def test_a_flag_is_reduced_by_its_preview_but_keeps_its_evidence() -> None:
    event = opened(7)
    artifact = {"uri": "file:///e/clip.mp4", "sha256": "0" * 64, "size_bytes": 1}
    evidence = {"state": "ready", "clip": artifact, "blurhash": "L" * 36}
    body = json.loads(event.to_json())
    body["data"]["evidence"] = evidence

    rest, _ = reduced(kept(Event.model_validate(body)))

    assert json.loads(rest.body)["data"]["evidence"] == {"state": "ready", "clip": artifact}


def test_what_is_left_in_the_end_is_a_stub_of_what_no_flag_may_lack() -> None:
    event = opened(7, n_signals=8)
    body = json.loads(event.to_json())
    artifact = {"uri": "file:///e/clip.mp4", "sha256": "0" * 64, "size_bytes": 1}
    body["data"]["evidence"] = {"state": "ready", "clip": artifact}
    course = {"step_ms": 100, "sample_pts_ms": [0], "distances_bits": [12]}
    match = {"variant": "whole", "distances_bits": [12, 14], "course": course}
    body["data"]["signals"][0]["match"] |= match

    *_, stub = reduced(kept(Event.model_validate(body)))

    data = FlagData.model_validate(json.loads(stub.body)["data"])
    expected = FlagData.model_validate(json.loads(event.to_json())["data"])
    unavailable = Evidence(state="unavailable")
    assert data == expected.model_copy(
        update={"signals": expected.signals[:1], "evidence": unavailable}
    )


def test_a_stub_of_a_models_flag_is_left_with_what_no_score_may_lack() -> None:
    body = json.loads(opened(7).to_json())
    score = {
        "model": "pack",
        "version": "1",
        "category": "weapon",
        "score": 0.9,
        "threshold": 0.8,
        "votes": 2,
    }
    longer = score | {
        "course": {"step_ms": 100, "sample_pts_ms": [0], "scores": [0.9]},
        "against": [{"label": "gameplay", "score": 0.4}],
    }
    body["data"]["signals"] = [{"detector": "classifier", "score": longer}]

    *_, stub = reduced(kept(Event.model_validate(body)))

    assert json.loads(stub.body)["data"]["signals"] == [{"detector": "classifier", "score": score}]


@pytest.mark.parametrize("state", ["pending", "unavailable", "off"])
def test_a_stub_says_of_evidence_that_is_not_there_what_the_flag_said(state: str) -> None:
    body = json.loads(opened(7, n_signals=2).to_json())
    body["data"]["evidence"] = {"state": state}

    *_, stub = reduced(kept(Event.model_validate(body)))

    assert json.loads(stub.body)["data"]["evidence"] == {"state": state}


@pytest.mark.parametrize("event", [opened(7), gap()])
def test_what_has_nothing_to_spare_is_not_reduced(event: Event) -> None:
    assert list(reduced(kept(event))) == []


@pytest.mark.parametrize("is_replayed", [True, False])
def test_only_what_is_late_says_that_it_is_replayed(is_replayed: bool) -> None:  # noqa: FBT001
    message = message_of(kept(opened(7)), is_replayed=is_replayed)

    assert dict(message.headers).get(REPLAYED) == (b"1" if is_replayed else None)


def test_a_row_says_how_urgent_its_flag_is_and_nothing_of_other_events() -> None:
    assert row_of(opened(7)).severity is Severity.P1
    assert row_of(gap()).severity is None


def test_a_records_time_is_that_of_what_happened() -> None:
    assert kept(opened(7, time_s=MADE_S + 0.25)).time_s == MADE_S + 0.25


def test_a_record_knows_whether_its_flag_was_found_in_the_past() -> None:
    event = opened(7)
    assert isinstance(event.data, FlagData)
    late = event.model_copy(update={"data": event.data.model_copy(update={"is_rescreened": True})})

    assert not kept(event).is_rescreened
    assert not kept(gap()).is_rescreened
    assert kept(late).is_rescreened


def test_a_place_after_a_record_is_the_next_offset_and_where_the_broker_put_it() -> None:
    place = Position(3, {0: 10, 1: 4})

    assert place.after(kept(opened(1), offset=8), {1: 5}) == Position(9, {0: 10, 1: 5})


@pytest.mark.parametrize("appended", [{}, {0: 11}, {1: 0}])
def test_offsets_that_grow_are_as_they_should_be(appended: dict[int, int]) -> None:
    assert not Position(3, {0: 10}).is_forgotten(appended)


@pytest.mark.parametrize("appended", [{0: 10}, {0: 0}, {0: 0, 1: 5}])
def test_a_broker_forgot_when_an_offset_does_not_grow(appended: dict[int, int]) -> None:
    assert Position(3, {0: 10}).is_forgotten(appended)
