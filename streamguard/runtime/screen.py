"""Screens one stream: the way of a frame, from the source to the log, in one place.

Rule: whatever ends a stream (its end, an error, our own stop), its segments close, its gaps are
published and its account is the last event.
"""

import asyncio
import sys
from contextlib import ExitStack, closing
from functools import partial
from typing import assert_never

from streamguard.core.coverage import LossLedger
from streamguard.core.errors import SourceTruncated
from streamguard.core.hands import mark_of
from streamguard.core.model import Scores
from streamguard.core.sampling import Sampler, Sampling
from streamguard.core.timeline import Timeline
from streamguard.core.types import CloseReason, GapReason, Sample
from streamguard.runtime.feeder import Feeder
from streamguard.runtime.lane import Lane
from streamguard.runtime.look_back import LookBack
from streamguard.runtime.mailbox import Mailbox
from streamguard.runtime.new_session import make_asker, new_session
from streamguard.runtime.notes import (
    Answer,
    CaughtUp,
    Ended,
    EpochBegan,
    EpochEnded,
    Judged,
    Note,
    NotScored,
    ScoringEnded,
    SourceEnded,
    SourceOpened,
    close_reason,
)
from streamguard.runtime.parts import Parts, Stream
from streamguard.runtime.pool import decode_at_once
from streamguard.runtime.puller import Get, Puller
from streamguard.runtime.ring import PacketRing, last_gop
from streamguard.runtime.standing import Standing
from streamguard.runtime.stop import Stop
from streamguard.runtime.teller import Teller

TICK_S = 0.4
"""How often the clock is looked at while no sample comes, seconds."""

MAILBOX_SAMPLES = 32
"""Samples of a live stream that wait for judgement; a judgement takes about a millisecond."""

AT_ONCE = 16
"""Items of a file that are judged in a row: one by one, each takes thrice as long."""

STOP_S = 2.0
"""How long a stop waits for the reader; a read that still blocks is left behind."""


