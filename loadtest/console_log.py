"""What the log tells of a decision that banks, and of the flags that follow from it.

Rule: a flag counts when it can be read from the log, by a reader that polls every 5 ms; a decision
from the instant that it names, which is before it is on disk.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from loadtest.live_log import POLL_S
from loadtest.programs import ProgramUnavailable
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.event_data import utc_seconds
from streamguard.core.events import EventType


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds from a decision.

    flagged_s: to the first flag of each stream, the earliest first.
    banked_s:  until all of the evidence was in the bank; None where it never was.
    """

    flagged_s: list[float]
    banked_s: float | None


class BankingLog:
    """Follows a log."""

    def __init__(self, log: SqliteLog) -> None:
        self._log = log
        self._offset = 1
        self._started: set[str] = set()
        self._decided_s: dict[str, float] = {}
        self._flagged_s: dict[tuple[str, str], float] = {}
        """By policy and stream."""
        self._banked_s: dict[str, float] = {}

    def wait_started(self, n_streams: int, patience_s: float) -> None:
        """Wait until so many streams are screened.

        Raises:
            ProgramUnavailable: they are not.
        """
        deadline_s = time.monotonic() + patience_s
        while len(self._started) < n_streams:
            if time.monotonic() > deadline_s:
                raise ProgramUnavailable(f"only {len(self._started)} streams are screened")
            self._look()

    def took(self, case_id: str, code: str, n_streams: int, patience_s: float) -> "Took":
        """Wait for all of a case's evidence in the bank, and flags of its policy on all streams.

        Raises:
            ProgramUnavailable: the evidence could not be banked.
        """
        deadline_s = time.monotonic() + patience_s
        flagged_s: list[float] = []
        while time.monotonic() < deadline_s:
            flagged_s = [at_s for (of, _), at_s in self._flagged_s.items() if of == code]
            if len(flagged_s) == n_streams and case_id in self._banked_s:
                break
            self._look()
        decided_s = self._decided_s[case_id]
        banked_s = self._banked_s.get(case_id)
        return Took(
            sorted(at_s - decided_s for at_s in flagged_s),
            None if banked_s is None else banked_s - decided_s,
        )

    def _look(self) -> None:
        records = self._log.read(self._offset)
        now_s = time.time()
        for record in records:
            self._offset = record.offset + 1
            self._note(record.type, json.loads(record.body)["data"], now_s)
        if not records:
            time.sleep(POLL_S)

    def _note(self, kind: str, data: dict[str, Any], now_s: float) -> None:
        match kind:
            case EventType.STREAM_STARTED:
                self._started.add(data["stream"]["stream_id"])
            case EventType.DECISION_MADE:
                self._decided_s[data["case_id"]] = utc_seconds(data["decided_at"])
            case EventType.FLAG_OPENED if data["stream"]["stream_id"] in self._started:
                key = data["policy"]["code"], data["stream"]["stream_id"]
                self._flagged_s.setdefault(key, now_s)
            case EventType.AUDIT_RECORDED if data["action"] == "bank.added":
                if data["is_refused"]:
                    raise ProgramUnavailable(f"nothing was banked: {data['details']}")
                self._banked_s[data["case_id"]] = now_s
