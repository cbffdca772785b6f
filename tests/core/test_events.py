import json
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streamguard.core.coverage_data import GapData, StreamEndedData, StreamStartedData
from streamguard.core.event_data import (
    MAX_STILLS,
    FlagData,
    StreamRef,
    ceil_ms,
    floor_ms,
    utc_seconds,
    utc_text,
)
from streamguard.core.event_values import MAX_INT
from streamguard.core.events import (
    KINDS,
    RETENTION_S,
    Event,
    EventType,
    Topic,
    flag_event,
    gap_event,
    stream_ended_event,
    stream_started_event,
)
from streamguard.core.sampling import Sampling
from streamguard.core.signal_data import MAX_AGAINST, MAX_FLAG_POINTS, MAX_TOLD
from streamguard.core.types import MAX_SIGNALS, GapReason

SOURCE = "/streamguard/test"
FLAG_ID = "0b8f3a52-6d5c-4f4c-8f0e-9a4d1c2b3e4f"
START = "2026-01-02T03:04:05.000Z"
END = "2026-01-02T03:04:07.500Z"
STREAM = StreamRef(stream_id="lobby", session_id="s-1", epoch=0, protocol="rtmp")


def flag_fields(**changes: Any) -> dict[str, Any]:
    """Give the fields of an open flag as JSON values."""
    signal = {
        "detector": "hash",
        "match": {
            "algorithm": "pdq",
            "distance_bits": 12,
            "max_distance_bits": 31,
            "bank": "shared",
            "entry": "clip-7",
            "region": "content",
            "bank_offset_ms": 4_000,
            "votes": 2,
            "is_certain": True,
        },
    }
    fields = {
        "flag_id": FLAG_ID,
        "revision": 0,
        "state": "open",
        "stream": STREAM.model_dump(exclude_none=True),
        "window": {
            "start_pts_ms": 2_000,
            "end_pts_ms": 4_500,
            "start_time": START,
            "end_time": END,
            "n_samples": 2,
        },
        "clock": {"basis": "ingest"},
        "policy": {"code": "tvec", "severity": "P1"},
        "signals": [signal],
        "evidence": {"state": "pending"},
        "latency_ms": {"ingest_to_decision": 41.5},
        "safety": {"human_required": True},
    }
    return fields | changes


def flag(**changes: Any) -> FlagData:
    return FlagData.model_validate(flag_fields(**changes))


def gap(**changes: Any) -> GapData:
    fields = {
        "stream": STREAM,
        "start_pts_ms": 0,
        "end_pts_ms": 2_500,
        "start_time": START,
        "end_time": END,
        "reason": GapReason.OVERLOAD,
    }
    return GapData.model_validate(fields | changes)


def started(**changes: Any) -> StreamStartedData:
    fields = {
        "stream": STREAM,
        "codec": "h264",
        "width": 1920,
        "height": 1080,
        "sampling": Sampling.AUTO,
        "start_pts_ms": 0,
        "start_time": START,
    }
    return StreamStartedData.model_validate(fields | changes)


def ended(**changes: Any) -> StreamEndedData:
    fields = {
        "stream": STREAM,
        "reason": "source_unavailable",
        "n_packets": 9,
        "n_samples": 3,
        "n_flags": 1,
        "screened_ms": 2_500,
        "gap_ms": 0,
        "n_dropped": 0,
    }
    return StreamEndedData.model_validate(fields | changes)


def opened(data: FlagData) -> Event:
    return flag_event(SOURCE, "opened", data, time_s=100.0, recorded_s=100.25)


def test_a_flag_event_is_a_cloudevent_on_one_line() -> None:
    event = opened(flag())

    text = event.to_json()

    assert "\n" not in text
    fields = json.loads(text)
    assert fields.pop("data") == flag_fields()
    assert fields == {
        "specversion": "1.0",
        "id": str(uuid5(UUID(FLAG_ID), "0")),
        "source": SOURCE,
        "type": "org.streamguard.flag.opened.v1",
        "subject": "s-1",
        "time": "1970-01-01T00:01:40.000Z",
        "recordedtime": "1970-01-01T00:01:40.250Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:streamguard:schema:org.streamguard.flag.opened.v1#/$defs/FlagData",
        "partitionkey": "lobby",
    }


def test_an_event_read_back_is_the_same_event() -> None:
    events = [
        opened(flag()),
        gap_event(SOURCE, gap(), recorded_s=1.0),
        stream_started_event(SOURCE, started(), recorded_s=1.0),
        stream_ended_event(SOURCE, ended(), time_s=1.0, recorded_s=1.0),
    ]

    again = [Event.model_validate_json(event.to_json()) for event in events]

    assert again == events


