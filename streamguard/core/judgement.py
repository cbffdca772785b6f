"""What judging one sample led to.

Rule: values only.
"""

from dataclasses import dataclass
from uuid import UUID

from streamguard.core.decision import Decision
from streamguard.core.events import Event


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """A flag that opened and wants a clip and a still around its first sample."""

    flag_id: UUID
    epoch: int
    pts_us: int
    opened_at_s: float


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
