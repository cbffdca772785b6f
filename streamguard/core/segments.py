"""Joins positive decisions into segments, and says what each decision changed.

Rule: a segment opens on its first positive decision and closes exactly once. No clock in here: the
caller passes the time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from uuid import UUID

from streamguard.core.course import Course
from streamguard.core.decision import Decision, Key
from streamguard.core.types import MAX_SIGNALS, CloseReason, Match, Sample, Severity

MIN_OPEN_US = 3_000_000
"""A segment stays open at least so long without a further positive decision."""

OPEN_INTERVALS = 2.5
"""...or so many observed sample intervals, whichever is longer."""

IDLE_S = 2.0
"""An idle stream has no watermark: the clock closes its segments so much later."""

MAX_LEADS = 64
"""Samples by which it is seen how far media may come ahead of the clock."""

MAX_AHEAD_S = 15.0
"""...and how far at most they are believed to: segments of HLS are rarely longer, seconds."""


AGAIN_US = 5_000_000
"""So long a segment goes on without a word: whoever looks at it live sees how strong it is by no
more than that late (our choice: one event in 5 s of what is positive, a kilobyte each)."""

PEAK_BITS = 8
"""So much nearer a match is worth another still: twice the most by which our hashes of one picture
and Meta's differ."""

PEAK_SCORE = 0.1
"""...or by so much higher a score (our choice: at most ten steps from 0 to 1)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of positive decisions of one category, [start_us, end_us] of one epoch.

    start_read_at_s: Clock.monotonic() when the first packet was read, seconds.
    end_read_at_s:   the same of the packet that was read last.
    signals: the best decision of each bank entry, strongest first.
    courses: how strong each of them was over time, in the same order.
    told_us: media time of the sample at which the world was last told of it.
    """

    flag_id: UUID
    category: str
    severity: Severity
    epoch: int
    start_us: int
    end_us: int
    start_read_at_s: float
    end_read_at_s: float
    n_samples: int
    signals: tuple[Decision, ...]
    courses: tuple[Course, ...]
    told_us: int

    @property
    def is_certain(self) -> bool:
        """Say whether any entry has votes that agree on an offset."""
        return any(signal.is_certain for signal in self.signals)


@dataclass(frozen=True, slots=True)
class SegmentOpened:
    """The first positive decision: the flag leaves at once."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class SegmentStrengthened:
    """A further entry matched, or an entry became certain, by this decision."""

    segment: Segment
    decision: Decision


@dataclass(frozen=True, slots=True)
class SegmentPeaked:
    """An entry matched much better than ever before: worth another picture, and no word."""

    segment: Segment
    decision: Decision


@dataclass(frozen=True, slots=True)
class SegmentWentOn:
    """It goes on, and for long nothing was said of how strong it is."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class SegmentClosed:
    """No more decisions will come for it."""

    segment: Segment
    reason: CloseReason


SegmentEvent = SegmentOpened | SegmentStrengthened | SegmentPeaked | SegmentWentOn | SegmentClosed


