"""One detector's view of a session: its open segments, and its account of media seconds.

Rule: detectors do not wait for each other, so each has a watermark, segments and gaps of its own,
and what it tells of a timeline after that has ended is reckoned by that timeline's clock.
"""

from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

from streamguard.core.coverage import Coverage, Gap, LossLedger
from streamguard.core.decision import Decision, Key
from streamguard.core.segments import SegmentBuilder, SegmentEvent
from streamguard.core.types import CloseReason, Detector, GapReason

Changes = tuple[list[SegmentEvent], list[Gap]]
"""What happened to segments, and the gaps that became certain."""


class Track:
    """The segments and the coverage of one detector."""

    def __init__(self, detector: Detector, losses: LossLedger, mint: Callable[[], UUID]) -> None:
        self.detector = detector
        self.losses = losses
        self.coverage = Coverage(losses)
        self._segments = SegmentBuilder(mint)
        self.newest_us = 0
        """Media time of the newest packet that is known of."""
        self.watermark_us: int | None = None
        """Media time up to which verdicts have come, or will not come any more."""
        self._began = (-1, 0)  # the epoch, and its first media time
        self._n_samples = 0  # of the epoch
        self._anchor = (0, 0.0)  # a media time, and the monotonic instant at which it was read
        self._told_s = 0.0  # the instant up to which gaps of this timeline were told

    def begin(self, epoch: int, first_us: int, read_at_s: float) -> None:
        """Begin a timeline at its first packet."""
        self.coverage.begin(epoch, first_us)
        self._began, self._n_samples = (epoch, first_us), 0
        self.newest_us = self.watermark_us = first_us
        self._anchor, self._told_s = (first_us, read_at_s), read_at_s

    def was_read(self, pts_us: int, read_at_s: float) -> None:
        """Take note of when a media time was read."""
        self.newest_us = max(self.newest_us, pts_us)
        self._anchor = (pts_us, read_at_s)

    def accounted_s(self, newest_us: int) -> float:
        """Estimate the instant up to which all that came is accounted for.

        newest_us: media time of the newest packet; a verdict reaches beyond it.
        """
        at_us, at_s = self._anchor
        return at_s + (min(self.coverage.accounted_us, newest_us) - at_us) / 1e6

    def screened_until(self, epoch: int, newest_us: int) -> int:
        """Give the media time screened, of what has come; newest_us: of the newest epoch."""
        return self.coverage.screened_until(
            newest_us if epoch == self._began[0] else self.newest_us
        )

    def instants_s(self, gap: Gap, now_s: float) -> tuple[float, float]:
        """Estimate when a gap's media were read, as if they came as fast as they are shown.

        A file and a burst come faster: no gap begins before the timeline, or before an earlier gap.
        """
        at_us, at_s = self._anchor
        start_s = min(at_s + (gap.start_us - at_us) / 1e6, now_s)
        end_s = min(at_s + (gap.end_us - at_us) / 1e6, now_s)
        since_s = max(start_s, self._told_s)
        self._told_s = max(end_s, since_s)
        return since_s, self._told_s

    def judged(
        self,
        epoch: int,
        pts_us: int,
        decisions: Iterable[Decision],
        now_s: float,
        weaknesses: Mapping[Key, float] | None = None,
    ) -> Changes:
        """Take the verdict on a sample: its positive decisions, or none.

        weaknesses: how weak it was for all that it was asked about, as Decision ranks findings.
        """
        self._n_samples += 1
        self.watermark_us = pts_us
        changes = self._segments.sampled(epoch, pts_us, now_s)
        if weaknesses:
            self._segments.read(pts_us, weaknesses)
        for decision in decisions:
            changes += self._segments.feed(decision)
        return changes, self.coverage.verdict(epoch, pts_us)

    def is_single(self, epoch: int, last_us: int) -> bool:
        """Say whether an epoch that ends at this media time was a single picture, and judged."""
        return self._began == (epoch, last_us) and self._n_samples == 1

    def found(self, decisions: Iterable[Decision]) -> Changes:
        """Take what was found on the sample that was judged last, after its verdict."""
        return [event for decision in decisions for event in self._segments.feed(decision)], []

    def not_judged(
        self,
        epoch: int,
        pts_us: int,
        reason: GapReason,
        now_s: float,
        decisions: Iterable[Decision] = (),
    ) -> Changes:
        """Take note of a sample on which there is no verdict, but maybe a finding."""
        self._n_samples += 1
        self.watermark_us = pts_us
        self.losses.note(epoch, pts_us, reason)
        changes = self._segments.sampled(epoch, pts_us, now_s)
        for decision in decisions:
            changes += self._segments.feed(decision)
        return changes, self.coverage.advance(epoch, pts_us)

    def idle(self, epoch: int, horizon_us: int | None, now_s: float) -> Changes:
        """Let the clock act; `horizon_us` as for Coverage.advance, None where it is not known."""
        gaps = [] if horizon_us is None else self.coverage.advance(epoch, horizon_us)
        return self._segments.idle(now_s), gaps

    def epoch_ended(self, epoch: int, last_us: int, why: CloseReason) -> Changes:
        """Close what cannot go on beyond a break of the timeline."""
        reason = GapReason.INTERRUPTED if why == "interrupted" else None
        return self._segments.close(why), self.coverage.end(epoch, last_us, reason)
