"""One detector's view of a session: its open segments, and its account of media seconds.

Rule: detectors do not wait for each other, so each has a watermark, segments and gaps of its own.
"""

from collections.abc import Callable, Iterable
from uuid import UUID

from streamguard.core.coverage import Coverage, Gap, LossLedger
from streamguard.core.decision import Decision
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

    def judged(
        self, epoch: int, pts_us: int, decisions: Iterable[Decision], now_s: float
    ) -> Changes:
        """Take the verdict on a sample: its positive decisions, or none."""
        changes = self._segments.sampled(epoch, pts_us, now_s)
        for decision in decisions:
            changes += self._segments.feed(decision)
        return changes, self.coverage.verdict(epoch, pts_us)

    def not_judged(self, epoch: int, pts_us: int, reason: GapReason, now_s: float) -> Changes:
        """Take note of a sample on which there is no verdict."""
        self.losses.note(epoch, pts_us, reason)
        changes = self._segments.sampled(epoch, pts_us, now_s)
        return changes, self.coverage.advance(epoch, pts_us)

    def idle(self, epoch: int, horizon_us: int | None, now_s: float) -> Changes:
        """Let the clock act; `horizon_us` as for Coverage.advance, None where it is not known."""
        gaps = [] if horizon_us is None else self.coverage.advance(epoch, horizon_us)
        return self._segments.idle(now_s), gaps

    def epoch_ended(self, epoch: int, last_us: int, why: CloseReason) -> Changes:
        """Close what cannot go on beyond a break of the timeline."""
        reason = GapReason.INTERRUPTED if why == "interrupted" else None
        return self._segments.close(why), self.coverage.end(epoch, last_us, reason)
