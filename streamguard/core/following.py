"""The candidate alignments of one stream: bounded in number, forgotten when they stop agreeing.

Rule: what has spoken outlives what has not, a strong hit outlives near misses, what still agrees
outlives what does not, and the nearer outlives the farther; whatever a stream shows, no more are
kept than the bounds below.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from streamguard.core.alignment import Alignment
from streamguard.core.banks import Banks

Key = tuple[str, str]
"""A bank and the name of an entry in it."""

MEMORY_US = 30_000_000
"""An alignment with which no sample has agreed for so long is forgotten: what covers a video for
longer (an alert, a break) lets it begin anew."""

MAX_OF_ENTRY = 4
"""Alignments kept of one entry: still content is like itself at thousands of offsets."""

MAX_ALIGNMENTS = 32
"""Alignments kept in all. A sample is held against each of them, in about 0.04 ms."""


class Following:
    """The alignments that a stream's samples are held against."""

    def __init__(self) -> None:
        self._by_key: dict[Key, list[Alignment]] = {}

    def clear(self) -> None:
        """Forget all: the timeline broke."""
        self._by_key.clear()

    def of(self, key: Key) -> tuple[Alignment, ...]:
        """Give the alignments with one entry."""
        return tuple(self._by_key.get(key, ()))

    def entries(self) -> tuple[Key, ...]:
        """Name the entries that are followed."""
        return tuple(self._by_key)

    def __len__(self) -> int:
        return sum(map(len, self._by_key.values()))

    def prune(self, pts_us: int) -> None:
        """Forget what no sample has agreed with for too long."""
        self.change(lambda each: each if pts_us - each.seen_us <= MEMORY_US else None)

    def change(self, changed: Callable[[Alignment], Alignment | None]) -> None:
        """Replace every alignment; None takes it out."""
        for key, held in [*self._by_key.items()]:
            self._set(key, [new for each in held if (new := changed(each)) is not None])

    def put(self, key: Key, alignment: Alignment, instead_of: Alignment | None = None) -> None:
        """Keep a new alignment, or one that has grown; the weakest makes room."""
        held = [each for each in self._by_key.get(key, ()) if each is not instead_of]
        self._set(key, [alignment, *_strongest_first(held)[: MAX_OF_ENTRY - 1]])
        while len(self) > MAX_ALIGNMENTS:
            self._drop_weakest(alignment)

    def _set(self, key: Key, held: list[Alignment]) -> None:
        if held:
            self._by_key[key] = held
        else:
            self._by_key.pop(key, None)

    def _drop_weakest(self, newest: Alignment) -> None:
        others = [
            (key, each) for key, held in self._by_key.items() for each in held if each is not newest
        ]
        key, weakest = min(others, key=lambda item: _strength(item[1]))
        self._set(key, [each for each in self._by_key[key] if each is not weakest])


def _strongest_first(held: Iterable[Alignment]) -> list[Alignment]:
    return sorted(held, key=_strength, reverse=True)


def _strength(alignment: Alignment) -> tuple[bool, bool, int, float]:
    recent = [vote.distance_bits for vote in alignment.recent]
    nearness = -sum(recent) / len(recent)
    return alignment.is_open, alignment.n_strong > 0, alignment.seen_us, nearness


def in_force(banks: Banks, alignment: Alignment) -> Alignment | None:
    """Put an alignment on the terms that its entry has now; None where the entry is gone."""
    match = alignment.match
    for bank in banks.banks:
        is_its = bank.name == match.bank and bank.settings.role == "known"
        facts = bank.entry_of(match.entry) if is_its else None
        if facts is not None and not facts.is_quarantined:
            limits = bank.settings.limits.and_those_of(facts.limits)
            return replace(alignment, match=replace(match, limits=limits))
    return None
