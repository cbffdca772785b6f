"""The event log of a worker: a batch is committed when the supervisor says so.

Rule: what was not confirmed stays with the worker's writer; a worker writes no file of the log.
"""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from streamguard.core.account import Account
from streamguard.core.events import Event
from streamguard.core.record import Row, row_of
from streamguard.runtime.wire import Batch


class PipeLog:
    """Hands batches to the supervisor; `append` in any thread, `committed` on the event loop."""

    def __init__(self, send: Callable[[Batch], object]) -> None:
        """send: hands a batch over; called in the thread of `append`."""
        self._send = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[None]] = {}

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        """Hand a batch over, and wait until it is committed; the end of the process ends that."""
        batch = Batch(next(self._numbers), tuple(map(row_of, events)), tuple(accounts))
        done: Future[None] = Future()
        self._waiting[batch.number] = done
        self._send(batch)
        done.result()

    def committed(self, number: int) -> None:
        """Let the one go on that waits for this batch."""
        done = self._waiting.pop(number, None)
        if done is not None:
            done.set_result(None)
