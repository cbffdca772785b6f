"""How often somebody may ask.

Rule: the memory that it takes is bounded: who has not asked for a while is forgotten.
"""

from collections.abc import Callable
from threading import Lock

PER_S = 20.0
"""Requests a second that somebody may go on making: a console at full speed makes about 5 (a
heartbeat, a still, a clip, a decision and the next claim)."""

BURST = 60.0
"""So many at once, as when a page opens."""

MAX_KNOWN = 10_000


class Rates:
    """A bucket of requests for each who asks; any thread."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """monotonic: seconds on a clock that never jumps."""
        self._monotonic = monotonic
        self._lock = Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, who: str) -> bool:
        """Count a request; say whether it is within what is allowed."""
        now_s = self._monotonic()
        with self._lock:
            left, seen_s = self._buckets.pop(who, (BURST, now_s))
            left = min(BURST, left + (now_s - seen_s) * PER_S)
            is_allowed = left >= 1
            self._buckets[who] = (left - is_allowed, now_s)
            if len(self._buckets) > MAX_KNOWN:
                del self._buckets[next(iter(self._buckets))]
        return is_allowed
