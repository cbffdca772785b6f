"""What the supervisor works with.

Rule: values only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from streamguard.core.crew import Trouble
from streamguard.core.measured import Family
from streamguard.core.ports import Clock
from streamguard.runtime.hub_scout import Found
from streamguard.runtime.settler import Settler
from streamguard.runtime.writer import LogWriter


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears what workers say beside their events."""

    hubs: Callable[[Iterable[str], Iterable[Found]], None]
    metrics: Callable[[int, tuple[Family, ...]], None]
    gone: Callable[[int], None]
    lost: Callable[[Trouble], None]
    quarantined: Callable[[Trouble], None]


@dataclass(frozen=True, slots=True)
class SupervisorParts:
    """What the supervisor works with."""

    writer: LogWriter
    settler: Settler
    clock: Clock
    ears: Ears
