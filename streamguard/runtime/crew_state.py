"""What the supervisor works with, and what it knows.

Rule: values only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from streamguard.core.account import Account
from streamguard.core.crew import Trouble
from streamguard.core.measured import Family
from streamguard.core.ports import Clock
from streamguard.runtime.hub_scout import Found
from streamguard.runtime.member import Member
from streamguard.runtime.settler import Settler
from streamguard.runtime.stop import StopReason
from streamguard.runtime.writer import LogWriter


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears what workers say beside their events."""

    hubs: Callable[[Iterable[str], Iterable[Found]], None]
    metrics: Callable[[int, tuple[Family, ...]], None]
    gone: Callable[[int], None]
    lost: Callable[[Trouble], None]


@dataclass(slots=True)
class Orphan:
    """A session without a worker; `until_s` is when it ends if nobody wants it."""

    account: Account
    until_s: float


@dataclass(slots=True)
class CrewState:
    """What the supervisor knows of its streams.

    accounts:  by stream, the last of what workers hold.
    settling:  streams between the death of a worker and its settling.
    releasing: streams that a worker was asked to let go, and why.
    """

    members: dict[int, Member] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    orphans: dict[str, Orphan] = field(default_factory=dict)
    settling: set[str] = field(default_factory=set)
    releasing: dict[str, StopReason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SupervisorParts:
    """What the supervisor works with."""

    writer: LogWriter
    settler: Settler
    clock: Clock
    ears: Ears
