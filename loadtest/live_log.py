"""Follows the event log of a run, and notes when each flag could be read from it.

Rule: a reader of its own, as any consumer; it polls every 5 ms, so instants are up to 5 ms late.
"""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.errors import StreamguardError
from streamguard.core.event_data import utc_seconds
from streamguard.core.events import EventType

POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class SeenFlag:
    """A flag, and when the log had it: CLOCK_MONOTONIC."""

    stream: str
    pts_ms: int
    seen_s: float


@dataclass(frozen=True, slots=True)
class SeenGap:
    """A stretch that was not screened, by media time and by the wall clock."""

    stream: str
    detector: str
    reason: str
    start_pts_ms: int
    end_pts_ms: int
    start_s: float
    end_s: float


@dataclass(slots=True)
class LogFollower:
    """What a log has told so far."""

    path: Path
    flags: list[SeenFlag] = field(default_factory=list)
    gaps: list[SeenGap] = field(default_factory=list)
    started: set[str] = field(default_factory=set)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    """Data of the events that ended a session."""
    _reader: SqliteLog | None = None
    _offset: int = 1

    def follow(self, until_s: float) -> None:
        """Read what comes until an instant of CLOCK_MONOTONIC."""
        while time.monotonic() < until_s:
            if not self.read():
                time.sleep(POLL_S)

    def read(self) -> bool:
        """Read what is new; say whether there was any."""
        try:
            self._reader = self._reader or SqliteLog.open_reader(self.path)
        except StreamguardError:  # `run` has not made it yet
            return False
        records = self._reader.read(self._offset)
        seen_s = time.monotonic()
        for record in records:
            self._offset = record.offset + 1
            self._note(record.type, record.body, seen_s)
        return bool(records)

    def close(self) -> None:
        """Read no more."""
        if self._reader:
            self._reader.close()

    def _note(self, kind: str, body: str, seen_s: float) -> None:
        match kind:
            case EventType.FLAG_OPENED:
                data = json.loads(body)["data"]
                stream, pts_ms = data["stream"]["stream_id"], data["window"]["start_pts_ms"]
                self.flags.append(SeenFlag(stream, pts_ms, seen_s))
            case EventType.COVERAGE_GAP:
                self.gaps.append(_gap(json.loads(body)["data"]))
            case EventType.STREAM_STARTED:
                self.started.add(json.loads(body)["data"]["stream"]["stream_id"])
            case EventType.STREAM_ENDED:
                self.accounts.append(json.loads(body)["data"])


def _gap(data: dict[str, Any]) -> SeenGap:
    return SeenGap(
        data["stream"]["stream_id"],
        data.get("detector", "hash"),
        data["reason"],
        data["start_pts_ms"],
        data["end_pts_ms"],
        utc_seconds(data["start_time"]),
        utc_seconds(data["end_time"]),
    )
