"""Commits events to the log, in order, many at once where they come in a burst.

Rule: screening never waits for the disk. While the log cannot be written, events wait in memory, in
order; nothing is given up before the process ends, and then the loss is an error, not a silence.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from streamguard.core.account import Account
from streamguard.core.errors import LogUnavailable
from streamguard.core.event_data import FlagData
from streamguard.core.events import Event, EventType
from streamguard.core.ports import Clock, EventLog, Meter
from streamguard.core.record import Row

MAX_WAITING = 10_000
"""Events kept in memory while the log cannot be written; beyond it streams wait."""

MAX_BATCH = 256
"""Events of one transaction."""

RETRY_S = 0.5

ACCOUNTS_WAIT_S = 0.2
"""How long accounts wait for each other: those of 160 streams would else make 320 commits a second,
and flags wait behind them."""

OnCommit = Callable[[Sequence[Event | Row]], None]
"""Is told of what was committed together."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Something on its way to the log.

    item: an event, or how far a session has come with those before it; None is but the wish to know
        when those before it are there.
    read_at_s: Clock.monotonic() when the packet that caused it was read, seconds.
    committed: set once it is committed; None where nobody waits for that.
    """

    item: Event | Row | Account | None
    read_at_s: float
    committed: asyncio.Event | None = None


class LogWriter:
    """The one task that writes; `run` it in a task group, `stop` it last."""

    def __init__(
        self,
        event_log: EventLog,
        clock: Clock,
        meter: Meter,
        on_commit: OnCommit = lambda _: None,
    ) -> None:
        """Make it on the event loop that runs it; `on_commit` is told of each batch."""
        self._log = event_log
        self._clock = clock
        self._meter = meter
        self._on_commit = on_commit
        self._queue: asyncio.Queue[Outgoing | None] = asyncio.Queue(MAX_WAITING)
        self._n_in_hand = 0
        self._accounts: dict[str, Account] = {}  # the newest of each stream, waiting for others
        self.is_healthy = True
        """False while the log cannot be written."""

    async def put(self, events: Sequence[Event], read_at_s: float) -> None:
        """Hand over events in order; waits only where far too many wait already."""
        for event in events:
            if event.type is EventType.STREAM_ENDED:  # no account may bring its session back
                self._accounts.pop(event.partitionkey, None)
            await self._queue.put(Outgoing(event, read_at_s))

    async def commit(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        """Hand over events and accounts, and wait until they are committed."""
        for item in (*events, *accounts):
            await self._queue.put(Outgoing(item, 0.0))
        await self.settled()

    async def settled(self) -> None:
        """Wait until all that was handed over before is committed."""
        self._queue_accounts()
        committed = asyncio.Event()
        await self._queue.put(Outgoing(None, 0.0, committed))
        await committed.wait()

    async def keep(self, account: Account, *, at_once: bool = False) -> None:
        """Hand over how far a session has come with the events that were handed over before.

        at_once: it is the first word of a timeline: no event of that may be committed before it.
        """
        if at_once:
            self._accounts.pop(account.stream_id, None)  # an older one must not follow it
            await self._queue.put(Outgoing(account, 0.0))
            return
        is_first = not self._accounts
        self._accounts[account.stream_id] = account
        if is_first:
            self._queue_accounts_later()

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
        self._queue_accounts()
        await self._queue.put(None)

    def _queue_accounts(self) -> None:
        """Let the accounts that wait follow all events that they may speak of."""
        while self._accounts and not self._queue.full():
            _, account = self._accounts.popitem()
            self._queue.put_nowait(Outgoing(account, 0.0))
        if self._accounts:  # the log cannot be written
            self._queue_accounts_later()

    def _queue_accounts_later(self) -> None:
        asyncio.get_running_loop().call_later(ACCOUNTS_WAIT_S, self._queue_accounts)

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
        items = [outgoing.item for outgoing in batch]
        accounts = {item.stream_id: item for item in items if isinstance(item, Account)}
        events = [item for item in items if isinstance(item, Event | Row)]
        try:
            if events or accounts:
                await asyncio.to_thread(self._log.append, events, tuple(accounts.values()))
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
            self._count(outgoing, now_s)
            if outgoing.committed:
                outgoing.committed.set()
        self._on_commit(events)
        return True

    def _count(self, outgoing: Outgoing, now_s: float) -> None:
        """Count a flag that opened; one that comes written out is counted where it was made."""
        event = outgoing.item
        if isinstance(event, Event) and event.type is EventType.FLAG_OPENED:
            assert isinstance(event.data, FlagData)  # noqa: S101  # the event checked itself
            self._meter.flagged(event.data.policy.severity, now_s - outgoing.read_at_s)
