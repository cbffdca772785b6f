"""What the event log says of sessions whose processes died.

Rule: it is read once, at the end; instants of events become those of CLOCK_MONOTONIC, by which the
servers tell what they saw.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.event_data import utc_seconds
from streamguard.core.events import EventType
from streamguard.core.record import Record


@dataclass(frozen=True, slots=True)
class Timeline:
    """One epoch of a session; at_s: when its first packet was read."""

    session: str
    epoch: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that was not screened; length_s: of media, else by the clock."""

    session: str
    reason: str
    start_s: float
    end_s: float
    length_s: float


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that opened; made_s: when it was decided."""

    flag_id: str
    session: str
    epoch: int
    pts_ms: int
    made_s: float


@dataclass(frozen=True, slots=True)
class End:
    """The end of a session, with its account."""

    at_s: float
    reason: str
    screened_s: float


@dataclass(slots=True)
class StreamLog:
    """All that the log has of one stream, in its order."""

    timelines: list[Timeline] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    """Ids of flags."""
    ends: dict[str, End] = field(default_factory=dict)
    """By session."""


def read_log(file: Path, names: Mapping[str, str]) -> dict[str, StreamLog]:
    """Read a log to its end, by stream; `names` gives ours for the ids of streams."""
    found = {name: StreamLog() for name in names.values()}
    ahead_s = time.time() - time.monotonic()
    for record in _records(file):
        name = names.get(record.key)
        if name is not None:
            _note(found[name], EventType(record.type), json.loads(record.body), ahead_s)
    return found


def n_without_end(file: Path) -> tuple[int, int]:
    """Count the flags that never closed and the sessions that never ended."""
    with SqliteLog.open_reader(file) as event_log:
        left = event_log.left_over()
    return len(left.flags), len(left.sessions)


def _records(file: Path) -> Iterator[Record]:
    with SqliteLog.open_reader(file) as event_log:
        offset = 1
        while records := event_log.read(offset):
            yield from records
            offset = records[-1].offset + 1


def _note(of: StreamLog, kind: EventType, event: dict[str, Any], ahead_s: float) -> None:
    data = event["data"]
    session = data["stream"]["session_id"]
    match kind:
        case EventType.STREAM_STARTED:
            at_s = utc_seconds(data["start_time"]) - ahead_s
            of.timelines.append(Timeline(session, data["stream"]["epoch"], at_s))
        case EventType.COVERAGE_GAP if data["detector"] == "hash":
            of.gaps.append(_gap(session, data, ahead_s))
        case EventType.FLAG_OPENED:
            epoch, pts_ms = data["stream"]["epoch"], data["window"]["start_pts_ms"]
            made_s = utc_seconds(event["recordedtime"]) - ahead_s
            of.flags.append(Flag(data["flag_id"], session, epoch, pts_ms, made_s))
        case EventType.FLAG_CLOSED:
            of.closed.add(data["flag_id"])
        case EventType.STREAM_ENDED:
            at_s = utc_seconds(event["time"]) - ahead_s
            of.ends[session] = End(at_s, data["reason"], data["screened_ms"] / 1000)
        case _:
            pass


def _gap(session: str, data: dict[str, Any], ahead_s: float) -> Gap:
    start_s, end_s = utc_seconds(data["start_time"]), utc_seconds(data["end_time"])
    media_s = (data["end_pts_ms"] - data["start_pts_ms"]) / 1000
    length_s = media_s or end_s - start_s
    return Gap(session, data["reason"], start_s - ahead_s, end_s - ahead_s, length_s)
