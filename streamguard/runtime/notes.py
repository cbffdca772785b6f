"""What the reading side of a stream tells the judging side, in order among the samples.

Rule: values only.
"""

from collections.abc import Callable
from dataclasses import dataclass

from streamguard.core.model import Scores
from streamguard.core.types import CloseReason, Codec, GapReason, Sample


@dataclass(frozen=True, slots=True)
class SourceOpened:
    """The connection stands; packets follow."""

    codec: Codec


@dataclass(frozen=True, slots=True)
class EpochBegan:
    """The first packet of an unbroken timeline was read.

    read_at_s: Clock.monotonic() of that packet, seconds.
    """

    epoch: int
    first_us: int
    read_at_s: float


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """The last packet of a timeline was read; every sample of it came before this note.

    is_last: the source ends with it, too.
    """

    epoch: int
    last_us: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """The source is closed: at a normal end (None), by a StreamguardError, or by a bug.

    The last note of a connection.
    """

    error: Exception | None
    n_packets: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended.

    error:        what ended it; None at the end of the stream or at a stop.
    read_until_s: Clock.monotonic() when its last packet was read; None where none came.
    """

    error: Exception | None
    n_packets: int
    read_until_s: float | None


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Every sample before this note has been judged; `tell` lets the reader go on. Any thread."""

    tell: Callable[[], None]


@dataclass(frozen=True, slots=True)
class NotScored:
    """The model gave no scores for a sample."""

    epoch: int
    pts_us: int
    reason: GapReason


@dataclass(frozen=True, slots=True)
class ScoringEnded:
    """All questions about a timeline that has ended are answered; `last_us` as in EpochEnded."""

    epoch: int
    last_us: int
    is_last: bool


Answer = Scores | NotScored
Told = SourceOpened | EpochBegan | EpochEnded | SourceEnded | Answer | ScoringEnded
Note = Told | CaughtUp
Judged = Sample | Told
Item = Sample | Note


def close_reason(*, is_last: bool, is_stopping: bool) -> CloseReason:
    """Say why the segments of a timeline close that has ended."""
    if is_stopping:
        return "interrupted"
    return "stream_ended" if is_last else "epoch_ended"
