"""The decode pool: as many threads as cores, serving the lanes of all streams, earliest first.

Rule: demux threads never decode. A lane is one stream's bounded queue; at most one thread works on
it at a time, so its samples leave in the order of time. A file is decoded where it is read.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from streamguard.core.hands import MARK, NO_HANDS, SINCE_US, Hand, Hands
from streamguard.core.ports import Clock, Decoder
from streamguard.runtime.lane import AT_ONCE_S, Lane


class DecodePool:
    """Threads that decode and hash; a context manager that joins them."""

    def __init__(
        self,
        n_threads: int,
        make_decoder: Callable[[], Decoder],
        clock: Clock,
        hands: Hands = NO_HANDS,
    ) -> None:
        self._clock = clock
        self._make_decoder = make_decoder
        self._ready: list[tuple[float, int, Lane]] = []  # by the age of a lane's oldest work
        self._serial = itertools.count()
        self._work = threading.Condition()
        self._is_stopping = False
        self._busy_since_s: dict[int, float] = {}  # by thread: what it is at now
        self._busy_s = [0.0] * n_threads  # by thread: all that it was at before
        self.n_threads = n_threads
        self._threads = [
            threading.Thread(
                target=hands.run, args=(partial(self._run, n),), name=f"decode-{n}", daemon=True
            )
            for n in range(n_threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._work:
            self._is_stopping = True
            self._work.notify_all()
        for thread in self._threads:
            thread.join()

    def offer(self, lane: Lane) -> None:
        """Take note that a lane has work; called by the lane, in any thread."""
        due_s = lane.due_s  # takes the lane's lock, so not within ours
        with self._work:
            heapq.heappush(self._ready, (due_s, next(self._serial), lane))
            self._work.notify()

    def age_s(self) -> float:
        """Seconds that the oldest packet has waited; 0 when none waits."""
        with self._work:
            oldest_s = min(
                (due_s for due_s, _, _ in self._ready if due_s > AT_ONCE_S), default=None
            )
        return 0.0 if oldest_s is None else self._clock.monotonic() - oldest_s

    def stuck_s(self) -> float:
        """Seconds that the thread which has been at it for longest is at one piece of work."""
        since_s = min(tuple(self._busy_since_s.values()), default=None)
        return 0.0 if since_s is None else self._clock.monotonic() - since_s

    def busy_s(self) -> float:
        """Seconds that all threads together have worked so far."""
        now_s = self._clock.monotonic()
        working_s = sum(now_s - since_s for since_s in tuple(self._busy_since_s.values()))
        return sum(self._busy_s) + working_s

    def _run(self, number: int, hand: Hand) -> None:
        decoder = self._make_decoder()
        while True:
            with self._work:
                while not self._ready and not self._is_stopping:
                    self._work.wait()
                if self._is_stopping:
                    return
                _, _, lane = heapq.heappop(self._ready)
            since_s = self._busy_since_s[number] = self._clock.monotonic()
            hand[SINCE_US], hand[MARK] = int(since_s * 1e6), lane.mark
            has_more = _work(lane, decoder)
            hand[MARK] = 0
            del self._busy_since_s[number]
            self._busy_s[number] += self._clock.monotonic() - since_s
            if has_more:
                self.offer(lane)


def decode_at_once(decoder: Decoder, lane: Lane) -> None:
    """Do all the work of a lane, in the thread that brings it: the reader of a file has time."""
    while _work(lane, decoder):
        pass


def _work(lane: Lane, decoder: Decoder) -> bool:
    """Do a piece of a lane's work; say whether more waits."""
    try:
        return lane.work(decoder)
    except Exception as error:  # noqa: BLE001  # a bug met on one stream ends that stream only
        lane.failure = error
        return lane.settle()