class SegmentBuilder:
    """The open segments of one stream, at most one of each category."""

    def __init__(self, mint: Callable[[], UUID]) -> None:
        """mint: gives a fresh flag id; kept outside because chance does not belong in here."""
        self._mint = mint
        self._open: dict[str, Segment] = {}
        self._intervals_us: deque[int] = deque(maxlen=8)
        self._epoch = -1
        self._last_us = 0
        self._last_at_s = 0.0
        self._leads_s: deque[float] = deque(maxlen=MAX_LEADS)  # media time less the clock

    @property
    def open_segments(self) -> tuple[Segment, ...]:
        """What is open now."""
        return tuple(self._open.values())

    def sampled(self, epoch: int, pts_us: int, now_s: float) -> list[SegmentEvent]:
        """Take note of a sample, positive or not: it moves the watermark and shows the interval."""
        events: list[SegmentEvent] = []
        if epoch != self._epoch:
            events = self.close("epoch_ended")
            self._leads_s.clear()
        elif pts_us > self._last_us:
            self._intervals_us.append(pts_us - self._last_us)
        self._leads_s.append(pts_us / 1e6 - now_s)
        self._epoch, self._last_us, self._last_at_s = epoch, pts_us, now_s
        limit_us = pts_us - self._open_for_us()
        return events + self._close_where("ended", lambda segment: segment.end_us < limit_us)

    def read(self, pts_us: int, weaknesses: Mapping[Key, float]) -> None:
        """Take how weak a sample was, positive or not: it is a point of what is open already."""
        for segment in self._open.values():
            courses = tuple(
                course.and_of(pts_us, weaknesses[signal.key])
                if signal.key in weaknesses
                else course
                for signal, course in zip(segment.signals, segment.courses, strict=True)
            )
            self._open[segment.category] = replace(segment, courses=courses)

    def feed(self, decision: Decision) -> list[SegmentEvent]:
        """Take a positive decision on the sample last noted; return what it changed."""
        segment = self._open.get(decision.category)
        if segment is None:
            segment = Segment(
                flag_id=self._mint(),
                category=decision.category,
                severity=decision.severity,
                epoch=decision.epoch,
                start_us=decision.pts_us,
                end_us=decision.pts_us,
                start_read_at_s=decision.read_at_s,
                end_read_at_s=decision.read_at_s,
                n_samples=1,
                signals=(decision,),
                courses=(Course().and_of(decision.pts_us, decision.weakness),),
                told_us=decision.pts_us,
            )
            self._open[decision.category] = segment
            return [SegmentOpened(segment)]
        signals = _with(segment.signals, decision)
        is_stronger = _strength(signals) > _strength(segment.signals)
        is_peak = _is_peak(segment.signals, decision)
        is_due = decision.pts_us - segment.told_us >= AGAIN_US
        segment = replace(
            segment,
            # answers of a model may come out of order
            end_us=max(segment.end_us, decision.pts_us),
            # a B-frame is shown before, and read after, the frame that it is built on
            end_read_at_s=max(segment.end_read_at_s, decision.read_at_s),
            n_samples=segment.n_samples + (decision.pts_us > segment.end_us),
            signals=signals,
            courses=_courses(segment, signals, decision),
            told_us=decision.pts_us if is_stronger or is_due else segment.told_us,
        )
        self._open[decision.category] = segment
        if is_stronger:
            return [SegmentStrengthened(segment, decision)]
        peak: list[SegmentEvent] = [SegmentPeaked(segment, decision)] if is_peak else []
        return [*peak, SegmentWentOn(segment)] if is_due else peak

    def idle(self, now_s: float) -> list[SegmentEvent]:
        """Close what an idle stream left open: no sample came, so the clock decides."""
        if now_s - self._last_at_s < self._open_for_us() / 1e6 + IDLE_S + self._ahead_s():
            return []
        return self.close("idle")

    def _ahead_s(self) -> float:
        """Seconds by which media came early: HLS gives whole segments, then nothing for a while."""
        if not self._leads_s:
            return 0.0
        return min(self._leads_s[-1] - min(self._leads_s), MAX_AHEAD_S)

    def close(self, reason: CloseReason) -> list[SegmentEvent]:
        """Close all segments: the epoch, the stream or the process ends."""
        return self._close_where(reason, lambda _: True)

    def _open_for_us(self) -> int:
        interval_us = median(self._intervals_us) if self._intervals_us else 0
        return max(MIN_OPEN_US, int(OPEN_INTERVALS * interval_us))

    def _close_where(
        self, reason: CloseReason, is_over: Callable[[Segment], bool]
    ) -> list[SegmentEvent]:
        over = [segment for segment in self._open.values() if is_over(segment)]
        for segment in over:
            del self._open[segment.category]
        return [SegmentClosed(segment, reason) for segment in over]


def segments_of(
    samples: Iterable[tuple[Sample, Iterable[Decision]]], mint: Callable[[], UUID]
) -> list[Segment]:
    """Join the decisions on samples of the past, in the order of time, into segments."""
    builder, events = SegmentBuilder(mint), []
    for sample, decisions in samples:
        events += builder.sampled(sample.epoch, sample.pts_us, sample.read_at_s)
        for decision in decisions:
            events += builder.feed(decision)
    events += builder.close("ended")
    return [event.segment for event in events if isinstance(event, SegmentClosed)]


def _with(signals: tuple[Decision, ...], decision: Decision) -> tuple[Decision, ...]:
    """Keep each entry's best match with its most votes, strongest entries first."""
    key = decision.key
    best = {signal.key: signal for signal in signals}
    before = best.get(key, decision)
    nearer = decision if decision.weakness <= before.weakness else before
    longer = decision if decision.votes >= before.votes else before
    best[key] = replace(nearer, votes=longer.votes, aligned=longer.aligned)
    ranked = sorted(best.values(), key=lambda s: (-s.votes, s.weakness))
    return tuple(ranked[:MAX_SIGNALS])


def _courses(
    before: Segment, signals: tuple[Decision, ...], decision: Decision
) -> tuple[Course, ...]:
    """Give the course of each signal, of one of them longer by a decision."""
    keys = (signal.key for signal in before.signals)
    held = dict(zip(keys, before.courses, strict=True))
    return tuple(
        held.get(decision.key, Course()).and_of(decision.pts_us, decision.weakness)
        if one.key == decision.key
        else held[one.key]
        for one in signals
    )


def _is_peak(signals: tuple[Decision, ...], decision: Decision) -> bool:
    """Say whether a decision is much better than all of its entry before it."""
    before = next((signal for signal in signals if signal.key == decision.key), None)
    if before is None or decision.pts_us <= before.pts_us:
        return False
    margin = PEAK_BITS if isinstance(decision.finding, Match) else PEAK_SCORE
    return before.weakness - decision.weakness >= margin


def _strength(signals: tuple[Decision, ...]) -> tuple[int, int]:
    return len(signals), sum(signal.is_certain for signal in signals)
