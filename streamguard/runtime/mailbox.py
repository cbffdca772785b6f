"""The one way from a thread to the event loop: bounded, ordered, every drop counted.

Rule: where there is no room, a sample pushes out the oldest one. Notes (an epoch begins, the source
ends) are never dropped, take no room, and keep their place among the samples.
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

    def __init__(self, capacity: int, *, on_drop: Callable[[S], None]) -> None:
        """Make it on the event loop that will read it.

        capacity: samples it holds, at least 1; notes come on top.
        on_drop: called in the writer's thread with each sample that was dropped.
        """
        self._capacity = capacity
        self._on_drop = on_drop
        self._items: deque[tuple[bool, S | N]] = deque()
        self._n_samples = 0
        self.n_dropped = 0
        self._is_closed = False
        self._lock = threading.Lock()
        self._is_awaited = False
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()

    def put(self, sample: S) -> None:
        """Hand over a sample; any thread. After `close` it is dropped and counted."""
        dropped: S | None = None
        with self._lock:
            if self._is_closed:
                dropped = sample
            else:
                if self._n_samples >= self._capacity:
                    dropped = self._pop_oldest_sample()
                self._items.append((True, sample))
                self._n_samples += 1
            self.n_dropped += dropped is not None
        if dropped is not None:
            self._on_drop(dropped)
        self._wake()

    def note(self, note: N) -> None:
        """Hand over a note; any thread, never waits."""
        with self._lock:
            self._items.append((False, note))
        self._wake()

    async def get(self, timeout_s: float) -> S | N | None:
        """Take the oldest item; None when nothing came in time."""
        if not self._items and not await self._wait(timeout_s):
            return None
        with self._lock:
            is_sample, item = self._items.popleft()
            if is_sample:
                self._n_samples -= 1
        return item

    def close(self) -> None:
        """Take no more samples."""
        with self._lock:
            self._is_closed = True

    def __len__(self) -> int:
        return len(self._items)

    async def _wait(self, timeout_s: float) -> bool:
        """Wait until something is there; a wake-up may be for what was taken long before.

        A timer alone takes half as long as `asyncio.timeout`, which would cancel this task.
        """
        is_over = False

        def give_up() -> None:
            nonlocal is_over
            is_over = True
            self._filled.set()

        timer = self._loop.call_later(timeout_s, give_up)
        self._is_awaited = True  # before it looks: who puts something in now calls the loop
        try:
            while not self._items and not is_over:
                self._filled.clear()
                if not self._items:
                    await self._filled.wait()
        finally:
            timer.cancel()
            self._is_awaited = False
        return bool(self._items)

    def _pop_oldest_sample(self) -> S | None:
        for index, (is_sample, item) in enumerate(self._items):
            if is_sample:
                del self._items[index]
                self._n_samples -= 1
                return item  # type: ignore[return-value]  # the mark says that it is a sample
        return None

    def _wake(self) -> None:
        if self._is_awaited and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._filled.set)
