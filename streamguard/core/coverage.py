"""Accounts for every media second of a session: screened, or in a gap with a reason.

Rule: a media second is screened iff a verdict lies within 2.5 s of it; every other second that the
publisher sent lies in exactly one gap. Not screened is not clean.
"""

from collections import Counter, deque
from dataclasses import dataclass

from streamguard.core.types import GapReason

REACH_US = 2_500_000
"""How far a verdict reaches to both sides, microseconds."""

MAX_PIECE_US = 10_000_000
"""A gap that goes on is published in pieces of this length, so that it is known while it lasts."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of one epoch, [start_us, end_us), that was not screened."""

    epoch: int
    start_us: int
    end_us: int
    reason: GapReason


class LossLedger:
    """Remembers which samples were lost, and why; any thread may write, one reads."""

    def __init__(self, upstream: "LossLedger | None" = None) -> None:
        """upstream: what was lost before it could come here; asked where nothing was lost here."""
        self._losses: deque[tuple[int, int, GapReason]] = deque(maxlen=1024)
        self._upstream = upstream

    def note(self, epoch: int, pts_us: int, reason: GapReason) -> None:
        """Record that what lay at this time could not be screened."""
        self._losses.append((epoch, pts_us, reason))

    def reason_within(self, epoch: int, start_us: int, end_us: int) -> GapReason:
        """Give the commonest reason near a gap; without any loss keyframes were simply too rare."""
        reasons = Counter(
            reason
            for at_epoch, pts_us, reason in tuple(self._losses)
            if at_epoch == epoch and start_us - REACH_US <= pts_us <= end_us + REACH_US
        )
        if reasons:
            return reasons.most_common(1)[0][0]
        if self._upstream is not None:
            return self._upstream.reason_within(epoch, start_us, end_us)
        return GapReason.LONG_GOP


class Coverage:
    """The account of one session; feed it verdicts in order of time within an epoch."""

    def __init__(self, losses: LossLedger) -> None:
        self._losses = losses
        self._epoch: int | None = None
        self._accounted_us = 0  # everything before it is screened or in a published gap
        self.screened_us = 0
        self.gap_us = 0

    @property
    def accounted_us(self) -> int:
        """Media time before which all is screened, or in a published gap."""
        return self._accounted_us

    def screened_until(self, newest_us: int) -> int:
        """Give the media time screened so far, of what has come: a verdict reaches beyond that."""
        is_going_on = self._epoch is not None  # what has ended was taken back
        return self.screened_us - max(0, self._accounted_us - newest_us) * is_going_on

    def begin(self, epoch: int, first_us: int) -> None:
        """Begin the account of an epoch at its first packet."""
        self._epoch = epoch
        self._accounted_us = first_us

    def verdict(self, epoch: int, pts_us: int) -> list[Gap]:
        """Take note that a sample was judged; return the gap before its reach, if any."""
        if epoch != self._epoch:
            return []
        gaps = self._gap_until(pts_us - REACH_US)
        self._screen_until(pts_us + REACH_US)
        return gaps

    def advance(self, epoch: int, horizon_us: int) -> list[Gap]:
        """No verdict before `horizon_us` will come any more; publish a gap that goes on."""
        if epoch != self._epoch or horizon_us - REACH_US - self._accounted_us < MAX_PIECE_US:
            return []
        return self._gap_until(horizon_us - REACH_US)

    def end(self, epoch: int, last_us: int, reason: GapReason | None = None) -> list[Gap]:
        """Close the account of an epoch at its last packet; what is left over is a gap."""
        if epoch != self._epoch:
            return []
        self.screened_us -= max(0, self._accounted_us - last_us)
        gaps = self._gap_until(last_us, reason)
        self._epoch = None
        return gaps

    def _gap_until(self, end_us: int, reason: GapReason | None = None) -> list[Gap]:
        assert self._epoch is not None  # noqa: S101  # callers compared the epoch
        start_us = self._accounted_us
        if end_us <= start_us:
            return []
        self.gap_us += end_us - start_us
        self._accounted_us = end_us
        why = reason or self._losses.reason_within(self._epoch, start_us, end_us)
        return [Gap(self._epoch, start_us, end_us, why)]

    def _screen_until(self, end_us: int) -> None:
        self.screened_us += max(0, end_us - self._accounted_us)
        self._accounted_us = max(self._accounted_us, end_us)
