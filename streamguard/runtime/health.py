"""What /livez, /readyz and /kafka say of a process.

Rule: liveness is about the event loop, readiness about taking streams; coverage is neither, it is
an alert.
"""

import asyncio
import time
from collections.abc import Callable

from streamguard.runtime.publisher import Publisher
from streamguard.runtime.supervisor import Supervisor
from streamguard.runtime.writer import LogWriter

BEAT_EVERY_S = 1.0
DEAD_AFTER_S = 10.0
"""An event loop that did not get to its heartbeat for so long is not live."""


class Health:
    """What /livez and /readyz say."""

    def __init__(self, stop: asyncio.Event, house: Callable[[], str | None]) -> None:
        """Take what says what is wrong with the disk and the banks, if anything."""
        self._stop = stop
        self._house = house
        self._beat_s = time.monotonic()
        self.writer: LogWriter | None = None
        self.publisher: Publisher | None = None
        self.crew: Supervisor | None = None

    async def beat(self) -> None:
        """Show that the event loop gets round."""
        while True:
            self._beat_s = time.monotonic()
            await asyncio.sleep(BEAT_EVERY_S)

    def live(self) -> str | None:
        """Say what is wrong with the event loop, if anything."""
        stuck_s = time.monotonic() - self._beat_s
        return f"the event loop is stuck for {stuck_s:.0f} s" if stuck_s > DEAD_AFTER_S else None

    def ready(self) -> str | None:
        """Say why this process should get no streams, if so."""
        if self._stop.is_set():
            return "stopping"
        if self.writer is None:
            return "starting"
        if not self.writer.is_healthy:
            return "the event log cannot be written"
        if self.crew is None or not self.crew.is_ready:
            return "no worker is ready yet"
        problems = (member.beat.problem for member in self.crew.members if member.beat)
        return self._house() or next(filter(None, problems), None)

    def kafka(self) -> str | None:
        """Say what is wrong with publishing, if anything; screening goes on without it."""
        return self.publisher.problem() if self.publisher else None
