"""Collects the evidence of one flag while it happens: stills of its strongest hits, a clip.

Rule: packets are taken from the ring before they leave it, and no more than those of this flag. It
is bounded in time: a flag never waits for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog

from streamguard.core.errors import EvidenceUnavailable, EvidenceWaits
from streamguard.core.event_data import Evidence
from streamguard.core.judgement import EvidenceRequest
from streamguard.core.kept import Kept, Still
from streamguard.core.ports import Clock, Meter
from streamguard.core.types import Codec, Packet
from streamguard.runtime.collected import Collected, Wish
from streamguard.runtime.ring import PacketRing

BEFORE_US = 6_000_000
"""Media time of the clip before the flagged sample."""

AFTER_US = 4_000_000
"""Media time of the clip after the last hit."""

LONGEST_US = 3_600_000_000
"""Media time after which a clip grows no more, though its segment goes on: what nobody acted on in
an hour fills the disk by 2 GB an hour (at 4.5 Mbit/s; our choice)."""

PATIENCE_S = 8.0
"""A live stream that stalls ends its clip by the clock, so long after its segment did."""

MAX_WAITING_BYTES = 16 << 20
"""Packets that wait to be kept, beyond which the others stay in the ring: 15 s of 8 Mbit/s. Where
the store is slower than the stream for longer than that, the clip has a hole."""

STILL_REACH_US = 1_000_000
"""Packets so long after a hit are decoded for its still: B-frames are read after what is shown
after them."""

RETRY_S = 1.0
"""How often what the store did not take is tried again, seconds."""

LAST_TRIES = 8
"""So often at the end of a flag's evidence: it does not wait for ever for that."""

log = structlog.get_logger()


class Clip(Protocol):
    """A clip that grows; one thread at a time."""

    def add(self, packets: Sequence[Packet]) -> list[Kept]:
        """Take packets in the order of reading; give the files that were completed.

        Raises:
            EvidenceUnavailable: they cannot be copied.
            EvidenceWaits: they cannot be kept now; the clip holds them.
        """
        ...

    def close(self) -> list[Kept]:
        """End the clip; give its last file. Raises as `add`, and may be tried again as well."""
        ...


