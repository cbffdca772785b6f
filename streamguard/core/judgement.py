"""What judging one sample led to.

Rule: values only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from streamguard.core.decision import Decision
from streamguard.core.events import Event
from streamguard.core.segments import (
    Segment,
    SegmentEvent,
    SegmentOpened,
    SegmentPeaked,
    SegmentStrengthened,
)


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """A flag that opened and wants a clip and a still, or a stronger hit of it that wants a still.

    pts_us:   media time of the sample.
    strength: of the hit, as Decision ranks it.
    is_first: the flag opened by it.
    """

    flag_id: UUID
    epoch: int
    pts_us: int
    strength: float = 0.0
    is_first: bool = True


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one sample led to.

    is_judged:    it could be held against the banks, or scored.
    is_near_miss: something came close: sample densely for a while.
    decisions:    what was found on it, flags all of them.
    shadows:      entries in shadow that began to match; to be logged and counted.
    n_vetoes:     views that a negative bank silenced.
    """

    events: list[Event]
    requests: list[EvidenceRequest]
    is_judged: bool
    is_near_miss: bool = False
    decisions: tuple[Decision, ...] = ()
    shadows: tuple[Decision, ...] = ()
    n_vetoes: int = 0


def requests_of(events: Iterable[SegmentEvent]) -> Iterator[EvidenceRequest]:
    """Give what flags that opened want, and hits that are stronger than those before them."""
    for event in events:
        segment = event.segment
        match event:
            case SegmentOpened():
                yield first_request(segment, segment.start_us)
            case SegmentStrengthened(_, hit) | SegmentPeaked(_, hit):
                yield EvidenceRequest(
                    segment.flag_id, segment.epoch, hit.pts_us, hit.strength, is_first=False
                )
            case _:
                pass


def first_request(segment: Segment, at_us: int) -> EvidenceRequest:
    """Give what a flag wants when it opens, with a still of a media time."""
    strength = max(signal.strength for signal in segment.signals)
    return EvidenceRequest(segment.flag_id, segment.epoch, at_us, strength)
