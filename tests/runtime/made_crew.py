"""A supervisor over workers that do what a test says: real links, a log in memory, a clock by hand.

Rule: a worker here keeps the manners of a real one: what it is told it remembers, and when its
process ends its link is over.
"""

import asyncio
import contextlib
import errno
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.account import Account
from streamguard.core.crew import CrewRules, Trouble
from streamguard.core.events import Event
from streamguard.core.hands import InHand, LastWords, mark_of
from streamguard.core.limits import Limits
from streamguard.core.policy import Policy
from streamguard.core.record import Row, row_of
from streamguard.core.sampling import Sampling
from streamguard.core.settling import Kept, LeftOver
from streamguard.runtime.board import StreamBeat
from streamguard.runtime.crew_state import Ears, SupervisorParts
from streamguard.runtime.link import Link
from streamguard.runtime.member import Member
from streamguard.runtime.parts import Stream
from streamguard.runtime.settler import Settler
from streamguard.runtime.stop import Stop
from streamguard.runtime.supervisor import Supervisor
from streamguard.runtime.wire import (
    Batch,
    Beat,
    Drain,
    Ready,
    Release,
    Released,
    Take,
    ToWorker,
    WorkerPlan,
    read_to_supervisor,
    read_to_worker,
)
from streamguard.runtime.writer import LogWriter
from tests.clock import FakeClock
from tests.runtime.stage import LIVE

PATIENCE_S = 60.0
KILLED = -9

PLAN = WorkerPlan(
    deployment="test",
    bank_paths=(),
    policy=Policy(),
    keeps_evidence=False,
    model_pack=None,
    model_providers=(),
    model_threads=1,
    max_batch=0,
    open_timeout_s=1.0,
    read_timeout_s=1.0,
    limits=Limits(),
    hls_hosts=(),
    n_threads=1,
    stop_timeout_s=0.1,
    dense_share=0.0,
    places=((0,), (1,)),
)


def streams(*names: str, session_key: str = "publish-1") -> dict[str, Stream]:
    """Describe live streams, by id."""
    return {one: Stream(one, LIVE, Sampling.AUTO, session_key=session_key) for one in names}


def account_of(stream: Stream, clock: FakeClock) -> Account:
    """Give the account of a stream that is screened up to now."""
    return Account(
        stream_id=stream.stream_id,
        session_id=f"session of {stream.stream_id}",
        session_key=stream.session_key,
        protocol="http",
        detectors=("hash",),
        epoch=0,
        newest_us=0,
        accounted_s=clock.monotonic(),
        accounted_wall_s=clock.wall(),
    )


BOOKS_S = 0.1
"""What is told takes milliseconds, unless it waits for a worker that is being ended."""


