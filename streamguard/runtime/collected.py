"""What there is of the evidence of one flag so far, and what is told of it.

Rule: values only. The four strongest hits have the stills that are told of; a stronger one takes
the place of the weakest.
"""

from dataclasses import dataclass, field

from streamguard.core.event_data import MAX_STILLS, Evidence
from streamguard.core.kept import Kept, Still
from streamguard.core.types import Packet

MOST_STILLS = 3 * MAX_STILLS
"""Stills that are made of one flag: each after the first four is of a stronger hit than one of
those that are told of (our choice; a still is about 200 KB)."""


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """A hit that is to have a still, and the packets that this is made of."""

    strength: float
    at_us: int
    packets: tuple[Packet, ...]


@dataclass(slots=True)
class Collected:
    """What there is of an evidence.

    wishes: stills that are to be made, in the order of their hits.
    making: the one that is being made.
    stills: of the strongest hits, with their strength; the oldest first.
    """

    wishes: list[Wish] = field(default_factory=list)
    making: Wish | None = None
    stills: list[tuple[float, Still]] = field(default_factory=list)
    files: list[Kept] = field(default_factory=list)
    newest: Kept | None = None
    problems: list[str] = field(default_factory=list)
    _n_stills: int = 0

    @property
    def is_something(self) -> bool:
        """Say whether there is anything to look at."""
        return bool(self.stills or self.files)

    def wants_still(self, strength: float) -> bool:
        """Say whether a hit is one of the strongest; a weaker wish makes place for it."""
        wished = [wish.strength for wish in self.wishes]
        known = [*wished, *(strength for strength, _ in self.stills)]
        known += [self.making.strength] if self.making else []
        if len(known) >= MAX_STILLS:
            weakest = min(known)
            if strength <= weakest:
                return False
            if weakest in wished:
                del self.wishes[wished.index(weakest)]
        return self._n_stills + len(self.wishes) + (self.making is not None) < MOST_STILLS

    def add_still(self, strength: float, still: Still) -> None:
        """Take a still; the weakest of too many is told of no more."""
        self._n_stills += 1
        self.stills.append((strength, still))
        self.newest = still.kept
        if len(self.stills) > MAX_STILLS:
            self.stills.remove(min(self.stills, key=lambda each: each[0]))

    def evidence(self, *, is_growing: bool) -> Evidence:
        """Say what there is: the still of the strongest hit, of equal ones the newest, leads."""
        if not self.is_something:
            return Evidence(state="unavailable")
        ranked = sorted(self.stills, key=lambda each: each[0])
        strongest = ranked[-1][1] if ranked else None
        others = [still for _, still in self.stills if still is not strongest]
        return Evidence(
            state="ready",
            clip=self.files[0].parts[0] if self.files else None,
            still=strongest.kept.parts[0] if strongest else None,
            blurhash=strongest.blurhash if strongest else None,
            other_stills=tuple(still.kept.parts[0] for still in others) or None,
            n_clip_files=len(self.files) or None,
            is_growing=is_growing or None,
            manifest=self.newest.manifest if self.newest else None,
        )
