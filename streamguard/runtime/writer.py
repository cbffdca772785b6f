"""Commits events to the log, in order, many at once where they come in a burst.

Rule: screening never waits for the disk. While the log cannot be written, events wait in memory, in
order; nothing is given up before the process ends, and then the loss is an error, not a silence.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from streamguard.core.errors import LogUnavailable
from streamguard.core.event_data import FlagData
from streamguard.core.events import Event, EventType
from streamguard.core.ports import Clock, EventLog, Meter

MAX_WAITING = 10_000
"""Events kept in memory while the log cannot be written; beyond it streams wait."""

MAX_BATCH = 256
"""Events of one transaction."""

RETRY_S = 0.5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way to the log.

    read_at_s: Clock.monotonic() when the packet that caused it was read, seconds.
    """

    event: Event
    read_at_s: float


class LogWriter:
    """The one task that writes; `run` it in a task group, `stop` it last."""

    def __init__(
        self,
        event_log: EventLog,
        clock: Clock,
        meter: Meter,
        on_commit: Callable[[Sequence[Event]], None] = lambda _: None,
    ) -> None:
        """Make it on the event loop that runs it; `on_commit` is told of each batch."""
        self._log = event_log
        self._clock = clock
        self._meter = meter
        self._on_commit = on_commit
        self._queue: asyncio.Queue[Outgoing | None] = asyncio.Queue(MAX_WAITING)
        self._n_in_hand = 0
        self.is_healthy = True
        """False while the log cannot be written."""

    async def put(self, events: Sequence[Event], read_at_s: float) -> None:
        """Hand over events in order; waits only where far too many wait already."""
        for event in events:
            await self._queue.put(Outgoing(event, read_at_s))

    def backlog(self) -> int:
        """Count the events that are not committed yet."""
        return self._queue.qsize() + self._n_in_hand

    async def run(self) -> None:
        """Commit what comes until `stop`."""
        while True:
            batch, is_last = await self._next_batch()
            self._n_in_hand = len(batch)
            while batch and not await self._commit(batch):  # noqa: ASYNC110  # a disk sets no event
                await asyncio.sleep(RETRY_S)
            self._n_in_hand = 0
            if is_last:
                return

    async def stop(self) -> None:
        """Let `run` end after all that was handed over before is committed."""
        await self._queue.put(None)

    async def _next_batch(self) -> tuple[list[Outgoing], bool]:
        batch: list[Outgoing] = []
        item = await self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == MAX_BATCH or self._queue.empty():
                return batch, False
            item = self._queue.get_nowait()
        return batch, True

    async def _commit(self, batch: Sequence[Outgoing]) -> bool:
        start_s = self._clock.monotonic()
        events = [outgoing.event for outgoing in batch]
        try:
            await asyncio.to_thread(self._log.append, events)
        except LogUnavailable as error:
            if self.is_healthy:
                log.error("log_unavailable", problem=str(error), n_waiting=self.backlog())  # noqa: TRY400  # expected: the message says it all
            self.is_healthy = False
            return False
        was_healthy, self.is_healthy = self.is_healthy, True
        if not was_healthy:
            log.info("log_recovered")
        now_s = self._clock.monotonic()
        self._meter.stage("commit", now_s - start_s)
        for outgoing in batch:
            data = outgoing.event.data
            if outgoing.event.type is EventType.FLAG_OPENED and isinstance(data, FlagData):
                self._meter.flagged(data.policy.severity, now_s - outgoing.read_at_s)
        self._on_commit(events)
        return True
