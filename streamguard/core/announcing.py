"""Writes the events of a session that are not flags: its timelines' begins, its gaps, its end.

Rule: it writes what it is told and keeps no account.
"""

from streamguard.core.account import Account
from streamguard.core.coverage import Gap
from streamguard.core.coverage_data import GapData, StreamEndedData, StreamStartedData
from streamguard.core.event_data import ceil_ms, floor_ms, utc_text
from streamguard.core.events import Event, gap_event, stream_ended_event, stream_started_event
from streamguard.core.flags import SessionContext
from streamguard.core.sampling import Sampling
from streamguard.core.types import Codec, Detector


class Announcer:
    """Tells of one session."""

    def __init__(self, context: SessionContext, policy_version: str) -> None:
        self._context = context
        self._policy_version = policy_version

    def started(
        self, epoch: int, first_us: int, read_at_s: float, codec: Codec, sampling: Sampling
    ) -> Event:
        """Tell of the first packet of a timeline."""
        read_at_wall_s = self._context.wall_of(read_at_s)
        data = StreamStartedData(
            stream=self._context.ref(epoch),
            codec=codec.name,
            width=codec.width,
            height=codec.height,
            sampling=sampling,
            start_pts_ms=floor_ms(first_us),
            start_time=utc_text(read_at_wall_s),
            banks=self._context.banks,
            policy_version=self._policy_version,
        )
        return stream_started_event(self._context.source, data, recorded_s=read_at_wall_s)

    def gap(
        self, detector: Detector, gap: Gap, instants_s: tuple[float, float], now_s: float
    ) -> Event:
        """Tell of a stretch that was not screened; `instants_s` are those of its ends."""
        start_s, end_s = instants_s
        is_timeless = gap.start_us == gap.end_us  # rounding would make a millisecond of it
        wall_of = self._context.wall_of
        data = GapData(
            stream=self._context.ref(gap.epoch),
            detector=detector,
            start_pts_ms=floor_ms(gap.start_us),
            end_pts_ms=floor_ms(gap.end_us) if is_timeless else ceil_ms(gap.end_us),
            start_time=utc_text(wall_of(start_s)),
            end_time=utc_text(wall_of(end_s)),
            reason=gap.reason,
        )
        return gap_event(self._context.source, data, recorded_s=wall_of(now_s))

    def ended(self, account: Account, reason: str, now_s: float) -> Event:
        """Close the account; the last event of the session."""
        data = StreamEndedData(
            stream=self._context.ref(account.epoch),
            reason=reason,
            n_packets=account.n_packets,
            n_samples=account.n_samples,
            n_flags=account.n_flags,
            screened_ms=account.screened_us // 1000,
            gap_ms=ceil_ms(account.gap_us),
            n_dropped=account.n_dropped,
        )
        wall_s = self._context.wall_of(now_s)
        return stream_ended_event(self._context.source, data, time_s=wall_s, recorded_s=wall_s)
