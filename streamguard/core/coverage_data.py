"""What an event says of a stream: that its screening began and ended, and what was not screened.

Rule: as for `event_data`: bounded texts, integer milliseconds, no URL, key or hash.
"""

from typing import Annotated

from pydantic import Field

from streamguard.core.event_data import Span, StreamRef, utc_seconds
from streamguard.core.event_values import Count, Name, PtsMs, UtcTime, Value, Word
from streamguard.core.sampling import Sampling
from streamguard.core.types import Detector, GapReason

MAX_BANKS = 64
"""Banks that one stream is held against."""


class GapData(Span):
    """A stretch that a detector did not screen: it is not clean."""

    stream: StreamRef
    detector: Detector = "hash"
    """Which detector did not see it."""
    reason: GapReason
    """Why it was not screened."""

    @property
    def length_s(self) -> float:
        """Give the media time of the gap; without a connection none passes, then the clock's."""
        media_s = (self.end_pts_ms - self.start_pts_ms) / 1000
        return media_s or utc_seconds(self.end_time) - utc_seconds(self.start_time)


class StreamStartedData(Value):
    """Screening of a stream began."""

    stream: StreamRef
    codec: Word
    """FFmpeg's name of the video codec."""
    width: Annotated[int, Field(ge=0, le=65_535)]
    """Picture width, pixels; 0 where it is not known yet."""
    height: Annotated[int, Field(ge=0, le=65_535)]
    """Picture height, pixels; 0 where it is not known yet."""
    sampling: Sampling
    """How much of the stream is decoded."""
    start_pts_ms: PtsMs
    """First media time of the epoch, milliseconds."""
    start_time: UtcTime
    """Instant at which its first packet was read."""
    banks: Annotated[tuple[Name, ...], Field(max_length=MAX_BANKS)] = ()
    """Names of the banks that it is held against."""
    policy_version: Name = "default"
    """Edition of the policy that says what counts."""


class StreamExcludedData(Value):
    """A stream is on record as one that is not screened, by the operator's decision."""

    stream_id: Name
    """Catalogue id of the livestream; never its URL or its key."""
    reason: Name
    """Why, in the operator's words."""


class StreamEndedData(Value):
    """Screening of a stream ended: the account of the session."""

    stream: StreamRef
    reason: Word
    """Why it ended."""
    n_packets: Count
    """Video packets that came; of a file also those between keyframes that nobody had to read."""
    n_samples: Count
    """Frames screened."""
    n_flags: Count
    """Flags opened."""
    screened_ms: Count
    """Media time screened, milliseconds."""
    gap_ms: Count
    """Media time in gaps, milliseconds."""
    n_dropped: Count
    """Samples dropped under overload."""
