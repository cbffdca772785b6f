"""Judges one session: samples and notes in, events out.

Rule: no I/O and no clock; the caller passes the time, commits the events and makes the evidence.
Every media second ends up screened or in a gap, every flag that opens closes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from streamguard.core.coverage import Coverage, Gap, LossLedger
from streamguard.core.event_data import (
    Evidence,
    GapData,
    StreamEndedData,
    StreamStartedData,
    ceil_ms,
    floor_ms,
    utc_text,
)
from streamguard.core.events import Event, gap_event, stream_ended_event, stream_started_event
from streamguard.core.flags import FlagBook, SessionContext
from streamguard.core.match import Matcher
from streamguard.core.policy import Policy
from streamguard.core.sampling import Sampling
from streamguard.core.segments import SegmentBuilder, SegmentEvent, SegmentOpened
from streamguard.core.types import CloseReason, Codec, GapReason, Sample


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """A flag that opened and wants a clip and a still around its first sample."""

    flag_id: UUID
    epoch: int
    pts_us: int
    opened_at_s: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one sample led to.

    is_judged:    it could be held against the banks.
    is_near_miss: something came close: sample densely for a while.
    """

    events: list[Event]
    requests: list[EvidenceRequest]
    is_judged: bool
    is_near_miss: bool