class StreamScreen:
    """One session of one stream, across connections."""

    def __init__(self, stream: Stream, parts: Parts, tasks: asyncio.TaskGroup) -> None:
        """Make it on the event loop; evidence is made in `tasks`."""
        self._stream = stream
        self._parts = parts
        before = stream.before
        self._timeline = Timeline(before.epoch + 1 if before else 0)
        self._sampler = Sampler(stream.sampling)
        self._losses = LossLedger()
        self._ring = PacketRing(lambda: self._session.watermark_us) if parts.store else last_gop()
        is_file = self._is_file = not stream.location.is_live
        self._watched = parts.scheduler.watch(stream.stream_id, self._sampler, is_live=not is_file)
        decode = partial(decode_at_once, parts.make_decoder()) if is_file else parts.pool.offer
        self._mailbox: Mailbox[Sample, Note] = Mailbox(
            sys.maxsize if is_file else MAILBOX_SAMPLES, on_drop=self._dropped
        )
        self._lane = Lane(
            self._mailbox,
            self._losses,
            decode,
            parts.clock,
            parts.meter,
            waits=is_file,
            asker=make_asker(parts, stream, self._mailbox.note, waits=is_file),
            mark=mark_of(stream.stream_id),
        )
        self._session = new_session(stream, parts, self._losses)
        self.teller = Teller(self._session, self._ring, parts, tasks, stream)
        self._look_back = LookBack(self._session, self._ring, self.teller, parts, tasks)
        self._is_connected = False
        self.standing = Standing(self._session, self._lane, self._mailbox, self._sampler)
        """How far the session has come."""
        self.has_begun = before is not None or stream.found_s is not None
        """It is accounted for: a first packet came, or a server lists the publish."""

    async def go_on(self) -> None:
        """Go on with what another process began, or a server listed: nobody looked since."""
        if self._stream.before is not None:
            await self.away(GapReason.INTERRUPTED, self._stream.before.accounted_s)
        elif self._stream.found_s is not None:
            await self.away(GapReason.SOURCE_UNAVAILABLE, self._stream.found_s)

    async def away(self, reason: GapReason, read_until_s: float | None) -> None:
        """Take note that nothing comes; `read_until_s` as for Teller.away."""
        await self.teller.away(reason, read_until_s)
        await self._keep_account(at_once=True)

    async def connect(self, stop: Stop) -> Ended:
        """Screen one connection, from opening to its end or to a stop.

        A bug in judging ends it, too: what was open is closed, and `finish` may follow.
        """
        feeder = Feeder(
            lambda: self._parts.open_location(self._stream.location, self._timeline),
            self._lane,
            self._ring,
            self._sampler,
            self._losses,
            self._stream.stream_id,
            patience_s=self._stream.patience_s,
            keeps_all=self._parts.store is not None,
        )
        self.standing.feeder = feeder
        with ExitStack() as undo:
            undo.callback(self._let_go, feeder)
            if self._is_file:
                n_at_once = 1 if self._stream.sampling is Sampling.AUTO else AT_ONCE
                packets = undo.enter_context(closing(feeder.packets()))
                get = Puller(packets, self._mailbox, self._parts.clock, n_at_once).get
            else:
                feeder.start(self._parts.hands)
                get = partial(self._mailbox.get, TICK_S)
            try:
                ended = await self._follow(get, feeder, stop)
            except Exception as bug:  # noqa: BLE001  # told by who watches this stream
                await self._leave(feeder, self._parts.clock.monotonic(), "interrupted")
                return Ended(bug, feeder.n_packets, feeder.read_until_s)
            undo.pop_all()
        return ended

    async def _follow(self, get: Get, feeder: Feeder, stop: Stop) -> Ended:
        """Judge what comes of a connection until it has ended."""
        stop_by_s: float | None = None
        while True:
            item = await get()
            if isinstance(item, CaughtUp):
                item.tell()
                continue
            now_s = self._parts.clock.monotonic()
            if stop.is_set() and stop_by_s is None:
                feeder.stop()
                stop_by_s = now_s + (STOP_S if feeder.n_packets else 0.0)  # else it only opens
            self._look_back.begin()
            await self._take(item, feeder, now_s, is_stopping=stop.is_cut)
            await self._keep_account()
            if isinstance(item, SourceEnded):
                self._timeline.break_off()
                return Ended(item.error, item.n_packets, feeder.read_until_s)
            if stop_by_s is not None and now_s >= stop_by_s:
                await self._leave(feeder, now_s, "interrupted" if stop.is_cut else "stream_ended")
                return Ended(None, feeder.n_packets, feeder.read_until_s)

    async def finish(self, reason: str) -> None:
        """End the session: evidence, open flags, then the account."""
        self._lane.close()
        self._mailbox.close()
        await self._finish_scoring(is_stopping=reason in {"interrupted", "moved"})
        await self._look_back.finish(STOP_S)
        await self.teller.back()
        await self.teller.finish_evidence(self.standing.codec)
        standing, now_s = self.standing, self._parts.clock.monotonic()
        if reason == "moved":
            await self._parts.writer.keep(standing.account(), at_once=True)
            return
        events = self._session.ended(reason, standing.n_packets, standing.n_dropped, now_s)
        await self.teller.tell(events, now_s)

    async def _keep_account(self, *, at_once: bool = False) -> None:
        """Let the log know how far the session has come, now and then."""
        if self._parts.keeps_accounts and self.has_begun:
            account = self.standing.due(self._parts.clock.monotonic(), at_once=at_once)
            if account is not None:
                await self._parts.writer.keep(account, at_once=at_once)

    async def _take(
        self, item: Judged | None, feeder: Feeder, now_s: float, *, is_stopping: bool
    ) -> None:
        """Judge one item from the mailbox, or the passing of time."""
        match item:
            case None:
                told = await self.teller.idle(self._horizon_us(feeder), now_s)
                await self._keep_account(at_once=told)
            case Sample():
                await self._judge(item, now_s)
            case SourceOpened(codec):
                self.standing.codec = codec
                self._count_connected(1)
            case EpochBegan(epoch, first_us, read_at_s):
                self.has_begun = True
                await self.teller.began()
                read_as = (self.standing.codec, self._stream.sampling)
                events = self._session.epoch_began(epoch, first_us, read_at_s, *read_as)
                await self.teller.tell(events, read_at_s)
                await self._keep_account(at_once=True)
            case EpochEnded():
                await self._end_epoch(item, now_s, is_stopping=is_stopping)
            case Scores() | NotScored() | ScoringEnded():
                await self._take_answer(item, now_s, is_stopping=is_stopping)
            case SourceEnded(error, n_packets):
                self.standing.parted(n_packets)
                self._count_connected(-1)
                if isinstance(error, SourceTruncated):
                    events = self._session.was_cut_short(error.missing_us, now_s)
                    await self.teller.tell(events, now_s)
            case _:
                assert_never(item)
        # a connection that ended, or has not begun, has nothing more for what is still wanted
        newest = None if isinstance(item, SourceEnded) else feeder.newest
        await self.teller.advance_evidence(self.standing.codec, newest)

    async def _end_epoch(self, ended: EpochEnded, now_s: float, *, is_stopping: bool) -> None:
        """Close what cannot go on; a file that was a single picture shows it for good."""
        epoch, last_us = ended.epoch, ended.last_us
        why = close_reason(is_last=ended.is_last, is_stopping=is_stopping)
        if why == "stream_ended" and not self._stream.location.is_live:
            await self.teller.apply(self._session.was_all(epoch, last_us, now_s), now_s)
        await self.teller.tell(self._session.epoch_ended(epoch, last_us, why, now_s), now_s)

    async def _take_answer(
        self, item: Answer | ScoringEnded, now_s: float, *, is_stopping: bool
    ) -> None:
        """Judge what the model said, or did not say."""
        match item:
            case Scores():
                await self.teller.apply(self._session.scored(item, now_s), item.read_at_s)
            case NotScored(epoch, pts_us, reason):
                events = self._session.not_scored(epoch, pts_us, reason, now_s)
                await self.teller.tell(events, now_s)
            case ScoringEnded(epoch, last_us, is_last):
                why = close_reason(is_last=is_last, is_stopping=is_stopping)
                await self.teller.tell(
                    self._session.scoring_ended(epoch, last_us, why, now_s), now_s
                )

    async def _finish_scoring(self, *, is_stopping: bool) -> None:
        """Wait for the model's last answers; what a hanging model leaves open is a gap."""
        batcher, clock = self._parts.batcher, self._parts.clock
        patience_s = STOP_S if is_stopping or batcher is None else batcher.hang_s
        until_s = clock.monotonic() + patience_s
        while self._session.is_scoring and (now_s := clock.monotonic()) < until_s:
            item = await self._mailbox.get(TICK_S)
            if isinstance(item, Scores | NotScored | ScoringEnded):
                await self._take_answer(item, clock.monotonic(), is_stopping=is_stopping)
                if not is_stopping:  # one that is slow does not hang
                    until_s = now_s + patience_s
        why: CloseReason = "interrupted" if is_stopping else "stream_ended"
        now_s = clock.monotonic()
        await self.teller.tell(self._session.scoring_given_up(now_s, why), now_s)

    async def _judge(self, sample: Sample, now_s: float) -> None:
        meter = self._parts.meter
        meter.stage("mailbox", now_s - sample.hashed_at_s)
        judgement = self._session.sampled(sample, now_s)
        meter.stage("match", self._parts.clock.monotonic() - now_s)
        meter.sampled(is_judged=judgement.is_judged)
        self._watched.judged(sample, judgement)
        await self.teller.apply(judgement, sample.read_at_s)

    def _let_go(self, feeder: Feeder) -> None:
        """Keep no thread waiting for a task that is gone."""
        feeder.stop()
        self._lane.close()
        self._mailbox.close()

    async def _leave(self, feeder: Feeder, now_s: float, why: CloseReason) -> None:
        """Stop without the reader, which is blocked in a read or goes on for nothing."""
        self._count_connected(-1)
        self.standing.parted(feeder.n_packets)
        if feeder.newest is not None:
            events = self._session.epoch_ended(*feeder.newest, why, now_s)
            await self.teller.tell(events, now_s)

    def _count_connected(self, change: int) -> None:
        """Count the connections that stand; one that never stood does not end."""
        if change > 0 or self._is_connected:
            self._is_connected = change > 0
            self._parts.meter.connected(change)

    def _horizon_us(self, feeder: Feeder) -> int | None:
        """Give the media time before which every sample has been judged."""
        newest = feeder.newest  # first: what is read later may be of another timeline
        floor_us = self._lane.floor_us()
        if len(self._mailbox) or newest is None or newest[0] != self._session.epoch:
            return None
        return newest[1] if floor_us is None else min(newest[1], floor_us)

    def _dropped(self, sample: Sample) -> None:
        self._losses.note(sample.epoch, sample.pts_us, GapReason.OVERLOAD)
        self._parts.meter.dropped("mailbox_full")
