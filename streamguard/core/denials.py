"""Who may not publish, and what nobody may watch: the list that an admission hook answers from.

Rule: an entry names a stream by its id, never by its path, and belongs to one case: what is decided
in another one neither shortens nor lifts it. Whoever looks gets an answer at once, from memory.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["publish", "play"]
"""`publish`: nobody may publish it; `play`: nobody who is not watching yet may begin to."""

BY_HAND = "by-hand"
"""What stands in the place of a case where somebody keeps a stream out without one."""

Place = tuple[str, Kind, str]
"""What there is one entry of: stream, kind and case."""


@dataclass(frozen=True, slots=True)
class Denial:
    """One entry; instants are seconds since 1970 UTC.

    case_id:     the case that it belongs to.
    decision_id: the decision that it carries out.
    until_s:     when it ends; None where it stands until somebody restores the stream.
    """

    stream_id: str
    kind: Kind
    case_id: str
    decision_id: str
    since_s: float
    until_s: float | None = None

    @property
    def place(self) -> Place:
        """Say which entry it is."""
        return self.stream_id, self.kind, self.case_id

    def is_over(self, now_s: float) -> bool:
        """Say whether its time has passed."""
        return self.until_s is not None and now_s >= self.until_s


class DenyList:
    """All entries; one thread changes it, any may ask."""

    def __init__(self, denials: Iterable[Denial] = ()) -> None:
        self._by_stream: dict[tuple[str, Kind], tuple[Denial, ...]] = {}
        self._by_place: dict[Place, Denial] = {}
        self._ending: dict[Place, Denial] = {}
        for one in denials:
            self.add(one)

    def __iter__(self) -> Iterator[Denial]:
        return iter(list(self._by_place.values()))

    def __len__(self) -> int:
        return len(self._by_place)

    def add(self, denial: Denial) -> None:
        """Put an entry in, instead of the one at its place."""
        key, before = (denial.stream_id, denial.kind), self._by_place.get(denial.place)
        others = tuple(one for one in self._by_stream.get(key, ()) if one is not before)
        self._by_stream[key] = (*others, denial)  # at once: there is no moment without an entry
        self._by_place[denial.place] = denial
        self._ending.pop(denial.place, None)
        if denial.until_s is not None:
            self._ending[denial.place] = denial

    def remove(self, place: Place) -> None:
        """Take an entry out, if it is there."""
        gone = self._by_place.pop(place, None)
        self._ending.pop(place, None)
        if gone is None:
            return
        key = (gone.stream_id, gone.kind)
        left = tuple(one for one in self._by_stream[key] if one is not gone)
        if left:
            self._by_stream[key] = left
        else:
            del self._by_stream[key]

    def at(self, place: Place) -> Denial | None:
        """Give the entry at a place, whether its time has passed or not."""
        return self._by_place.get(place)

    def find(self, stream_id: str, kind: Kind, now_s: float) -> Denial | None:
        """Give the entry by which this is denied now, the one that stands longest; None if none."""
        found = [
            one for one in self._by_stream.get((stream_id, kind), ()) if not one.is_over(now_s)
        ]
        return max(found, key=_end_s, default=None)

    def over(self, now_s: float) -> list[Denial]:
        """Give the entries whose time has passed."""
        return [one for one in self._ending.values() if one.is_over(now_s)]


def _end_s(one: Denial) -> float:
    return math.inf if one.until_s is None else one.until_s
