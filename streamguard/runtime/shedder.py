"""The log while its disk is nearly full: it takes the flags that cannot wait, and lets others go.

Rule: what goes is counted, and said in the log of the process; whoever handed it over goes on as
though it were committed.
"""

import json
import threading
from collections.abc import Callable, Sequence

import structlog

from streamguard.core.account import Account
from streamguard.core.events import Event, EventType
from streamguard.core.ports import Clock, EventLog
from streamguard.core.record import Row, row_of
from streamguard.core.shedding import Room, scarcity, shed
from streamguard.core.types import Severity

SAY_AGAIN_S = 60.0
"""Between two log lines while flags go."""

DECIDED_S = 2.0
"""What opened goes to the log at once; this is a hundred times what a commit takes."""

log = structlog.get_logger()


class Shedder:
    """An EventLog before another one; one thread at a time appends."""

    def __init__(
        self,
        event_log: EventLog,
        room: Callable[[], Room],
        clock: Clock,
        on_shed: Callable[[Severity], None],
    ) -> None:
        """room: on the log's disk; on_shed: is told of each flag that goes."""
        self._log = event_log
        self._room = room
        self._clock = clock
        self._on_shed = on_shed
        self._flags: frozenset[str] = frozenset()
        self._taken: frozenset[str] = frozenset()
        self._decided = threading.Condition()
        self._n_gone = 0
        self._said_s = float("-inf")

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        """Commit what there is room for, durably and in order, all or none.

        Raises:
            LogUnavailable: nothing of this batch was committed, and nothing of it was let go.
        """
        result = shed([row_of(event) for event in events], self._room(), self._flags)
        self._log.append(result.kept, accounts)
        with self._decided:
            self._flags = result.flags
            is_scarce = scarcity(self._room()) is not None
            self._taken = self._taken | _opened(result.kept) if is_scarce else frozenset()
            self._decided.notify_all()
        for severity in result.gone:
            self._on_shed(severity)
        self._say(len(result.gone))

    def is_heard_of(self, flag_id: str) -> bool:
        """Say whether a flag that opened is in the log or will be; any thread may ask.

        While flags go it waits until that is decided; for DECIDED_S at most, as of a flag that
        opened before.
        """

        def is_decided() -> bool:
            is_known = flag_id in self._taken or flag_id in self._flags
            return is_known or scarcity(self._room()) is None

        with self._decided:
            self._decided.wait_for(is_decided, DECIDED_S)
            return flag_id not in self._flags

    def problem(self) -> str | None:
        """Say which flags go, if any."""
        severity = scarcity(self._room())
        if severity is None:
            return None
        return f"the event log's disk is nearly full: flags of {severity} and below are let go"

    def _say(self, n_gone: int) -> None:
        self._n_gone += n_gone
        now_s = self._clock.monotonic()
        if self._n_gone and now_s - self._said_s >= SAY_AGAIN_S:
            log.error("flags_shed", n_flags=self._n_gone, problem=self.problem())
            self._n_gone, self._said_s = 0, now_s


def _opened(rows: Sequence[Row]) -> frozenset[str]:
    """Give the ids of the flags that opened."""
    return frozenset(
        json.loads(row.body)["data"]["flag_id"] for row in rows if row.type == EventType.FLAG_OPENED
    )
