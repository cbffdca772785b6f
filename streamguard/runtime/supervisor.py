"""Keeps a crew of workers, and every stream that is wanted in the hands of one of them.

Rule: it looks at what is wanted and at what is, several times a second, and mends the difference;
no call comes back into it from below. A worker that fails loses its streams at once to the spare,
which has been waiting with everything loaded; what nobody saw meanwhile is published.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import structlog

from streamguard.core.account import Account
from streamguard.core.crew import CrashBrake, CrewRules, least_loaded, trouble_with
from streamguard.core.schedule import NO_RISK, Risk
from streamguard.runtime.crew_state import CrewState, Orphan, SupervisorParts
from streamguard.runtime.member import Member
from streamguard.runtime.parts import Stream
from streamguard.runtime.stop import Stop, StopReason
from streamguard.runtime.wire import Batch, Beat, Committed, Metrics, Released, WorkerPlan, take

LOOK_EVERY_S = 0.1
"""How often what is wanted is compared with what is, seconds."""

TOGETHER_S = 5.0
"""How long the first worker that is ready waits for the others before it takes streams: it would
take all of them, and the others none. They are ready within a second of each other (measured)."""

ORPHAN_S = 30.0
"""How long a session that another process left behind waits for its stream to be wanted again."""

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
        """start: starts a worker process, by its number."""
        self._plan = plan
        self._start = start
        self._n_workers = n_workers
        self._parts = parts
        self._rules = rules
        self._state = CrewState()
        self._brake = CrashBrake()
        self._wanted: Mapping[str, Stream] = {}
        self._risks: Mapping[str, Risk] = {}
        self._said: dict[str, Risk] = {}
        self._n_started = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_start_s = 0.0
        self._together_by_s: float | None = None
        self._was_complete = False

    def want(self, streams: Mapping[str, Stream]) -> None:
        """Say which streams are to be screened from now on, by id."""
        self._wanted = streams

    def know(self, risks: Mapping[str, Risk]) -> None:
        """Say what servers know of the risk of streams, by id, from now on."""
        self._risks = risks
        self._said = {one: risk for one, risk in self._said.items() if one in self._wanted}

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
        return tuple(self._state.members.values())

    @property
    def is_ready(self) -> bool:
        """Say whether a worker can take streams."""
        return any(member.phase == "active" for member in self.members)

    def n_held(self) -> int:
        """Count the streams that are in the hands of a worker."""
        return sum(len(member.streams) for member in self.members)

    async def run(self, stop: Stop) -> None:
        """Keep the crew and the streams until `stop`; then let all close in order."""
        accounts = await self._parts.settler.settle()
        for account in accounts.values():
            self._leave_orphan(account)
        while not stop.is_set():
            await self._look()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await stop.wait()
            except TimeoutError:
                pass
        await self._drain()

    async def _look(self) -> None:
        now_s = self._parts.clock.monotonic()
        for member in self.members:
            self._watch(member, now_s)
        self._promote()
        self._fill(now_s)
        self._release()
        self._assign()
        for member in self.members:
            for stream_id in member.streams:
                member.tune(stream_id, self.risk_of(stream_id))
        await self._bury(now_s)

    def _watch(self, member: Member, now_s: float) -> None:
        """Give up a worker that is in trouble; the end of its link does the rest."""
        if member.phase == "leaving":
            is_done = not member.streams and member.n_pending == 0
            if now_s - member.left_s > self._rules.drain_s and not is_done:
                member.process.kill()
            return
        trouble = trouble_with(member.vitals, self._rules, now_s)
        if trouble is None:
            return
        log.error("worker_given_up", worker=member.number, trouble=trouble)
        self._parts.ears.lost(trouble)
        if trouble == "fat" and member.phase == "active" and self._spare() is not None:
            member.drain("moved")
        else:
            member.process.kill()

    def _spare(self) -> Member | None:
        return next((m for m in self.members if m.phase == "spare"), None)

    def _promote(self) -> None:
        """Let a spare stand in where an active worker is missing."""
        n_active = sum(member.phase == "active" for member in self.members)
        while n_active < self._n_workers and (spare := self._spare()) is not None:
            spare.phase = "active"
            n_active += 1
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
        member = await self._start(number)
        self._state.members[number] = member
        member.begin(self._plan)
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
                    self._released(member, stream_id)
                case _:
                    pass
        await self._died(member)

    async def _commit(self, member: Member, batch: Batch) -> None:
        await self._parts.writer.commit(batch.rows, batch.accounts)
        for account in batch.accounts:
            self._state.accounts[account.stream_id] = account
        member.n_pending -= 1
        member.say(Committed(batch.number))

    def _released(self, member: Member, stream_id: str) -> None:
        member.streams.pop(stream_id, None)
        account = self._state.accounts.pop(stream_id, None)
        reason = self._state.releasing.pop(stream_id, None)
        if account is not None and "moved" in {reason, member.left_for}:
            self._leave_orphan(account)

    async def _died(self, member: Member) -> None:
        """Take over from a worker that is gone."""
        state, streams = self._state, tuple(member.streams)
        state.settling.update(streams)
        member.process.kill()
        member.close()
        del state.members[member.number]
        self._parts.ears.gone(member.number)
        if member.phase != "leaving":
            self._brake.died(self._parts.clock.monotonic())
            self._parts.ears.lost("died")
            code = member.process.exit_code()
            log.error("worker_died", worker=member.number, n_streams=len(streams), code=code)
        if streams:
            self._promote()
            accounts = await self._parts.settler.settle(streams)
            for account in accounts.values():
                self._leave_orphan(account)
        for stream_id in streams:
            state.accounts.pop(stream_id, None)
            state.releasing.pop(stream_id, None)
            state.settling.discard(stream_id)
        self._assign()

    def _leave_orphan(self, account: Account) -> None:
        until_s = self._parts.clock.monotonic() + ORPHAN_S
        self._state.orphans[account.stream_id] = Orphan(account, until_s)

    def _release(self) -> None:
        """Ask for what is not wanted any more, is another publish by now, or is elsewhere."""
        for member in self.members:
            for stream_id, held in member.streams.items():
                wanted = self._wanted.get(stream_id)
                is_same = wanted is not None and replace(wanted, before=held.before) == held.stream
                if is_same or stream_id in self._state.releasing:
                    continue
                has_moved = wanted is not None and wanted.session_key == held.session_key != ""
                reason: StopReason = "moved" if has_moved else "ended"
                self._state.releasing[stream_id] = reason
                member.release(stream_id, reason)

    def _assign(self) -> None:
        """Give what nobody holds to whoever has least."""
        active = {m.number: m for m in self.members if m.phase == "active"}
        if not active or not self._is_time(len(active)):
            return
        held = {stream_id for member in self.members for stream_id in member.streams}
        for stream_id, stream in self._wanted.items():
            if stream_id in held or stream_id in self._state.settling:
                continue
            number = least_loaded({n: len(m.streams) for n, m in active.items()})
            active[number].take(take(replace(stream, before=self._before(stream))))

    def _is_time(self, n_active: int) -> bool:
        """Say whether to begin: with the whole crew, or after waiting for it long enough."""
        now_s = self._parts.clock.monotonic()
        if self._together_by_s is None:
            self._together_by_s = now_s + TOGETHER_S
        self._was_complete |= n_active >= self._n_workers or now_s >= self._together_by_s
        return self._was_complete

    def _before(self, stream: Stream) -> Account | None:
        """Give the account that this publish of a stream has, if another process kept one."""
        orphan = self._state.orphans.get(stream.stream_id)
        if orphan is None or orphan.account.session_key != stream.session_key:
            return None
        del self._state.orphans[stream.stream_id]
        return orphan.account

    async def _bury(self, now_s: float) -> None:
        """End the sessions that nobody goes on with."""
        for stream_id, orphan in tuple(self._state.orphans.items()):
            stream = self._wanted.get(stream_id)
            is_other = stream is not None and stream.session_key != orphan.account.session_key
            if is_other or now_s > orphan.until_s:
                del self._state.orphans[stream_id]
                await self._parts.settler.end(orphan.account, "interrupted")

    async def _drain(self) -> None:
        """Let all workers close their streams and flush; those that cannot are killed."""
        n_streams = self.n_held()
        log.info("stop_begun", n_streams=n_streams)
        for member in self.members:
            member.drain("interrupted")
        patience_s = self._plan.stop_timeout_s + self._rules.drain_s
        try:
            async with asyncio.timeout(patience_s):
                while self.members or self._tasks:
                    await asyncio.wait(tuple(self._tasks), return_when="FIRST_COMPLETED")
        except TimeoutError:
            for member in self.members:
                member.process.kill()
            await asyncio.wait(tuple(self._tasks))
        for orphan in self._state.orphans.values():
            await self._parts.settler.end(orphan.account, "interrupted")
        log.info("streams_closed")

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
