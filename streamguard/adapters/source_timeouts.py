"""How long to wait for a stream, and how much of it to take.

Rule: every way for a stream to come in keeps to the same bounds.
"""

from dataclasses import dataclass, field

from streamguard.core.limits import Limits

OPEN_TIMEOUT_S = 5.0
"""FFmpeg arms it twice, for the connection and for the first packets: the worst case is 10 s."""

READ_TIMEOUT_S = 10.0
"""A stream without a video packet for so long has stopped sending."""


@dataclass(frozen=True, slots=True)
class SourceTimeouts:
    """How long to wait, seconds, for a stream to open and for its next video packet.

    limits: how much is taken of it.
    """

    open_s: float = OPEN_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S
    limits: Limits = field(default_factory=Limits)
