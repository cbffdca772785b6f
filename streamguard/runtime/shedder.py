"""The log while its disk is nearly full: it takes the flags that cannot wait, and lets others go.

Rule: what goes is counted, and said in the log of the process; whoever handed it over goes on as
though it were committed.
"""

from collections.abc import Callable, Sequence

import structlog

from streamguard.core.account import Account
from streamguard.core.events import Event
from streamguard.core.ports import Clock, EventLog
from streamguard.core.record import Row, row_of
from streamguard.core.shedding import Room, scarcity, shed
from streamguard.core.types import Severity

SAY_AGAIN_S = 60.0
"""Between two log lines while flags go."""

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
        self._n_gone = 0
        self._said_s = float("-inf")

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        """Commit what there is room for, durably and in order, all or none.

        Raises:
            LogUnavailable: nothing of this batch was committed, and nothing of it was let go.
        """
        result = shed([row_of(event) for event in events], self._room(), self._flags)
        self._log.append(result.kept, accounts)
        self._flags = result.flags
        for severity in result.gone:
            self._on_shed(severity)
        self._say(len(result.gone))

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