class MemoryLog:
    """An event log in memory, and what has no end in it."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.accounts: dict[str, Account] = {}

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        self.accounts |= {account.stream_id: account for account in accounts}
        for row in map(row_of, events):
            self.rows.append(row)
            if row.type.endswith("stream.ended.v1"):
                self.accounts.pop(row.key, None)

    def left_over(self) -> LeftOver:
        return LeftOver((), tuple(map(Kept, self.accounts.values())))

    def gap_reasons(self, stream_id: str) -> list[str]:
        """Give the reasons of all gaps of a stream, in the order of telling."""
        gaps = (json.loads(row.body)["data"] for row in self.rows if row.key == stream_id)
        return [gap["reason"] for gap in gaps if "detector" in gap]

    def told(self, stream_id: str) -> list[str]:
        """Say in a word or two what was told of a stream: "coverage.gap"..."""
        types = (row.type for row in self.rows if row.key == stream_id)
        return [one.removeprefix("org.streamguard.").removesuffix(".v1") for one in types]


class ScriptedProcess:
    """A process that ends when it is told to, or is killed."""

    def __init__(self, pid: int, on_end: Callable[[], None]) -> None:
        self.pid = pid
        self._on_end = on_end
        self._ended = threading.Event()
        self.code: int | None = None
        self.n_kills = 0
        self.was_collected = False
        self.words = LastWords()
        self.is_closed = False

    def end(self, code: int) -> None:
        if self.code is None:
            self.code = code
            self._ended.set()
            self._on_end()

    def kill(self) -> None:
        self.n_kills += 1
        self.end(KILLED)

    def last_words(self) -> LastWords:
        assert not self.is_closed
        return self.words

    def close(self) -> None:
        self.is_closed = True

    def wait(self, timeout_s: float) -> int | None:
        self.was_collected = self._ended.wait(timeout_s)
        return self.code


class ScriptedWorker:
    """The other end of a link: remembers what it is told, says what a test has it say."""

    def __init__(self, number: int, link: Link[ToWorker], clock: FakeClock) -> None:
        self.number = number
        self.link = link
        self.process = ScriptedProcess(1000 + number, link.close)
        self.heard: list[ToWorker] = []
        self.drains_well = True
        self.lets_go = False
        """It releases a stream when it is asked to."""
        self.beats: tuple[StreamBeat, ...] = ()
        self._clock = clock
        self._n_batches = 0
        self._task = asyncio.create_task(self._hear())

    @property
    def taken(self) -> list[str]:
        return [one.stream_id for one in self.heard if isinstance(one, Take)]

    @property
    def asked_to_release(self) -> list[tuple[str, str]]:
        return [(one.stream_id, one.reason) for one in self.heard if isinstance(one, Release)]

    async def _hear(self) -> None:
        async for message in self.link.messages():
            self.heard.append(message)
            if isinstance(message, Release) and self.lets_go:
                self.account_for(
                    one.stream
                    for one in self.heard
                    if isinstance(one, Take) and one.stream_id == message.stream_id
                )
                self.link.send(Released(message.stream_id))
            if isinstance(message, Drain) and self.drains_well:
                for stream_id in self.taken:
                    self.link.send(Released(stream_id))
                await self.link.flushed()
                self.process.end(0)

    def beat(
        self,
        *beats: StreamBeat,
        rss_bytes: int = 0,
        stuck_s: float = 0.0,
        queue_age_s: float = 0.0,
    ) -> None:
        """Give a sign of life; `beats` are where its streams stand from now on."""
        self.beats = beats or self.beats
        self.link.send(Beat(rss_bytes, 0, 0, stuck_s, queue_age_s, "", self.beats, (), ()))

    def killed_at(self, *stream_ids: str) -> None:
        """Let its process be killed with these streams in hand, the first for longest."""
        marks = enumerate(map(mark_of, stream_ids))
        self.process.words = LastWords(tuple(InHand(mark, float(n)) for n, mark in marks))

    def account_for(self, wanted: Iterable[Stream]) -> None:
        """Say how far sessions have come."""
        self._n_batches += 1
        accounts = tuple(account_of(stream, self._clock) for stream in wanted)
        self.link.send(Batch(self._n_batches, (), accounts))

    async def gone(self) -> None:
        self.process.end(0)
        await self._task


@dataclass
class Rig:
    """A supervisor, and all that it works with."""

    supervisor: Supervisor
    clock: FakeClock
    log: MemoryLog
    meter: PrometheusMeter
    stop: Stop
    workers: dict[int, ScriptedWorker]
    lost: list[Trouble]
    quarantined: list[Trouble]
    n_refusals: int = 0
    """So many workers cannot be started: the machine has no room for another process."""

    async def until(self, claim: Callable[[], bool]) -> None:
        """Let messages pass until it is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not claim():  # noqa: ASYNC110  # each turn lets the loop hand messages on
                await asyncio.sleep(0)

    async def pass_time(self, seconds: float, silent: Collection[int] = ()) -> None:
        """Let time pass, a second at a time at most, each with a look at its end.

        All workers give signs of life but those of the numbers `silent`.
        """
        while True:
            self.clock.advance(min(1.0, seconds))
            now_s = self.clock.monotonic()
            members = [one for one in self.supervisor.members if one.phase != "starting"]
            alive = [one for one in members if one.number not in silent and not one.is_killed]
            for member in alive:
                self.workers[member.number].beat()
            await self.until(lambda now_s=now_s, alive=alive: _all_heard(alive, now_s))
            self.supervisor.look()
            seconds -= 1.0
            if seconds <= 0:
                return

    async def _let_book(self) -> None:
        """Let the log have what a look was to tell: it takes time that no clock here shows."""
        books = self.supervisor._books
        if books is not None:
            await asyncio.wait({books}, timeout=BOOKS_S)

    async def look_until(self, claim: Callable[[], bool], step_s: float = 0.0) -> None:
        """Let the supervisor look, and time pass in such steps, until it is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not claim():
                await self.pass_time(step_s)
                if step_s:
                    await self._let_book()
                await asyncio.sleep(0)

    async def ready(self, *numbers: int) -> None:
        """Let workers be ready, and be put to use where they are needed."""
        await self.until(lambda: set(numbers) <= set(self.numbers()))
        for number in numbers:
            self.workers[number].link.send(Ready(None))
        await self.until(lambda: all(self.member(n).phase != "starting" for n in numbers))
        self.supervisor.look()

    async def kept(self, number: int, wanted: Iterable[Stream]) -> None:
        """Let a worker say how far sessions have come, and the log know."""
        wanted = tuple(wanted)
        self.workers[number].account_for(wanted)
        await self.until(lambda: all(one.stream_id in self.log.accounts for one in wanted))

    def member(self, number: int) -> Member:
        return next(one for one in self.supervisor.members if one.number == number)

    def numbers(self) -> list[int]:
        return [member.number for member in self.supervisor.members]

    def holds(self) -> dict[int, set[str]]:
        """Say which streams each worker has."""
        return {one.number: set(one.streams) for one in self.supervisor.members if one.streams}

    async def die(self, number: int, code: int = -11) -> None:
        """Let a process die, and the supervisor take over."""
        self.workers[number].process.end(code)
        await self.until(lambda: number not in self.numbers())
        await self.until(lambda: self.workers[number].process.was_collected)


def _all_heard(members: Iterable[Member], now_s: float) -> bool:
    return all(one.is_killed or one.vitals.beat_s == now_s for one in members)


@contextlib.asynccontextmanager
async def crew(n_workers: int, rules: CrewRules | None = None) -> AsyncIterator[Rig]:
    """Make a supervisor of so many workers that are not ready yet; end all at the end."""
    clock, log, meter = FakeClock(1_000.0), MemoryLog(), PrometheusMeter()
    workers: dict[int, ScriptedWorker] = {}
    lost: list[Trouble] = []
    quarantined: list[Trouble] = []

    async def start(number: int) -> Member:
        if rig.n_refusals:
            rig.n_refusals -= 1
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        ours, its = socket.socketpair()
        worker = ScriptedWorker(number, await Link.over(its, read_to_worker), clock)
        workers[number] = worker
        link = await Link.over(ours, read_to_supervisor)
        return Member(number, worker.process, link, clock)

    writer = LogWriter(log, clock, meter)
    running = asyncio.create_task(writer.run())
    settler = Settler(log, writer, "/streamguard/test", clock, meter)
    ears = Ears(lambda *_: None, lambda *_: None, lambda *_: None, lost.append, quarantined.append)
    parts = SupervisorParts(writer, settler, clock, ears)
    supervisor = Supervisor(PLAN, start, n_workers, parts, rules or CrewRules())
    rig = Rig(supervisor, clock, log, meter, Stop(), workers, lost, quarantined)
    try:
        supervisor.look()
        await rig.until(lambda: len(workers) == n_workers + 1)
        yield rig
    finally:
        rig.stop.because("interrupted")
        async with asyncio.timeout(PATIENCE_S):
            await supervisor.run(rig.stop)
        for worker in workers.values():
            await worker.gone()
        await writer.stop()
        await running
