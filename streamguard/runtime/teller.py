"""Tells the world what the judging of one session led to: events, metrics, evidence.

Rule: it decides nothing. What is told goes to the writer in the order in which it happened.
"""

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from streamguard.core.coverage_data import GapData
from streamguard.core.decision import Decision
from streamguard.core.event_data import Evidence
from streamguard.core.events import Event
from streamguard.core.judgement import Judgement
from streamguard.core.session import Session
from streamguard.core.types import Codec, GapReason
from streamguard.runtime.collecting import Case
from streamguard.runtime.evidence import EvidenceKeeper, HandedStore
from streamguard.runtime.parts import Parts, Stream
from streamguard.runtime.ring import PacketRing

if TYPE_CHECKING:
    from streamguard.core.manifest import StreamContext

AWAY_PIECE_S = 10.0
"""While a source is away its gap is published in pieces of this length, seconds; one that ends in a
pause between two tries is told with the next of them, 15 s later at most."""

log = structlog.get_logger()


class Teller:
    """The way out of one session; on the event loop."""

    def __init__(
        self,
        session: Session,
        ring: PacketRing,
        parts: Parts,
        tasks: asyncio.TaskGroup,
        stream: Stream,
    ) -> None:
        """Evidence is cut from the ring, and made in `tasks`."""
        self._session = session
        self._parts = parts
        self._keeper = None
        if parts.store:
            named = (session.stream_id, str(session.session_id))
            clock, is_file = parts.clock, not stream.location.is_live
            protocol, publish = stream.location.protocol, stream.session_key
            store = HandedStore(
                parts.store,
                named,
                parts.hands,
                clock,
                lambda: _context_of(protocol, session.epoch, publish),
            )
            case = Case(store, ring, clock, parts.meter, self._attach, session.ended_us)
            self._keeper = EvidenceKeeper(case, tasks, waits=is_file)
        self._screened_us = 0
        self._listed_s = None if stream.before else stream.found_s
        self._away: tuple[float, GapReason] | None = None

    async def tell(self, events: list[Event], read_at_s: float) -> None:
        """Hand events to the writer; `read_at_s` is when the packet that caused them was read."""
        meter = self._parts.meter
        screened_us = self._session.screened_us
        if screened_us > self._screened_us:  # a timeline's end takes back what its last one reached
            meter.screened((screened_us - self._screened_us) / 1e6)
            self._screened_us = screened_us
        for event in events:
            if isinstance(event.data, GapData):
                meter.gap(event.data.detector, event.data.reason, event.data.length_s)
        await self._parts.writer.put(events, read_at_s)

    async def apply(self, judgement: Judgement, read_at_s: float) -> None:
        """Tell of a judgement, and have evidence made for the flags that it opened."""
        if self._listed_s is not None:
            self._parts.meter.came_up(self._parts.clock.monotonic() - self._listed_s)
            self._listed_s = None
        self._parts.meter.vetoed(judgement.n_vetoes)
        for decision in judgement.shadows:
            self._tell_shadow(decision)
        if self._parts.hubs:
            found = (*judgement.decisions, *judgement.shadows)
            self._parts.hubs.judged(self._session.stream_id, found)
        if self._keeper:
            for request in judgement.requests:
                self._keeper.want(request)
        await self.tell(judgement.events, read_at_s)

    async def away(self, reason: GapReason, read_until_s: float | None) -> None:
        """Take note that nothing comes, since the last packet; publish it in pieces meanwhile.

        read_until_s: when the connection that ended gave its last packet; None where it gave none.
        """
        now_s = self._parts.clock.monotonic()
        since_s, _ = self._away or (now_s if read_until_s is None else read_until_s, reason)
        self._away = (since_s, reason)
        await self._tell_away(now_s)

    async def idle(self, horizon_us: int | None, now_s: float) -> bool:
        """Tell of what the passing of time brings; `horizon_us` as for Session.idle.

        Returns:
            A piece of the stretch without packets was published: the account is to follow it.
        """
        was_told = await self._tell_away(now_s)
        await self.tell(self._session.idle(horizon_us, now_s), now_s)
        return was_told

    async def began(self) -> None:
        """Take note that packets come, before the session hears of their timeline."""
        if self._session.is_new:
            self._away = None  # what is not published yet lies in this timeline
        await self.back()

    async def back(self) -> None:
        """Publish what is left of the stretch without packets, if there was one."""
        if self._away is None:
            return
        (since_s, reason), self._away = self._away, None
        now_s = self._parts.clock.monotonic()
        await self.tell(self._session.was_away(since_s, now_s, reason), now_s)

    async def _tell_away(self, now_s: float) -> bool:
        """Publish a piece of the stretch without packets where that is long enough."""
        if self._away is None or now_s - self._away[0] < AWAY_PIECE_S:
            return False
        _, reason = self._away
        await self.back()
        self._away = (now_s, reason)
        return True

    async def advance_evidence(self, codec: Codec, newest: tuple[int, int] | None) -> None:
        """Let evidence have what was read meanwhile.

        newest: epoch and newest media time; None where nothing is being read.
        """
        if self._keeper:
            await self._keeper.advance(codec, newest)

    async def finish_evidence(self, codec: Codec) -> None:
        """Make what evidence is still wanted, of what there is."""
        if self._keeper:
            await self._keeper.finish(codec)

    def _tell_shadow(self, decision: Decision) -> None:
        """Log and count what would have been a flag, were its entry not in shadow."""
        bank, entry = decision.key
        log.info(
            "shadow_matched",
            stream_id=self._session.stream_id,
            bank=bank,
            entry=entry,
            policy=decision.category,
            epoch=decision.epoch,
            pts_us=decision.pts_us,
            distance_bits=round(decision.weakness),
            votes=decision.votes,
        )
        self._parts.meter.shadow_matched()

    async def _attach(self, flag_id: UUID, evidence: Evidence) -> None:
        now_s = self._parts.clock.monotonic()
        await self.tell(self._session.attach(flag_id, evidence, now_s), now_s)


def _context_of(protocol: str, epoch: int, publish: str) -> "StreamContext":
    """Say of which publish evidence is."""
    from streamguard.core.manifest import StreamContext  # noqa: PLC0415  # only with evidence: 10 ms

    return StreamContext(protocol, epoch, publish)
