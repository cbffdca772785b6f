"""Lets streams be opened a few at a time.

Rule: a turn is a matter of a moment; whoever takes longer keeps opening, but no longer keeps others
from it, so that a hundred dead servers delay no live one.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from streamguard.core.location import Location
from streamguard.core.ports import Clock
from streamguard.core.timeline import Timeline
from streamguard.runtime.feeder import Source
from streamguard.runtime.parts import OpenLocation

N_AT_ONCE = 16
"""Opening takes 0.12 s (measured, on an idle machine): 130 a second, so that what a dead worker
held, or a whole server, is back within two; more at once only wait for each other's cores."""

LONGEST_S = 0.5
"""Four times what it takes."""


class Turns:
    """The turns of one process; called in the threads that open."""

    def __init__(
        self, clock: Clock, n_at_once: int = N_AT_ONCE, longest_s: float = LONGEST_S
    ) -> None:
        self._clock = clock
        self._n_at_once = n_at_once
        self._longest_s = longest_s
        self._begun: dict[object, float] = {}  # by turn, oldest first
        self._changed = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn; it is over at the end, or after a while."""
        mine = object()
        with self._changed:
            while (wait_s := self._wait_s()) > 0:
                self._changed.wait(wait_s)
            self._begun[mine] = self._clock.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._begun.pop(mine, None)
                self._changed.notify()

    def staggered(self, open_location: OpenLocation) -> OpenLocation:
        """Make opening wait for its turn."""

        def open_in_turn(location: Location, timeline: Timeline) -> AbstractContextManager[Source]:
            with self.turn():
                return open_location(location, timeline)

        return open_in_turn

    def _wait_s(self) -> float:
        """Say how long there is certainly no turn to be had; 0 where there is one."""
        now_s = self._clock.monotonic()
        while self._begun:
            oldest, begun_s = next(iter(self._begun.items()))
            if now_s - begun_s < self._longest_s:
                break
            del self._begun[oldest]
        if len(self._begun) < self._n_at_once:
            return 0.0
        return self._longest_s - (now_s - next(iter(self._begun.values())))
