"""Which stream is in whose hands, and what becomes of a session between two of them.

Rule: a stream is held by one worker or by none; a session that loses its worker is settled before
another goes on with it, or is ended.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from streamguard.core.account import Account
from streamguard.core.crew import least_loaded
from streamguard.core.ports import Clock
from streamguard.runtime.member import Member
from streamguard.runtime.parts import Stream
from streamguard.runtime.settler import Settler
from streamguard.runtime.stop import StopReason
from streamguard.runtime.wire import take

ORPHAN_S = 30.0
"""How long a session that another process left behind waits for its stream to be wanted again."""


@dataclass(slots=True)
class Orphan:
    """A session without a worker; `until_s` is when it ends if nobody wants it."""

    account: Account
    until_s: float


class Placing:
    """The streams of a crew; on the event loop."""

    def __init__(self, settler: Settler, clock: Clock) -> None:
        self._settler = settler
        self._clock = clock
        self.wanted: Mapping[str, Stream] = {}
        """What is to be screened, by id."""
        self.may_be_late: Callable[[str], bool] = lambda _: False
        """Says of a stream that is not among these whether nobody could tell yet that it is."""
        self._accounts: dict[str, Account] = {}  # the last of what workers hold
        self._orphans: dict[str, Orphan] = {}
        self._settling: set[str] = set()  # between the death of a worker and its settling
        self._releasing: dict[str, StopReason] = {}  # what a worker was asked to let go, and why

    def keep(self, accounts: Iterable[Account]) -> None:
        """Take note of how far sessions have come; it is on disk."""
        for account in accounts:
            self._accounts[account.stream_id] = account

    async def settle(self) -> None:
        """Settle what an earlier supervisor left behind."""
        for account in (await self._settler.settle()).values():
            self._leave_orphan(account)

    async def settle_for(self, member: Member) -> None:
        """Settle what a worker that is gone held; nobody takes it before."""
        streams = tuple(member.streams)
        if not streams:
            return
        self._settling.update(streams)
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
        held = {stream_id for member in members for stream_id in member.streams}
        for stream_id, stream in self.wanted.items():
            if stream_id in held or stream_id in self._settling:
                continue
            number = least_loaded({n: len(m.streams) for n, m in active.items()})
            active[number].take(take(replace(stream, before=self._before(stream))))

    async def bury(self) -> None:
        """End the sessions that nobody goes on with."""
        now_s = self._clock.monotonic()
        for stream_id, orphan in tuple(self._orphans.items()):
            stream = self.wanted.get(stream_id)
            if stream is None and self.may_be_late(stream_id):
                orphan.until_s = now_s + ORPHAN_S
            is_other = stream is not None and stream.session_key != orphan.account.session_key
            if is_other or now_s > orphan.until_s:
                del self._orphans[stream_id]
                await self._settler.end(orphan.account, "interrupted")

    async def end_orphans(self) -> None:
        """End all sessions without a worker: this process ends."""
        for orphan in self._orphans.values():
            await self._settler.end(orphan.account, "interrupted")

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
