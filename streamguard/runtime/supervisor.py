"""Keeps a crew of workers, and every stream that is wanted in the hands of one of them.

Rule: it looks at what is wanted and at what is, several times a second, and mends the difference;
no call comes back into it from below. A worker that fails loses its streams at once to the spare,
which has been waiting with everything loaded; what nobody saw meanwhile is published.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace

import structlog

from streamguard.core.crew import CrashBrake, CrewRules, trouble_with
from streamguard.core.schedule import NO_RISK, Risk
from streamguard.core.suspicion import Hold, Suspicion
from streamguard.core.types import Detector
from streamguard.runtime.crew_state import SupervisorParts
from streamguard.runtime.ending import blame, collected, ended_soon
from streamguard.runtime.member import Member
from streamguard.runtime.parts import Stream
from streamguard.runtime.placing import Placing
from streamguard.runtime.stop import Stop
from streamguard.runtime.wire import Batch, Beat, Committed, Metrics, Released, WorkerPlan

LOOK_EVERY_S = 0.1
"""How often what is wanted is compared with what is, seconds."""

TOGETHER_S = 5.0
"""How long the first worker that is ready waits for the others before it takes streams: it would
take all of them, and the others none. They are ready within a second of each other (measured)."""

STANDSTILL_S = 2.0
"""A look that comes so late, seconds, was kept from coming: this process stood still, and who was
silent meanwhile may have stood still as well. Looks of a machine at its limit are 1 s late."""

log = structlog.get_logger()


class Supervisor:
    """The crew of a deployment; on the event loop."""

    def __init__(
        self,
        plan: WorkerPlan,
        start: Callable[[int], Awaitable[Member]],
        n_workers: int,
        parts: SupervisorParts,
        rules: CrewRules,
    ) -> None:
        """start: starts a worker process, by its number; raises OSError where there is no room."""
        self._plan = plan
        self._start = start
        self._n_workers = n_workers
        self._parts = parts
        self._rules = rules
        self._members: dict[int, Member] = {}
        detectors: tuple[Detector, ...] = ("hash", "classifier") if plan.model_pack else ("hash",)
        self.suspicion = Suspicion()
        """Of streams that workers died of."""
        self._placing = Placing(parts.settler, parts.clock, detectors, self.suspicion)
        self._brake = CrashBrake()
        self._risks: Mapping[str, Risk] = {}
        self._said: dict[str, Risk] = {}
        self._n_started = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._books: asyncio.Task[None] | None = None
        self._next_start_s = 0.0
        self._looked_s = self._resumed_s = -math.inf
        self._together_by_s: float | None = None
        self._was_complete = False
        self._is_stopping = False

    def want(
        self, streams: Mapping[str, Stream], may_be_late: Callable[[str], bool] = lambda _: False
    ) -> None:
        """Say which streams are to be screened from now on, by id.

        may_be_late: says of any other whether nobody could tell yet that it is to be screened:
            the session that was left behind of it waits.
        """
        self._placing.wanted, self._placing.may_be_late = streams, may_be_late

    def know(self, risks: Mapping[str, Risk]) -> None:
        """Say what servers know of the risk of streams, by id, from now on."""
        wanted = self._placing.wanted
        self._risks = risks
        self._said = {one: risk for one, risk in self._said.items() if one in wanted}

    def tune(self, stream_id: str, risk: Risk) -> None:
        """Say what people know of the risk of a stream, from now on."""
        self._said[stream_id] = risk

    def risk_of(self, stream_id: str) -> Risk:
        """Give what people and servers know of a stream."""
        said, known = (one.get(stream_id, NO_RISK) for one in (self._said, self._risks))
        return replace(said, n_viewers=known.n_viewers)

    @property
    def members(self) -> tuple[Member, ...]:
        """The workers, those that are starting among them."""
        return tuple(self._members.values())

    @property
    def is_ready(self) -> bool:
        """Say whether a worker can take streams."""
        return any(member.is_active for member in self.members)

    def quarantined(self) -> dict[str, Hold]:
        """Give the streams that are held back because workers died of them."""
        return self.suspicion.held(self._parts.clock.monotonic())

    def let_back(self, stream_id: str) -> bool:
        """Screen a stream again that is held back; False where it is not."""
        return self.suspicion.let_back(stream_id, self._parts.clock.monotonic())

    def n_held(self) -> int:
        """Count the streams that are in the hands of a worker."""
        return sum(len(member.streams) for member in self.members)

    async def run(self, stop: Stop) -> None:
        """Keep the crew and the streams until `stop`; then let all close in order."""
        await self._placing.settle()
        while not stop.is_set():
            self.look()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await stop.wait()
            except TimeoutError:
                pass
        await self._drain()

    def look(self) -> None:
        """Compare what is wanted with what is, and mend the difference."""
        now_s = self._parts.clock.monotonic()
        if now_s - self._looked_s > STANDSTILL_S:
            self._resumed_s = now_s
        self._looked_s = now_s
        for member in self.members:
            self._watch(member, now_s)
        self._promote()
        self._fill(now_s)
        self._placing.release(self.members)
        self._assign()
        self._placing.even_out(self.members)
        for member in self.members:
            for stream_id in member.streams:
                member.tune(stream_id, self.risk_of(stream_id))
        self._keep_books()

    def _keep_books(self) -> None:
        """Let the log hear, beside all else: workers are watched also while it takes nothing."""
        if self._books is not None and not self._books.done():
            return
        if self._books is not None:
            self._books.result()
        self._books = self._spawn(self._placing.keep_books())

    def _watch(self, member: Member, now_s: float) -> None:
        """Give up a worker that is in trouble, once; the end of its link does the rest."""
        if member.is_killed:
            return
        if member.phase == "leaving":
            if now_s - member.left_s > self._rules.drain_s:
                log.warning("worker_cut_short", worker=member.number, n_streams=len(member.streams))
                member.kill()
            return
        if now_s - self._resumed_s < self._rules.silent_s:
            return  # what it said of itself is old, for we did not listen
        member.trouble = trouble_with(member.vitals, self._rules, now_s)
        if member.trouble is None:
            return
        log.error("worker_given_up", worker=member.number, trouble=member.trouble)
        self._parts.ears.lost(member.trouble)
        if member.trouble == "fat" and member.is_active and self._spare() is not None:
            member.drain("moved")
        else:
            member.kill()

    def _spare(self) -> Member | None:
        return next((m for m in self.members if m.phase == "spare" and not m.is_killed), None)

    def _promote(self) -> None:
        """Let a spare stand in where an active worker is missing."""
        taken = {member.place for member in self.members if member.is_active}
        for place in sorted(set(range(self._n_workers)) - taken):
            if (spare := self._spare()) is None:
                return
            spare.work_at(place)
            log.info("worker_active", worker=spare.number, pid=spare.process.pid)

    def _fill(self, now_s: float) -> None:
        """Start workers until the crew and its spare are complete."""
        present = sum(member.phase != "leaving" for member in self.members)
        while present < self._n_workers + 1 and now_s >= self._next_start_s:
            self._n_started += 1
            self._next_start_s = now_s + self._brake.delay_s(now_s)
            self._spawn(self._serve(self._n_started))
            present += 1
            if self._next_start_s > now_s:
                log.warning("workers_held_back", seconds=self._next_start_s - now_s)

    async def _serve(self, number: int) -> None:
        """Start a worker, and hear it to its end."""
        try:
            member = await self._start(number)
        except OSError as error:
            log.error("worker_not_started", worker=number, problem=error.strerror)  # noqa: TRY400  # expected: the message says it all
            self._brake.died(self._parts.clock.monotonic())
            return
        self._members[number] = member
        member.begin(self._plan)
        if self._is_stopping:
            member.drain("interrupted")
        async for message in member.messages():
            match message:
                case Batch():
                    member.n_pending += 1
                    self._spawn(self._commit(member, message))
                case Beat():
                    self._parts.ears.hubs(message.seen, message.found)
                case Metrics(families):
                    self._parts.ears.metrics(number, families)
                case Released(stream_id):
                    self._placing.released(member, stream_id)
        await self._gone(member)

    async def _commit(self, member: Member, batch: Batch) -> None:
        await self._parts.writer.commit(batch.rows, batch.accounts)
        self._placing.keep(batch.accounts)
        member.n_pending -= 1
        member.say(Committed(batch.number))

    async def _gone(self, member: Member) -> None:
        """Take over from a worker whose link is over, and collect its process."""
        was_expected, n_streams = member.was_expected, len(member.streams)
        member.close()
        del self._members[member.number]
        self._placing.lost(member)
        self._parts.ears.gone(member.number)
        if member.phase != "leaving":
            self._brake.died(self._parts.clock.monotonic())
        if not was_expected:
            self._parts.ears.lost("died")
        self._promote()
        code = await ended_soon(member.process)
        words = member.process.last_words()
        if code is not None and code < 0 and member.phase != "leaving":
            now_s = self._parts.clock.monotonic()
            if (trouble := blame(member, words, self.suspicion, now_s)) is not None:
                self._parts.ears.quarantined(trouble)
        await self._placing.settle_for(member)
        self._assign()
        code = await collected(member.process, code)
        if was_expected:
            log.info("worker_ended", worker=member.number, code=code)
        else:
            what = {"n_streams": n_streams, "code": code, "crash": words.crash}
            log.error("worker_died", worker=member.number, **what)

    def _assign(self) -> None:
        """Give out what nobody holds, once there is a crew to share it."""
        n_active = sum(member.is_active for member in self.members)
        if n_active and not self._is_stopping and self._is_time(n_active):
            self._placing.assign(self.members)

    def _is_time(self, n_active: int) -> bool:
        """Say whether to begin: with the whole crew, or after waiting for it long enough."""
        now_s = self._parts.clock.monotonic()
        if self._together_by_s is None:
            self._together_by_s = now_s + TOGETHER_S
        self._was_complete |= n_active >= self._n_workers or now_s >= self._together_by_s
        return self._was_complete

    async def _drain(self) -> None:
        """Let all workers close their streams and flush; those that cannot are killed."""
        self._is_stopping = True
        log.info("stop_begun", n_streams=self.n_held())
        for member in self.members:
            if member.phase != "leaving":
                member.drain("interrupted")
        patience_s = self._plan.stop_timeout_s + self._rules.drain_s
        try:
            async with asyncio.timeout(patience_s):
                while self._tasks:
                    await asyncio.wait(tuple(self._tasks), return_when="FIRST_COMPLETED")
        except TimeoutError:
            for member in self.members:
                member.kill()
            while self._tasks:
                await asyncio.wait(tuple(self._tasks))
        await self._placing.end_orphans()
        log.info("streams_closed")

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
