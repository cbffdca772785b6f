"""The one way from a thread to the event loop: bounded, ordered, every drop counted.

Rule: samples of a live stream push out the oldest sample; samples of a file wait for room, and for
company. Notes (an epoch begins, the source ends) are never dropped, keep their place among the
samples, and are heard at once.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

S = TypeVar("S")
N = TypeVar("N")


class Mailbox(Generic[S, N]):
    """A queue of samples S and notes N with many writing threads and one reading task."""

    def __init__(self, capacity: int, *, waits: bool, on_drop: Callable[[S], None]) -> None:
        """Make it on the event loop that will read it.

        capacity: samples it holds, at least 1; notes come on top.
        waits: let writers wait for room (files) instead of dropping the oldest sample (live), and
            the reader for half of what it holds, or for its time: one after another, samples are
            judged in a third of the time.
        on_drop: called in the writer's thread with each sample that was dropped.
        """
        self._capacity = capacity
        self._waits = waits
        self._on_drop = on_drop
        self._items: deque[tuple[bool, S | N]] = deque()
        self._n_samples = 0
        self.n_dropped = 0
        self._is_closed = False
        self._room = threading.Condition()
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()

    def put(self, sample: S) -> None:
        """Hand over a sample; any thread. After `close` it is dropped and counted."""
        dropped: S | None = None
        is_urgent = True
        with self._room:
            while self._waits and self._n_samples >= self._capacity and not self._is_closed:
                self._room.wait()
            if self._is_closed:
                dropped = sample
            else:
                if self._n_samples >= self._capacity:
                    dropped = self._pop_oldest_sample()
                self._items.append((True, sample))
                self._n_samples += 1
                is_urgent = not self._waits or self._n_samples > self._capacity // 2
            self.n_dropped += dropped is not None
        if dropped is not None:
            self._on_drop(dropped)
        if is_urgent:
            self._wake()

    def note(self, note: N) -> None:
        """Hand over a note; any thread, never waits."""
        with self._room:
            self._items.append((False, note))
        self._wake()

    async def get(self, timeout_s: float) -> S | N | None:
        """Take the oldest item; None when nothing came in time."""
        if not self._items:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._wait()
            except TimeoutError:
                if not self._items:
                    return None
        with self._room:
            is_sample, item = self._items.popleft()
            if is_sample:
                self._n_samples -= 1
                self._room.notify()
        return item

    def close(self) -> None:
        """Take no more samples and let waiting writers go."""
        with self._room:
            self._is_closed = True
            self._room.notify_all()

    def __len__(self) -> int:
        return len(self._items)

    async def _wait(self) -> None:
        """Wait until something is there; a wake-up may be for what was taken long before."""
        while not self._items:
            self._filled.clear()
            if not self._items:
                await self._filled.wait()

    def _pop_oldest_sample(self) -> S | None:
        for index, (is_sample, item) in enumerate(self._items):
            if is_sample:
                del self._items[index]
                self._n_samples -= 1
                return item  # type: ignore[return-value]  # the mark says that it is a sample
        return None

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._filled.set)