class Session:
    """One publish of one stream, across reconnects."""

    def __init__(
        self,
        context: SessionContext,
        matcher: Matcher,
        policy: Policy,
        losses: LossLedger,
        mint: Callable[[], UUID],
        *,
        has_evidence: bool,
    ) -> None:
        """Begin the account; `mint` gives fresh flag ids."""
        self._context = context
        self._matcher = matcher
        self._losses = losses
        self._segments = SegmentBuilder(mint)
        self._flags = FlagBook(context, policy, has_evidence=has_evidence)
        self._has_evidence = has_evidence
        self._coverage = Coverage(losses)
        self._epoch = 0
        self._newest_us = 0
        self._anchor = (0, 0.0)  # a media time and the monotonic instant at which it was read
        self._told_s = 0.0  # the monotonic instant up to which this epoch's gaps were told
        self._n_samples = self._n_flags = 0

    @property
    def epoch(self) -> int:
        """The epoch that is being judged."""
        return self._epoch

    @property
    def screened_us(self) -> int:
        """Media time screened so far, microseconds."""
        return self._coverage.screened_us

    def epoch_began(
        self, epoch: int, first_us: int, read_at_s: float, codec: Codec, sampling: Sampling
    ) -> list[Event]:
        """Take note of the first packet of a timeline."""
        self._epoch, self._newest_us = epoch, first_us
        self._anchor, self._told_s = (first_us, read_at_s), read_at_s
        self._coverage.begin(epoch, first_us)
        data = StreamStartedData(
            stream=self._context.ref(epoch),
            codec=codec.name,
            width=codec.width,
            height=codec.height,
            sampling=sampling,
            start_pts_ms=floor_ms(first_us),
            start_time=utc_text(self._context.wall_of(read_at_s)),
        )
        recorded_s = self._context.wall_of(read_at_s)
        return [stream_started_event(self._context.source, data, recorded_s=recorded_s)]

    def sampled(self, sample: Sample, now_s: float) -> Judgement:
        """Judge a sample; samples come in the order of time within an epoch."""
        self._n_samples += 1
        self._newest_us = sample.pts_us
        self._anchor = (sample.pts_us, sample.read_at_s)
        verdict = self._matcher.judge(sample)
        changes = self._segments.sampled(sample.epoch, sample.pts_us, now_s)
        for decision in verdict.decisions:
            changes += self._segments.feed(decision)
        if verdict.is_judged:
            gaps = self._coverage.verdict(sample.epoch, sample.pts_us)
        else:
            self._losses.note(sample.epoch, sample.pts_us, GapReason.LOW_QUALITY)
            gaps = self._coverage.advance(sample.epoch, sample.pts_us)
        opened = [c.segment for c in changes if isinstance(c, SegmentOpened)]
        self._n_flags += len(opened)
        return Judgement(
            events=self._tell(changes, now_s) + self._gaps(gaps, now_s),
            requests=[
                EvidenceRequest(segment.flag_id, segment.epoch, segment.start_us, now_s)
                for segment in opened
                if self._has_evidence
            ],
            is_judged=verdict.is_judged,
            is_near_miss=verdict.is_near_miss,
        )

    def idle(self, horizon_us: int | None, now_s: float) -> list[Event]:
        """Let the clock act while no sample comes.

        horizon_us: media time before which no sample is outstanding; None where that is not known.
        """
        events = self._tell(self._segments.idle(now_s), now_s)
        if horizon_us is not None:
            events += self._gaps(self._coverage.advance(self._epoch, horizon_us), now_s)
        return events

    def epoch_ended(self, epoch: int, last_us: int, why: CloseReason, now_s: float) -> list[Event]:
        """Close what cannot go on beyond a break of the timeline."""
        reason = GapReason.INTERRUPTED if why == "interrupted" else None
        self._newest_us = max(self._newest_us, last_us)
        events = self._tell(self._segments.close(why), now_s)
        return events + self._gaps(self._coverage.end(epoch, last_us, reason), now_s)

    def was_away(self, since_s: float, now_s: float, reason: GapReason) -> list[Event]:
        """Publish the stretch for which there was no connection: the publisher may have gone on."""
        gap = Gap(self._epoch, self._newest_us, self._newest_us, reason)
        return [self._gap_event(gap, since_s, now_s, now_s)]

    def was_cut_short(self, missing_us: int, now_s: float) -> list[Event]:
        """Publish the media that a file promised and does not hold."""
        start_us = self._newest_us
        self._coverage.gap_us += missing_us
        gap = Gap(self._epoch, start_us, start_us + missing_us, GapReason.TRUNCATED)
        return [self._gap_event(gap, now_s, now_s, now_s)]

    def attach(self, request: EvidenceRequest, evidence: Evidence, now_s: float) -> list[Event]:
        """Tell of evidence that was stored, or could not be."""
        return self._flags.attach(request.flag_id, evidence, now_s)

    def ended(self, reason: str, n_packets: int, n_dropped: int, now_s: float) -> list[Event]:
        """Close the account; the last event of the session."""
        data = StreamEndedData(
            stream=self._context.ref(self._epoch),
            reason=reason,
            n_packets=n_packets,
            n_samples=self._n_samples,
            n_flags=self._n_flags,
            screened_ms=self._coverage.screened_us // 1000,
            gap_ms=ceil_ms(self._coverage.gap_us),
            n_dropped=n_dropped,
        )
        wall_s = self._context.wall_of(now_s)
        source = self._context.source
        return [stream_ended_event(source, data, time_s=wall_s, recorded_s=wall_s)]

    def _tell(self, changes: list[SegmentEvent], now_s: float) -> list[Event]:
        return [event for change in changes for event in self._flags.change(change, now_s)]

    def _gaps(self, gaps: list[Gap], now_s: float) -> list[Event]:
        return [self._gap_event(gap, *self._instants_s(gap, now_s), now_s) for gap in gaps]

    def _instants_s(self, gap: Gap, now_s: float) -> tuple[float, float]:
        """Estimate when a gap's media were read, as if they came as fast as they are shown.

        A file and a burst come faster: no gap begins before the epoch, or before an earlier gap.
        """
        at_us, at_s = self._anchor
        start_s = min(at_s + (gap.start_us - at_us) / 1e6, now_s)
        end_s = min(at_s + (gap.end_us - at_us) / 1e6, now_s)
        since_s = max(start_s, self._told_s)
        self._told_s = max(end_s, since_s)
        return since_s, self._told_s

    def _gap_event(self, gap: Gap, start_s: float, end_s: float, now_s: float) -> Event:
        wall_of = self._context.wall_of
        data = GapData(
            stream=self._context.ref(gap.epoch),
            start_pts_ms=floor_ms(gap.start_us),
            end_pts_ms=ceil_ms(gap.end_us),
            start_time=utc_text(wall_of(start_s)),
            end_time=utc_text(wall_of(end_s)),
            reason=gap.reason,
        )
        return gap_event(self._context.source, data, recorded_s=wall_of(now_s))
