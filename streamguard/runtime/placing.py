"""Which stream is in whose hands, and what becomes of a session between two of them.

Rule: a stream is held by one worker or by none; a session that loses its worker is settled before
another goes on with it, or is ended. What is held back, for workers die of it, is published as not
screened while that lasts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import structlog

from streamguard.core.account import Account
from streamguard.core.crew import least_loaded, too_loaded
from streamguard.core.ports import Clock
from streamguard.core.suspicion import Hold, Suspicion
from streamguard.core.types import Detector, GapReason
from streamguard.runtime.member import Member
from streamguard.runtime.parts import Stream
from streamguard.runtime.settler import Settler
from streamguard.runtime.stop import StopReason
from streamguard.runtime.wire import take

ORPHAN_S = 30.0
"""How long a session that another process left behind waits for its stream to be wanted again."""


PIECE_S = 10.0
"""What is held back is published in pieces of this length, seconds, as a lost connection is."""


MOVE_EVERY_S = 2.0
"""How often a stream moves to even workers out, seconds: forty, which half a crew at its capacity
would have too many, are moved in 80 s, and its servers see one new connection at a time."""

log = structlog.get_logger()


@dataclass(slots=True)
class Orphan:
    """A session without a worker; `until_s` is when it ends if nobody wants it."""

    account: Account
    until_s: float


class Placing:
    """The streams of a crew; on the event loop."""

    def __init__(
        self,
        settler: Settler,
        clock: Clock,
        detectors: tuple[Detector, ...],
        suspicion: Suspicion,
    ) -> None:
        """Make it for a crew without streams.

        detectors: who judges streams, and does not while they are held back.
        suspicion: says what is held back.
        """
        self._settler = settler
        self._clock = clock
        self._detectors = detectors
        self._suspicion = suspicion
        self.wanted: Mapping[str, Stream] = {}
        """What is to be screened, by id."""
        self.may_be_late: Callable[[str], bool] = lambda _: False
        """Says of a stream that is not among these whether nobody could tell yet that it is."""
        self._accounts: dict[str, Account] = {}  # the last of what workers hold
        self._orphans: dict[str, Orphan] = {}
        self._settling: set[str] = set()  # between the death of a worker and its settling
        self._next_move_s = 0.0
        self._told_s: dict[str, float] = {}  # when what is held back was told of last
        self._releasing: dict[str, StopReason] = {}  # what a worker was asked to let go, and why

    def keep(self, accounts: Iterable[Account]) -> None:
        """Take note of how far sessions have come; it is on disk."""
        for account in accounts:
            self._accounts[account.stream_id] = account

    async def settle(self) -> None:
        """Settle what an earlier supervisor left behind."""
        for account in (await self._settler.settle()).values():
            self._leave_orphan(account)

    def lost(self, member: Member) -> None:
        """Take note that a worker is gone: nobody takes its streams until they are settled."""
        self._settling.update(member.streams)

    async def settle_for(self, member: Member) -> None:
        """Settle what a worker that is gone held."""
        streams = tuple(member.streams)
        if not streams:
            return
        for account in (await self._settler.settle(streams)).values():
            self._leave_orphan(account)
        for stream_id in streams:
            self._accounts.pop(stream_id, None)
            self._releasing.pop(stream_id, None)
            self._settling.discard(stream_id)

    def released(self, member: Member, stream_id: str) -> None:
        """Take note that a worker let a stream go."""
        member.streams.pop(stream_id, None)
        account = self._accounts.pop(stream_id, None)
        reason = self._releasing.pop(stream_id, None)
        if account is not None and "moved" in {reason, member.left_for}:
            self._leave_orphan(account)

    def release(self, members: Iterable[Member]) -> None:
        """Ask for what is not wanted any more, is another publish by now, or is elsewhere."""
        for member in members:
            for stream_id, held in member.streams.items():
                wanted = self.wanted.get(stream_id)
                is_same = wanted is not None and replace(wanted, before=held.before) == held.stream
                if is_same or stream_id in self._releasing:
                    continue
                has_moved = wanted is not None and wanted.session_key == held.session_key != ""
                self._ask_for(member, stream_id, "moved" if has_moved else "ended")

    def assign(self, members: Sequence[Member]) -> None:
        """Give what nobody holds to whoever has least of those that take streams."""
        active = {member.number: member for member in members if member.is_active}
        if not active:
            return
        not_free = {stream_id for member in members for stream_id in member.streams}
        not_free |= self._settling | self._told_s.keys() | self._held().keys()
        for stream_id, stream in self.wanted.items():
            if stream_id in not_free:
                continue
            number = least_loaded({n: len(m.streams) for n, m in active.items()})
            active[number].take(take(replace(stream, before=self._before(stream))))

    def even_out(self, members: Iterable[Member]) -> None:
        """Ask a worker that has far too much for a stream; another will take it, session and all.

        One at a time, and none while anything else goes on.
        """
        now_s = self._clock.monotonic()
        if self._settling or self._releasing or now_s < self._next_move_s:
            return
        active = {member.number: member for member in members if member.is_active}
        number = too_loaded({n: len(m.streams) for n, m in active.items()})
        if number is None:
            return
        stream_id = self._cheapest(active[number])
        if stream_id is not None:
            self._next_move_s = now_s + MOVE_EVERY_S
            log.info("stream_moved", stream_id=stream_id, worker=number)
            self._ask_for(active[number], stream_id, "moved")

    def _cheapest(self, member: Member) -> str | None:
        """Choose what loses least by a move: what is not read anyway, else what came last.

        What is decoded densely has a reason to be, and a suspect would take trouble along.
        """
        beats = member.beats()
        movable = [
            stream_id
            for stream_id in reversed(member.streams)
            if stream_id in beats
            and not beats[stream_id].is_dense
            and not self._suspicion.is_suspect(stream_id, self._clock.monotonic())
        ]
        return max(movable, key=lambda one: beats[one].state != "screening", default=None)

    async def keep_books(self) -> None:
        """End the sessions that nobody goes on with, and tell of what is held back."""
        now_s = self._clock.monotonic()
        await self._bury(now_s)
        held = self._held()
        for stream_id in held.keys() & self.wanted.keys() - self._settling:
            self._told_s.setdefault(stream_id, now_s)
            if stream_id not in self._orphans:
                self._leave_orphan(self._first_account(self.wanted[stream_id]))
        for stream_id, told_s in tuple(self._told_s.items()):
            is_over = stream_id not in held or stream_id not in self.wanted
            if is_over or now_s - told_s >= PIECE_S:
                await self._tell_held(stream_id)
                self._told_s[stream_id] = now_s
            if is_over:
                del self._told_s[stream_id]

    async def _tell_held(self, stream_id: str) -> None:
        """Publish that nobody saw a stream that is held back, up to now."""
        orphan = self._orphans.get(stream_id)
        if orphan is not None:
            reason = GapReason.QUARANTINED
            self._leave_orphan(await self._settler.left_out(orphan.account, reason))

    def _held(self) -> dict[str, Hold]:
        return self._suspicion.held(self._clock.monotonic())

    def _first_account(self, stream: Stream) -> Account:
        """Begin the session of a publish that no worker lived to tell of: it has gaps alone."""
        now_s, wall_s = self._clock.monotonic(), self._clock.wall()
        since_s = now_s if stream.found_s is None else stream.found_s
        return Account(
            stream_id=stream.stream_id,
            session_id=str(uuid4()),
            session_key=stream.session_key,
            protocol=stream.location.protocol,
            detectors=self._detectors,
            epoch=0,
            newest_us=0,
            accounted_s=since_s,
            accounted_wall_s=wall_s + since_s - now_s,
        )

    async def _bury(self, now_s: float) -> None:
        for stream_id, orphan in tuple(self._orphans.items()):
            stream = self.wanted.get(stream_id)
            if stream is None and self.may_be_late(stream_id):
                orphan.until_s = now_s + ORPHAN_S
            is_other = stream is not None and stream.session_key != orphan.account.session_key
            if is_other or (stream is None and now_s > orphan.until_s):
                del self._orphans[stream_id]
                await self._settler.end(orphan.account, "interrupted")
            elif stream is not None and stream_id not in self._told_s:
                await self._tell_waiting(orphan, now_s)

    async def _tell_waiting(self, orphan: Orphan, now_s: float) -> None:
        """Publish now and then that nobody sees a session which no worker is there to take."""
        if now_s - (orphan.until_s - ORPHAN_S) < PIECE_S:
            return
        stream_id = orphan.account.stream_id
        self._settling.add(stream_id)
        account = await self._settler.left_out(orphan.account, GapReason.INTERRUPTED)
        self._settling.discard(stream_id)
        self._leave_orphan(account)

    async def end_orphans(self) -> None:
        """End all sessions without a worker: this process ends."""
        for stream_id in self._told_s:
            await self._tell_held(stream_id)
        for stream_id, orphan in self._orphans.items():
            account = orphan.account
            if stream_id in self.wanted and stream_id not in self._told_s:
                account = await self._settler.left_out(account, GapReason.INTERRUPTED)
            await self._settler.end(account, "interrupted")

    def _ask_for(self, member: Member, stream_id: str, reason: StopReason) -> None:
        self._releasing[stream_id] = reason
        member.release(stream_id, reason)

    def _leave_orphan(self, account: Account) -> None:
        until_s = self._clock.monotonic() + ORPHAN_S
        self._orphans[account.stream_id] = Orphan(account, until_s)

    def _before(self, stream: Stream) -> Account | None:
        """Give the account that this publish of a stream has, if another process kept one."""
        orphan = self._orphans.get(stream.stream_id)
        if orphan is None or orphan.account.session_key != stream.session_key:
            return None
        del self._orphans[stream.stream_id]
        return orphan.account
