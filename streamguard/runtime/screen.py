"""Screens one stream: the way of a frame, from the source to the log, in one place.

Rule: whatever ends a stream (its end, an error, our own stop), its segments close, its gaps are
published and its account is the last event.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from streamguard.core.bank import Banks
from streamguard.core.coverage import LossLedger
from streamguard.core.errors import SourceTruncated
from streamguard.core.event_data import Evidence, GapData
from streamguard.core.events import Event
from streamguard.core.flags import SessionContext
from streamguard.core.location import Location
from streamguard.core.match import Matcher
from streamguard.core.policy import Policy
from streamguard.core.ports import Clock, Meter
from streamguard.core.sampling import Sampler, Sampling
from streamguard.core.session import EvidenceRequest, Session
from streamguard.core.timeline import Timeline
from streamguard.core.types import CloseReason, Codec, GapReason, Sample
from streamguard.runtime.evidence import EvidenceKeeper, EvidenceStore
from streamguard.runtime.feeder import Feeder, Source
from streamguard.runtime.lane import Lane
from streamguard.runtime.mailbox import Mailbox
from streamguard.runtime.notes import EpochBegan, EpochEnded, Item, Note, SourceEnded, SourceOpened
from streamguard.runtime.pool import DecodePool
from streamguard.runtime.ring import PacketRing
from streamguard.runtime.writer import LogWriter

TICK_S = 0.2
"""How often the clock is looked at while no sample comes, seconds."""

MAILBOX_SAMPLES = 32
"""Samples that wait for judgement; a judgement takes about a millisecond."""

STOP_S = 2.0
"""How long a stop waits for the reader; a read that still blocks is left behind."""

AWAY_PIECE_S = 10.0
"""While a source is away its gap is published in pieces of this length."""

OpenLocation = Callable[[Location, Timeline], AbstractContextManager[Source]]
"""Opens a stream in the calling thread; raises a StreamguardError where that fails."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream to be screened."""

    stream_id: str
    location: Location
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Parts:
    """What all streams of a process share.

    source: `/streamguard/<deployment>`, the source of every event.
    store:  None where no evidence is kept.
    mint:   gives fresh flag and session ids.
    """

    source: str
    open_location: OpenLocation
    banks: Banks
    policy: Policy
    pool: DecodePool
    writer: LogWriter
    store: EvidenceStore | None
    clock: Clock
    meter: Meter
    mint: Callable[[], UUID]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended: by an error, or at the end of the stream or a stop (None)."""

    error: Exception | None
    n_packets: int


class StreamScreen:
    """One session of one stream, across connections."""

    def __init__(self, stream: Stream, parts: Parts, tasks: asyncio.TaskGroup) -> None:
        """Make it on the event loop; evidence is made in `tasks`."""
        self._stream = stream
        self._parts = parts
        self._codec = Codec("", b"", 0, 0)
        self._timeline = Timeline()
        self._sampler = Sampler(stream.sampling)
        self._losses = LossLedger()
        self._watermark_us: int | None = None
        self._ring = PacketRing(lambda: self._watermark_us)
        is_file = not stream.location.is_live
        self._mailbox: Mailbox[Sample, Note] = Mailbox(
            MAILBOX_SAMPLES, waits=is_file, on_drop=self._dropped
        )
        self._lane = Lane(
            self._mailbox, self._losses, parts.pool.offer, parts.clock, parts.meter, waits=is_file
        )
        self._session = self._make_session()
        self._keeper = (
            EvidenceKeeper(parts.store, self._ring, tasks, self._attach, parts.clock, parts.meter)
            if parts.store
            else None
        )
        self._n_packets = 0
        self._screened_us = 0
        self._away: tuple[float, GapReason] | None = None
        self._is_connected = False
        self.has_begun = False
        """A first packet came: the session has been announced."""

    async def connect(self, stop: asyncio.Event) -> Ended:
        """Screen one connection, from opening to its end or to a stop."""
        feeder = Feeder(
            lambda: self._parts.open_location(self._stream.location, self._timeline),
            self._lane,
            self._ring,
            self._sampler,
            self._losses,
            self._stream.stream_id,
        )
        feeder.start()
        stop_by_s: float | None = None
        while True:
            item = await self._mailbox.get(TICK_S)
            now_s = self._parts.clock.monotonic()
            if stop.is_set() and stop_by_s is None:
                feeder.stop()
                stop_by_s = now_s + STOP_S
            await self._take(item, feeder, now_s, is_stopping=stop_by_s is not None)
            if isinstance(item, SourceEnded):
                self._timeline.break_off()
                return Ended(item.error, item.n_packets)
            if stop_by_s is not None and now_s > stop_by_s:
                await self._leave(feeder, now_s)
                return Ended(None, feeder.n_packets)

    async def away(self, reason: GapReason) -> None:
        """Take note that there is no connection; publish it in pieces while it lasts."""
        now_s = self._parts.clock.monotonic()
        since_s, _ = self._away or (now_s, reason)
        self._away = (since_s, reason)
        if now_s - since_s >= AWAY_PIECE_S:
            await self._back(now_s)
            self._away = (now_s, reason)

    async def finish(self, reason: str) -> None:
        """End the session: evidence, open flags, then the account."""
        self._lane.close()
        self._mailbox.close()
        now_s = self._parts.clock.monotonic()
        await self._back(now_s)
        if self._keeper:
            await self._keeper.finish(self._codec)
        n_dropped = self._lane.n_dropped + self._mailbox.n_dropped
        now_s = self._parts.clock.monotonic()
        await self._emit(self._session.ended(reason, self._n_packets, n_dropped, now_s), now_s)

    async def _take(
        self, item: Item | None, feeder: Feeder, now_s: float, *, is_stopping: bool
    ) -> None:
        """Judge one item from the mailbox, or the passing of time."""
        match item:
            case None:
                await self._emit(self._session.idle(self._horizon_us(feeder), now_s), now_s)
            case Sample():
                await self._judge(item, now_s)
            case SourceOpened(codec):
                self._codec = codec
                self._count_connected(1)
                await self._back(now_s)
            case EpochBegan(epoch, first_us, read_at_s):
                self._watermark_us = first_us
                self.has_begun = True
                sampling = self._stream.sampling
                events = self._session.epoch_began(
                    epoch, first_us, read_at_s, self._codec, sampling
                )
                await self._emit(events, read_at_s)
            case EpochEnded(epoch, last_us, is_last):
                ended: CloseReason = "stream_ended" if is_last else "epoch_ended"
                why: CloseReason = "interrupted" if is_stopping else ended
                await self._emit(self._session.epoch_ended(epoch, last_us, why, now_s), now_s)
            case SourceEnded(error, n_packets):
                self._n_packets += n_packets
                self._count_connected(-1)
                if isinstance(error, SourceTruncated):
                    events = self._session.was_cut_short(error.missing_us, now_s)
                    await self._emit(events, now_s)
            case _:
                assert_never(item)
        if self._keeper and feeder.epoch is not None:
            self._keeper.advance(self._codec, feeder.epoch, feeder.newest_us)

    async def _judge(self, sample: Sample, now_s: float) -> None:
        meter = self._parts.meter
        meter.stage("mailbox", now_s - sample.hashed_at_s)
        judgement = self._session.sampled(sample, now_s)
        meter.stage("match", self._parts.clock.monotonic() - now_s)
        meter.sampled(is_judged=judgement.is_judged)
        if judgement.is_near_miss:
            self._sampler.request_dense(sample.pts_us)
        if self._keeper:
            for request in judgement.requests:
                self._keeper.want(request)
        self._watermark_us = sample.pts_us
        await self._emit(judgement.events, sample.read_at_s)

    async def _emit(self, events: list[Event], read_at_s: float) -> None:
        meter = self._parts.meter
        screened_us = self._session.screened_us
        meter.screened((screened_us - self._screened_us) / 1e6)
        self._screened_us = screened_us
        for event in events:
            if isinstance(event.data, GapData):
                meter.gap(event.data.reason, event.data.length_s)
        await self._parts.writer.put(events, read_at_s)

    async def _attach(self, request: EvidenceRequest, evidence: Evidence) -> None:
        now_s = self._parts.clock.monotonic()
        await self._emit(self._session.attach(request, evidence, now_s), now_s)

    async def _back(self, now_s: float) -> None:
        if self._away:
            since_s, reason = self._away
            self._away = None
            await self._emit(self._session.was_away(since_s, now_s, reason), now_s)

    async def _leave(self, feeder: Feeder, now_s: float) -> None:
        """Stop without the reader, which is blocked in a read."""
        self._count_connected(-1)
        self._n_packets += feeder.n_packets
        if feeder.epoch is not None:
            newest_us = feeder.newest_us
            events = self._session.epoch_ended(feeder.epoch, newest_us, "interrupted", now_s)
            await self._emit(events, now_s)

    def _count_connected(self, change: int) -> None:
        """Count the connections that stand; one that never stood does not end."""
        if change > 0 or self._is_connected:
            self._is_connected = change > 0
            self._parts.meter.connected(change)

    def _horizon_us(self, feeder: Feeder) -> int | None:
        """Give the media time before which every sample has been judged."""
        floor_us = self._lane.floor_us()
        if len(self._mailbox) or feeder.epoch != self._session.epoch:
            return None
        return feeder.newest_us if floor_us is None else floor_us

    def _dropped(self, sample: Sample) -> None:
        self._losses.note(sample.epoch, sample.pts_us, GapReason.OVERLOAD)
        self._parts.meter.dropped("mailbox_full")

    def _make_session(self) -> Session:
        parts, clock = self._parts, self._parts.clock
        context = SessionContext(
            source=parts.source,
            stream_id=self._stream.stream_id,
            session_id=str(parts.mint()),
            protocol=self._stream.location.protocol,
            wall_of=lambda at_s: clock.wall() - (clock.monotonic() - at_s),
        )
        return Session(
            context,
            Matcher(parts.banks, parts.policy),
            parts.policy,
            self._losses,
            parts.mint,
            has_evidence=parts.store is not None,
        )
