"""Flags that nobody saw, told apart by a number: for tests and load tests of delivery."""

import json
from typing import Literal
from uuid import UUID, uuid5

from streamguard.core.event_data import FlagData, utc_text
from streamguard.core.events import Event, flag_event
from streamguard.core.record import Record

SOURCE = "/streamguard/test"
SPACE = UUID(int=7)
MADE_S = 1_767_323_045.0


def opened(
    number: int,
    stream_id: str = "lobby",
    *,
    n_signals: int = 1,
    time_s: float = MADE_S,
    severity: str = "P1",
) -> Event:
    """Make the event of a flag that opened; a signal adds about 350 bytes."""
    match = {
        "algorithm": "pdq",
        "distance_bits": 12,
        "max_distance_bits": 31,
        "bank": "shared",
        "region": "content",
        "bank_offset_ms": 4_000,
        "votes": 2,
        "is_certain": True,
    }
    data = FlagData.model_validate(
        {
            "flag_id": str(uuid5(SPACE, f"{stream_id} {number}")),
            "revision": 0,
            "state": "open",
            "stream": {
                "stream_id": stream_id,
                "session_id": "s-1",
                "epoch": 0,
                "protocol": "rtmp",
            },
            "window": {
                "start_pts_ms": number,
                "end_pts_ms": number,
                "start_time": utc_text(time_s),
                "end_time": utc_text(time_s),
                "n_samples": 1,
            },
            "clock": {"basis": "ingest"},
            "policy": {"code": "TVEC-TEST", "severity": severity},
            "signals": [
                {"detector": "hash", "match": match | {"entry": f"{at}".zfill(150)}}
                for at in range(n_signals)
            ],
            "evidence": {"state": "off"},
            "latency_ms": {"ingest_to_decision": 41.5},
            "safety": {"human_required": True},
        }
    )
    return flag_event(SOURCE, "opened", data, time_s=time_s, recorded_s=time_s)


def later(event: Event, stage: Literal["updated", "closed"], revision: int = 1) -> Event:
    """Make what becomes of a flag that opened."""
    changes: dict[str, object] = {"revision": revision, "state": stage}
    if stage == "closed":
        changes["close_reason"] = "ended"
    assert isinstance(event.data, FlagData)  # noqa: S101  # a mistake of the caller
    data = event.data.model_copy(update=changes)
    return flag_event(SOURCE, stage, data, time_s=MADE_S, recorded_s=MADE_S)


def number_in(value: bytes) -> int:
    """Read the number of an event from its data."""
    number: int = json.loads(value)["window"]["start_pts_ms"]
    return number


def number_in_record(record: Record) -> int:
    """Read the number of an event from what the log keeps of it."""
    return number_in(json.dumps(json.loads(record.body)["data"]).encode())