def test_every_type_has_a_topic_and_every_topic_a_retention() -> None:
    assert set(KINDS) == set(EventType)
    assert {kind.topic for kind in KINDS.values()} == set(Topic) == set(RETENTION_S)
    assert opened(flag()).topic == "streamguard.flags.v1"
    assert gap_event(SOURCE, gap(), recorded_s=1.0).topic == "streamguard.coverage.v1"


def test_sending_a_revision_again_keeps_its_id_and_the_next_gets_another() -> None:
    first, again = opened(flag()), opened(flag())
    following = flag_event(
        SOURCE, "updated", flag(state="updated", revision=1), time_s=101.0, recorded_s=101.0
    )

    assert first.id == again.id
    assert following.id != first.id


def test_each_stream_event_has_an_id_of_its_own_that_resending_keeps() -> None:
    other = StreamRef(stream_id="lobby", session_id="s-1", epoch=1, protocol="rtmp")

    ids = [
        gap_event(SOURCE, gap(), recorded_s=1.0).id,
        gap_event(SOURCE, gap(stream=other), recorded_s=1.0).id,
        gap_event(SOURCE, gap(start_pts_ms=1), recorded_s=1.0).id,
        stream_started_event(SOURCE, started(), recorded_s=1.0).id,
        stream_started_event(SOURCE, started(stream=other), recorded_s=1.0).id,
        stream_ended_event(SOURCE, ended(), time_s=1.0, recorded_s=1.0).id,
        stream_ended_event(SOURCE, ended(stream=other), time_s=1.0, recorded_s=1.0).id,
    ]

    assert len(set(ids)) == len(ids)
    assert ids[0] == gap_event(SOURCE, gap(), recorded_s=99.0).id


def test_a_second_gap_from_the_same_media_time_is_another_event() -> None:
    """While a server is away media time stands still, and each gap must be kept."""
    first = gap_event(SOURCE, gap(), recorded_s=1.0)
    later = gap_event(SOURCE, gap(end_time="2026-01-02T03:04:09.000Z"), recorded_s=1.0)
    longer = gap_event(SOURCE, gap(end_pts_ms=2_501), recorded_s=1.0)

    assert len({first.id, later.id, longer.id}) == 3


def test_a_gap_is_as_long_as_its_media_and_without_media_as_long_as_the_clock_says() -> None:
    assert gap(end_pts_ms=1_500).length_s == 1.5
    assert gap(end_pts_ms=0).length_s == 2.5


def test_the_time_of_a_gap_and_of_a_start_is_the_beginning() -> None:
    assert gap_event(SOURCE, gap(), recorded_s=1.0).time == START
    assert stream_started_event(SOURCE, started(), recorded_s=1.0).time == START


@pytest.mark.parametrize(
    ("stage", "state"),
    [("opened", "updated"), ("updated", "open"), ("opened", "closed"), ("closed", "open")],
)
def test_a_stage_that_contradicts_the_state_is_refused(stage: Any, state: str) -> None:
    reason = {"close_reason": "ended"} if state == "closed" else {}

    with pytest.raises(ValidationError, match="needs the state"):
        flag_event(SOURCE, stage, flag(state=state, **reason), time_s=1.0, recorded_s=1.0)


def test_data_of_another_type_are_refused() -> None:
    fields = json.loads(gap_event(SOURCE, gap(), recorded_s=1.0).to_json())
    fields["data"] = flag_fields()

    with pytest.raises(ValidationError, match="needs GapData"):
        Event.model_validate(fields)


def test_a_closed_flag_says_why_and_an_open_one_does_not() -> None:
    closed = flag(state="closed", close_reason="ended")

    assert closed.close_reason == "ended"
    with pytest.raises(ValidationError, match="close_reason"):
        flag(state="closed")
    with pytest.raises(ValidationError, match="close_reason"):
        flag(close_reason="ended")


def test_ready_evidence_shows_a_clip_or_a_still() -> None:
    still = {"uri": "file:///evidence/a.jpg", "sha256": "0" * 64, "size_bytes": 3}

    assert flag(evidence={"state": "ready", "still": still}).evidence.still is not None
    with pytest.raises(ValidationError, match="clip or a still"):
        flag(evidence={"state": "ready"})


