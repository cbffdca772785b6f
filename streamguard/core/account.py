"""How far the account of a session has come, so that another process can go on with it.

Rule: all that came before `accounted_s` was screened or lies in a published gap; what came after it
is nobody's yet. It is written in one transaction with the events that it follows from.
"""

from dataclasses import dataclass

from streamguard.core.location import Protocol
from streamguard.core.types import Detector


@dataclass(frozen=True, slots=True)
class Account:
    """One session, as far as it was accounted for.

    session_key:   what tells one publish of the stream from the next, by discovery; "" where only
        our own connection tells.
    detectors:     who judges it.
    epoch:         the newest timeline.
    newest_us:     media time of its newest packet, microseconds.
    accounted_s:   Clock.monotonic() up to which it is accounted for, seconds.
    accounted_wall_s: the same instant, seconds since 1970 UTC: what a reboot leaves of it.
    screened_us, gap_us: media time screened, and in gaps, microseconds.
    """

    stream_id: str
    session_id: str
    session_key: str
    protocol: Protocol
    detectors: tuple[Detector, ...]
    epoch: int
    newest_us: int
    accounted_s: float
    accounted_wall_s: float
    n_packets: int = 0
    n_samples: int = 0
    n_flags: int = 0
    n_dropped: int = 0
    screened_us: int = 0
    gap_us: int = 0
