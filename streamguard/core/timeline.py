"""Turns raw timestamps into one unwrapped timeline per epoch.

Rule: within an epoch decode times never go back; where the stream's own clock breaks, a new epoch
begins, and times of different epochs are never compared.
"""

from dataclasses import dataclass
from fractions import Fraction

MAX_FORWARD_US = 10_000_000
"""A forward step beyond this is a break, not a pause."""

MAX_BACKWARD_US = 1_000_000
"""A backward step up to this is jitter of the muxer and is held; beyond it the timeline breaks."""

MAX_LEAD_US = 2_500_000
"""A picture is shown at most so long after (or before) its decode time: 16 frames held back at
6.4 fps. A PTS farther away is damaged, or made to let all later frames seem old."""

MAX_TIME_US = 1 << 53
"""285 years: some count from 1970. Beyond it times are damage, and neither FFmpeg's 64 bits nor the
numbers of JSON hold what is reckoned with them."""

FALLBACK_STEP_US = 33_333
"""Assumed distance of two packets without timestamps: one frame at 30 fps."""

MPEGTS_WRAP_TICKS = 1 << 33
"""MPEG-TS timestamps are 33 bits at 90 kHz (ISO/IEC 13818-1, 2.4.3.7): they wrap in 26.5 h."""

FLV_WRAP_TICKS = 1 << 32
"""FLV and RTMP timestamps are 32 bits of milliseconds (Adobe FLV 10.1, E.4.1): 49.7 days."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where a packet lies: epoch, presentation and decode time in microseconds."""

    epoch: int
    pts_us: int
    dts_us: int


class Timeline:
    """Unwraps the timestamps of one session; feed it every packet in the order of reading."""

    def __init__(self, epoch: int = 0) -> None:
        """Begin with an epoch; 0 in a new session."""
        self.wrap_ticks: int | None = None
        """Modulus of the container's timestamps; None where they do not wrap."""
        self._epoch = epoch
        self._last_dts_us: int | None = None
        self._step_us = FALLBACK_STEP_US

    @property
    def epoch(self) -> int:
        """The epoch that the next packet falls into unless it breaks the timeline."""
        return self._epoch

    def break_off(self) -> None:
        """Begin a new epoch with the next packet: a reconnect, another codec or picture size."""
        if self._last_dts_us is not None:
            self._epoch += 1
        self._last_dts_us = None

    def place(self, pts: int | None, dts: int | None, time_base: Fraction) -> Stamp:
        """Place one packet; either timestamp, or both, may be missing, or beyond MAX_TIME_US.

        Args:
            pts: raw presentation time in ticks of `time_base`.
            dts: raw decode time in ticks of `time_base`.
            time_base: seconds per tick.

        """
        raw = dts if dts is not None else pts
        raw_us = None if raw is None else _us(raw, time_base)
        if raw is None or raw_us is None or abs(raw_us) > MAX_TIME_US:
            dts_us = 0 if self._last_dts_us is None else self._last_dts_us + self._step_us
            self._last_dts_us = dts_us
            return Stamp(self._epoch, dts_us, dts_us)
        dts_us = self._follow(self._unwrap(raw, raw_us, time_base), raw_us)
        if self._last_dts_us is not None and dts_us > self._last_dts_us:
            # a pause is no measure: what is assumed must not go beyond what jitter may take back
            self._step_us = min(dts_us - self._last_dts_us, MAX_BACKWARD_US)
        self._last_dts_us = dts_us
        lead_us = 0 if pts is None else self._lead_us(pts, raw, time_base)
        return Stamp(self._epoch, dts_us + lead_us, dts_us)

    def _unwrap(self, ticks: int, raw_us: int, time_base: Fraction) -> int:
        """Give the time nearest to the last one that these ticks can mean, microseconds."""
        if self.wrap_ticks is None or self._last_dts_us is None:
            return raw_us
        ahead_us = self._last_dts_us - raw_us
        if abs(ahead_us) <= MAX_FORWARD_US:  # as most are: every clock wraps in hours
            return raw_us
        n_wraps = round(ahead_us / _us(self.wrap_ticks, time_base))
        return _us(ticks + n_wraps * self.wrap_ticks, time_base)

    def _follow(self, now_us: int, anew_us: int) -> int:
        """Hold a small step back; begin an epoch at `anew_us` where the timeline breaks."""
        last_us = self._last_dts_us
        if last_us is None:
            return now_us
        if now_us < last_us - MAX_BACKWARD_US or now_us > last_us + MAX_FORWARD_US:
            self.break_off()
            return anew_us
        return max(now_us, last_us)

    def _lead_us(self, pts: int, dts: int, time_base: Fraction) -> int:
        """Give how long after its decoding a packet is shown; a wrap may lie between the two."""
        ticks = pts - dts
        if self.wrap_ticks and abs(ticks) > self.wrap_ticks // 2:
            ticks += self.wrap_ticks if ticks < 0 else -self.wrap_ticks
        # in one go from ticks: two roundings would move a frame by a microsecond
        lead_us = _us(dts + ticks, time_base) - _us(dts, time_base)
        return lead_us if abs(lead_us) <= MAX_LEAD_US else 0


def _us(ticks: int, time_base: Fraction) -> int:
    # in integers: with Fractions, placing a packet took 8 us instead of 2
    return ticks * time_base.numerator * 1_000_000 // time_base.denominator