class SessionStore(Protocol):
    """Makes the evidence of one session, and has it kept; in any thread."""

    def still(self, flag_id: str, codec: Codec, packets: tuple[Packet, ...], at_us: int) -> Still:
        """Keep a still of the frame at a media time.

        Raises:
            EvidenceUnavailable: it cannot be made.
            EvidenceWaits: it cannot be kept now.
        """
        ...

    def clip(self, flag_id: str, codec: Codec) -> Clip:
        """Begin a clip; nothing is kept of it before packets are added."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """The session whose flags want evidence.

    attach:   awaited with each state of a flag's evidence, good or bad.
    ended_us: says at which media time a flag's segment ended; None while it is open.
    """

    store: SessionStore
    ring: PacketRing
    clock: Clock
    meter: Meter
    attach: Callable[[UUID, Evidence], Awaitable[None]]
    ended_us: Callable[[UUID], int | None]


class Collecting:
    """The evidence of one flag; on the event loop."""

    def __init__(self, request: EvidenceRequest, codec: Codec, case: Case) -> None:
        """Take what the ring holds of before the flag."""
        self._flag_id, self._epoch, self._at_us = request.flag_id, request.epoch, request.pts_us
        self._codec = codec
        self._case = case
        self._made = Collected()
        self._clip = case.store.clip(str(request.flag_id), codec)
        self._is_broken = False
        self._clip_waits = False  # the store did not take what it holds
        self._again_s = 0.0
        self._waiting: list[Packet] = []
        self._last: Packet | None = None
        self._over_s: float | None = None
        self._is_over = False
        self._news = asyncio.Event()
        self.has_room = asyncio.Event()
        """Set while more packets can be taken."""
        self.has_room.set()
        self.also(request)

    def also(self, request: EvidenceRequest) -> None:
        """Take a hit that deserves a still, if it is one of the strongest."""
        if self._made.wants_still(request.strength):
            at_us = request.pts_us
            held = self._case.ring.between(self._epoch, at_us, at_us + STILL_REACH_US)
            self._made.wishes.append(Wish(request.strength, at_us, held))

    def advance(self, newest: tuple[int, int] | None, *, is_end: bool = False) -> None:
        """Take what was read meanwhile, and look whether it is enough.

        newest: epoch and newest media time; None where nothing is being read.
        is_end: nothing more will be.
        """
        ended_us, now_s = self._case.ended_us(self._flag_id), self._case.clock.monotonic()
        if ended_us is not None and self._over_s is None:
            self._over_s = now_s
        until_us = self._at_us + LONGEST_US
        if ended_us is not None:
            until_us = min(until_us, ended_us + AFTER_US)
        self._take(until_us)
        comes_more = newest is not None and newest[0] == self._epoch and not is_end
        has_all = newest is not None and newest[1] >= until_us
        is_late = self._over_s is not None and now_s >= self._over_s + PATIENCE_S
        self._is_over |= not comes_more or has_all or is_late
        self._news.set()

    async def run(self) -> None:
        """Collect to the end; whatever happens, the flag is told of it."""
        try:
            await self._collect()
        except Exception as bug:  # the stream is screened on, and the flag stands
            log.exception("evidence_failed", flag_id=str(self._flag_id))
            self._made.problems.append(type(bug).__name__)
        if not self._made.is_something:
            problem = "; ".join(dict.fromkeys(self._made.problems)) or "there was nothing to keep"
            log.error("evidence_unavailable", flag_id=str(self._flag_id), problem=problem)
        self.has_room.set()
        self._case.meter.evidence(is_stored=self._made.is_something)
        await self._case.attach(self._flag_id, self._made.evidence(is_growing=False))

    async def _collect(self) -> None:
        """Let the clip grow and make stills until it is enough."""
        is_over = False
        while not is_over:
            is_over = self._is_over
            if await self._keep() and not is_over:
                await self._case.attach(self._flag_id, self._made.evidence(is_growing=True))
            self.has_room.set()
            if not is_over:
                await self._news.wait()
                self._news.clear()
        await self._end()

    async def _keep(self) -> bool:
        """Keep what came, the clip first: it is watched; say whether there is more to tell of.

        While the store takes nothing, what is to be kept waits, in the clip and here.
        """
        waits = self._clip_waits or self._made.wishes
        if waits and self._case.clock.monotonic() < self._again_s:
            return False
        has_more = False
        if self._clip_waits:
            has_more = await self._kept(self._clip.add, [])
        if self._waiting and not self._clip_waits:
            packets, self._waiting = self._waiting, []
            has_more |= await self._kept(self._clip.add, packets)
        return await self._make_stills() or has_more

    async def _make_stills(self) -> bool:
        """Make the stills that are wanted; say whether there is one more."""
        store, named, has_more = self._case.store, str(self._flag_id), False
        while self._made.wishes:
            wish = self._made.making = self._made.wishes.pop(0)
            try:
                still = await asyncio.to_thread(
                    store.still, named, self._codec, wish.packets, wish.at_us
                )
            except EvidenceWaits as error:
                self._made.wishes.insert(0, wish)
                self._wait(error)
                break
            except EvidenceUnavailable as error:
                self._made.problems.append(str(error))
            else:
                self._made.add_still(wish.strength, still)
                has_more = True
            finally:
                self._made.making = None
        return has_more

    async def _end(self) -> None:
        """End the clip; a store that takes nothing is tried some more times."""
        is_closed = False
        for n_left in reversed(range(LAST_TRIES)):
            self._again_s = 0.0
            await self._keep()
            if not is_closed:
                await self._kept(self._clip.close)
                is_closed = not self._clip_waits
            if is_closed and not self._made.wishes:
                return
            if n_left:
                await asyncio.sleep(RETRY_S)
        problem = self._made.problems[-1]
        log.error("evidence_cut_short", flag_id=str(self._flag_id), problem=problem)

    async def _kept(self, do: Callable[..., list[Kept]], *given: list[Packet]) -> bool:
        """Do something to the clip; what cannot be copied ends it, and what it has stands."""
        try:
            files = await asyncio.to_thread(do, *given)
        except EvidenceWaits as error:
            self._clip_waits = True
            self._wait(error)
            return False
        except EvidenceUnavailable as error:
            self._is_broken, self._waiting = True, []
            self._made.problems.append(str(error))
            log.error("clip_broken_off", flag_id=str(self._flag_id), problem=str(error))  # noqa: TRY400  # expected: the message says it all
            self._clip_waits = False
            return False
        self._clip_waits = False
        self._made.files += files
        if files:
            self._made.newest = files[-1]
        return bool(files)

    def _wait(self, error: EvidenceWaits) -> None:
        """Try again later; what waits is told once."""
        if str(error) not in self._made.problems:
            self._made.problems.append(str(error))
            log.warning("evidence_waits", flag_id=str(self._flag_id), problem=str(error))
        self._again_s = self._case.clock.monotonic() + RETRY_S

    def _take(self, until_us: int) -> None:
        """Take packets from the ring up to a media time, as far as there is room for them."""
        if self._is_broken:
            return
        if sum(packet.size_bytes for packet in self._waiting) > MAX_WAITING_BYTES:
            self.has_room.clear()
            return
        ring, last = self._case.ring, self._last
        if last is None:
            found = ring.between(self._epoch, self._at_us - BEFORE_US, until_us)
        else:
            found = ring.since(last)
        taken = [packet for packet in found if packet.dts_us <= until_us]
        if taken:
            self._waiting += taken
            self._last = taken[-1]