@pytest.mark.parametrize(
    "uri",
    [
        "https://user:secret@host/clip",
        "https://host/clip?signature=secret",
        "https://host/clip#secret",
        "no-scheme/clip",
        "file:///two\nlines",
    ],
)
def test_an_evidence_uri_that_could_hold_a_key_is_refused_and_not_repeated(uri: str) -> None:
    still = {"uri": uri, "sha256": "0" * 64, "size_bytes": 3}

    with pytest.raises(ValidationError) as refusal:
        flag(evidence={"state": "ready", "still": still})

    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"viewers": 3},
        {"revision": -1},
        {"flag_id": "7"},
        {"state": "reopened"},
        {"signals": []},
        {"signals": flag_fields()["signals"] * (MAX_SIGNALS + 1)},
        {"safety": {"human_required": False}},
        {"latency_ms": {"ingest_to_decision": float("nan")}},
        {"policy": {"code": "tvec", "severity": "P4"}},
        {"policy": {"code": "", "severity": "P1"}},
        {"policy": {"code": "x" * 257, "severity": "P1"}},
        {"policy": {"code": "two\nlines", "severity": "P1"}},
        {"policy": {"code": "two\u2028lines", "severity": "P1"}},
        {"window": flag_fields()["window"] | {"end_pts_ms": 1_999}},
        {"window": flag_fields()["window"] | {"start_time": "2026-01-02T03:04:05Z"}},
    ],
    ids=str,
)
def test_a_flag_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        flag(**changes)


def test_a_flag_at_its_bounds_is_taken() -> None:
    window = flag_fields()["window"] | {"end_pts_ms": 2_000}

    data = flag(
        signals=flag_fields()["signals"] * MAX_SIGNALS,
        policy={"code": "x" * 256, "severity": "P0"},
        window=window,
    )

    assert len(data.signals) == MAX_SIGNALS


@pytest.mark.parametrize("source", ["/streamguard/", "/streamguard/a/worker-3", "streamguard"])
def test_a_source_is_a_deployment_and_nothing_else(source: str) -> None:
    with pytest.raises(ValidationError):
        gap_event(source, gap(), recorded_s=1.0)


@pytest.mark.parametrize("detector", ["hash", "classifier"])
def test_the_largest_flag_is_less_than_64_kib(detector: str) -> None:
    name = "\U0001f6d1" * 256  # four bytes each, the most that a character takes
    n_points = MAX_FLAG_POINTS // MAX_SIGNALS
    times = {"step_ms": MAX_INT, "sample_pts_ms": [-MAX_INT] * n_points}
    score = {
        "model": name,
        "version": name,
        "category": name,
        "votes": MAX_INT,
        "score": 0.123_456,
        "threshold": 0.123_456_789_012_345_6,
        "course": times | {"scores": [0.123] * n_points},
        "against": [{"label": "x" * 64, "score": 0.123_456}] * MAX_AGAINST,
    }
    artifact = {"uri": "s3:" + "\U0001f6d1" * 1021, "sha256": "f" * 64, "size_bytes": MAX_INT}
    match = flag_fields()["signals"][0]["match"] | {
        "bank": name,
        "entry": name,
        "bank_offset_ms": MAX_INT,
        "votes": MAX_INT,
        "entry_start_pts_ms": -MAX_INT,
        "rate": 15.999,
        "distances_bits": [256] * MAX_TOLD,
        "sample_pts_ms": [-MAX_INT] * MAX_TOLD,
        "variant": "content-crop-10-10-10-10-upper-half-mirror",
        "course": times | {"distances_bits": [256] * n_points},
    }
    signal = {"match": match} if detector == "hash" else {"score": score}
    window = flag_fields()["window"] | {"start_pts_ms": -MAX_INT, "end_pts_ms": -MAX_INT}
    data = flag(
        state="closed",
        close_reason="stream_ended",
        revision=MAX_INT,
        stream={"stream_id": name, "session_id": name, "epoch": MAX_INT, "protocol": "https"},
        window=window | {"n_samples": MAX_INT},
        policy={"code": name, "severity": "P0"},
        signals=[{"detector": detector, **signal}] * MAX_SIGNALS,
        evidence={
            "state": "unavailable",
            "clip": artifact,
            "still": artifact,
            "blurhash": '"' * 166,
            "other_stills": [artifact] * (MAX_STILLS - 1),
            "manifest": artifact,
        },
        latency_ms={"ingest_to_decision": 1.2345678901234567e-300},
    )

    event = flag_event(f"/streamguard/{'d' * 64}", "closed", data, time_s=1.0, recorded_s=1.0)

    assert 50_000 < len(event.to_json().encode()) < 65_536


def test_an_instant_is_rounded_to_the_nearest_millisecond() -> None:
    assert utc_text(1_767_323_045.1236) == "2026-01-02T03:04:05.124Z"
    assert utc_text(1_767_323_044.9996) == "2026-01-02T03:04:05.000Z"
    assert utc_text(0) == "1970-01-01T00:00:00.000Z"


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_an_instant_survives_the_wire(time_ms: int) -> None:
    assert round(utc_seconds(utc_text(time_ms / 1000)) * 1000) == time_ms


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_a_span_on_the_wire_covers_the_span(pts_us: int) -> None:
    assert 0 <= pts_us - floor_ms(pts_us) * 1000 < 1000
    assert 0 <= ceil_ms(pts_us) * 1000 - pts_us < 1000
