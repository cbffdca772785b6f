"""The bank: immutable snapshots of curated hashes, and the entries they belong to.

Rule: a snapshot never changes. An edit gives a new one, and a query keeps the one it started with.
A snapshot is a base, which is sorted and indexed, and a tail of what came later, which is scanned;
what was removed since stays in both and is passed over. Entries are numbered through: those of the
base, then those of the tail.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank_answers import answering
from streamguard.core.bank_table import Table
from streamguard.core.bank_values import (
    EMPTY_STRETCH,
    MAX_OFFSET_US,
    BankSettings,
    EntryFacts,
    Memory,
    Stretch,
    Terms,
)
from streamguard.core.index import Index, LinearIndex
from streamguard.core.types import NEAR_DISTANCE_BITS, Limits, Match, Region

MAX_NEAR = 4_096
"""Most hashes that one query weighs, the nearest; without it a bank of look-alikes costs 20 ms."""


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A bank as it was when it was last put in order.

    table: sorted by the bytes of the names.
    index: of the table's hashes.
    """

    table: Table
    index: Index
    revision: int = 0
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """A snapshot of one bank, in memory or mapped from its files; read-only.

    revision: grows with each committed edit.
    tail:     entries that came after the base, in the order in which they came.
    came:     (tail entries,) int64, the revision at which each came, ascending.
    numbers:  where in the tail a name stands last; it may know later entries than `tail` has.
    earlier:  where in the tail a name stood before that, ascending; of few names.
    dead:     (n,) int64, numbers of the entries that were removed, ascending.
    hidden:   (n,) int64, those, and the numbers of the quarantined ones, ascending.
    changed:  entries whose terms are other than their table says, by number.
    n_hashes: of all entries that are not dead.
    """

    name: str
    revision: int
    base: Base
    tail: Table
    came: NDArray[np.int64]
    numbers: Mapping[str, int]
    earlier: Mapping[str, list[int]]
    dead: NDArray[np.int64]
    hidden: NDArray[np.int64]
    changed: Mapping[int, Terms]
    memory: Memory
    n_hashes: int

    @property
    def settings(self) -> BankSettings:
        """Tell what holds for all entries."""
        return self.memory.settings

    @property
    def n_entries(self) -> int:
        """Count the entries, the quarantined ones too."""
        return self.base.table.n_entries + self.tail.n_entries - len(self.dead)

    def query(self, pdq: NDArray[np.uint8], region: Region) -> list[Match]:
        """Find what is near one hash, nearest first.

        Of the 4,096 nearest hashes, those of one entry within the same 250 ms answer as one, by the
        nearest of them. Of these at most 256 are given, the best of every entry before the second
        best of any.

        Args:
            pdq: (32,) uint8, the hash of one view.
            region: what part of the picture the view covers; it is passed on into the matches.
        """
        table = self.base.table
        most = None if len(self.hidden) else MAX_NEAR  # what is hidden must crowd nothing out
        near = _rows_near(table, self.base.index, pdq, most)
        if self.tail.n_hashes:
            late = _rows_near(self.tail, LinearIndex(self.tail.hashes), pdq, most)
            late[0] += table.n_entries
            near = [np.concatenate(columns) for columns in zip(near, late, strict=True)]
        if len(self.hidden):
            is_seen = ~_is_among(self.hidden, near[0])
            near = [column[is_seen] for column in near]
        if len(near[0]) > MAX_NEAR:
            nearest = _nearest(near[-1], MAX_NEAR)
            near = [column[nearest] for column in near]
        if not len(near[0]):
            return []
        chosen = answering(near[0], near[1], near[-1])
        return self._matches([column[chosen].tolist() for column in near], region)

    def _matches(self, near: list[list[int]], region: Region) -> list[Match]:
        settings = self.memory.settings
        known: dict[int, tuple[str, Terms, Limits]] = {}
        joined: dict[int, Limits] = {}  # by the identity of the terms, which many entries share
        matches = []
        for number, offset_ms, variant, bits in zip(*near, strict=True):
            if number not in known:
                table, row = self.place_of(number)
                terms = self.changed.get(number) or table.terms_at(row)
                limits = joined.get(id(terms))
                if limits is None:
                    limits = joined[id(terms)] = settings.limits.and_those_of(terms.limits)
                known[number] = table.name_of(row), terms, limits
            name, terms, limits = known[number]
            found = Match(
                *(self.name, name, terms.policy, region, bits, offset_ms * 1000),
                is_still=terms.kind == "image",
                variant=variant,
                limits=limits,
                role=settings.role,
            )
            matches.append(found)
        return matches

    def near(self, entry: str, at_us: int, within_us: int) -> Stretch:
        """Give the hashes of an entry whose times lie within so much of one, both ends included.

        Nothing is near in an entry that is not there, or is quarantined.
        """
        number = self.find([entry]).get(entry)
        if number is None or _is_among(self.hidden, np.array([number]))[0]:
            return EMPTY_STRETCH
        return self._stretch(number, at_us - within_us, at_us + within_us)

    def entry_of(self, name: str) -> EntryFacts | None:
        """Tell of the entry of this name; None where there is none."""
        number = self.find([name]).get(name)
        return None if number is None else self._facts_of(number)

    def hashes_of(self, name: str) -> Stretch:
        """Give all hashes of an entry, of a quarantined one too; none where it is not there."""
        number = self.find([name]).get(name)
        return EMPTY_STRETCH if number is None else self._stretch(number)

    def names(self) -> Iterator[str]:
        """Give the names of all entries, those of the quarantined ones too."""
        dead = set(self.dead.tolist())
        for number, raw in enumerate(chain(self.base.table.raw_names(), self.tail.raw_names())):
            if number not in dead:
                yield raw.decode(errors="replace")

    def quarantined(self) -> Iterator[tuple[str, EntryFacts]]:
        """Give the entries that are set aside, and match nothing."""
        for number in self.hidden[~_is_among(self.dead, self.hidden)].tolist():
            yield self._name_of(number), self._facts_of(number)

    def facts(self) -> Iterator[tuple[str, EntryFacts]]:
        """Tell of all entries, the quarantined ones too."""
        for number in self._numbers():
            yield self._name_of(number), self._facts_of(number)

    def entries(self) -> Iterator[tuple[str, EntryFacts, Stretch]]:
        """Give all entries with their hashes, the quarantined ones too."""
        for number in self._numbers():
            yield self._name_of(number), self._facts_of(number), self._stretch(number)

    def _numbers(self) -> Iterator[int]:
        dead = set(self.dead.tolist())
        n_entries = self.base.table.n_entries + self.tail.n_entries
        return (number for number in range(n_entries) if number not in dead)

    def added_since(self, revision: int) -> tuple[str, ...]:
        """Name the entries that came after a revision and are still there, in their order.

        Of very many that came before the base was made, the last 32,768 are named.
        """
        return tuple(self.came_since(revision))

    def came_since(self, revision: int) -> dict[str, int]:
        """Tell at which revision each entry of `added_since` came."""
        table = self.base.table
        since = {name: at for name, at in self.base.memory.came.items() if at > revision}
        rows = table.find(since)
        came = {rows[name]: at for name, at in since.items()}
        first = int(np.searchsorted(self.came, revision, side="right"))
        came |= enumerate(self.came[first:].tolist(), table.n_entries + first)
        return {self._name_of(number): came[number] for number in self._alive([*came])}

    def _alive(self, numbers: Sequence[int]) -> list[int]:
        """Leave out the entries that were removed."""
        given = np.array(numbers, np.int64)
        alive: list[int] = given[~_is_among(self.dead, given)].tolist()
        return alive

    def find(self, names: Collection[str]) -> dict[str, int]:
        """Give the numbers of the entries of these names, of those that there are."""
        numbers: dict[str, int] = {}
        for name in names:
            rows = (self.numbers.get(name, -1), *self.earlier.get(name, ())[::-1])
            row = next((row for row in rows if 0 <= row < self.tail.n_entries), None)
            if row is not None:
                numbers[name] = self.base.table.n_entries + row
        numbers |= self.base.table.find([name for name in names if name not in numbers])
        alive = set(self._alive([*numbers.values()]))
        return {name: number for name, number in numbers.items() if number in alive}

    def place_of(self, number: int) -> tuple[Table, int]:
        """Tell in which table an entry stands, and where."""
        n_base = self.base.table.n_entries
        return (self.base.table, number) if number < n_base else (self.tail, number - n_base)

    def _name_of(self, number: int) -> str:
        table, row = self.place_of(number)
        return table.name_of(row)

    def _terms_of(self, number: int) -> Terms:
        return self.changed.get(number) or self.first_terms_of(number)

    def first_terms_of(self, number: int) -> Terms:
        """Tell on what terms an entry stands in its table, whatever was changed since."""
        table, row = self.place_of(number)
        return table.terms_at(row)

    def _facts_of(self, number: int) -> EntryFacts:
        (table, row), terms = self.place_of(number), self._terms_of(number)
        rows = table.rows_of(row)
        return EntryFacts(
            policy=terms.policy,
            kind=terms.kind,
            duration_us=int(table.durations_ms[row]) * 1000,
            n_hashes=rows.stop - rows.start,
            limits=terms.limits,
            quarantine=terms.quarantine,
        )

    def _stretch(self, number: int, start_us: int = 0, end_us: int = MAX_OFFSET_US) -> Stretch:
        """Give the hashes of an entry from one time to another, both included."""
        table, row = self.place_of(number)
        rows = table.rows_of(row)
        first, end = _within(table.offsets_ms[rows], start_us, end_us)
        found = slice(rows.start + first, rows.start + end)
        offsets_us = table.offsets_ms[found].astype(np.int64) * 1000
        return Stretch(table.hashes[found], offsets_us, table.variants[found])


def _within(offsets_ms: NDArray[np.uint32], start_us: int, end_us: int) -> tuple[int, int]:
    """Find where ascending offsets lie from one time to another, both included."""
    if end_us < 0 or start_us > MAX_OFFSET_US:
        return 0, 0
    start_ms, end_ms = max(0, -(-start_us // 1000)), min(end_us, MAX_OFFSET_US) // 1000
    first = int(np.searchsorted(offsets_ms, np.uint32(start_ms)))
    end = int(np.searchsorted(offsets_ms, np.uint32(end_ms), side="right"))
    return first, max(first, end)


def _rows_near(
    table: Table, index: Index, pdq: NDArray[np.uint8], most: int | None
) -> list[NDArray[Any]]:
    """Give entry, offset in ms, variant and distance of each hash of a table that is near.

    Of more than `most`, the nearest.
    """
    rows, bits = index.query(pdq, NEAR_DISTANCE_BITS)
    if most is not None and len(rows) > most:
        nearest = _nearest(bits, most)
        rows, bits = rows[nearest], bits[nearest]
    return [table.entries_of(rows), table.offsets_ms[rows], table.variants[rows], bits]


def _nearest(bits: NDArray[np.uint16], most: int) -> NDArray[np.intp]:
    """List the rows of the least distances, of more than `most` rows, in their order."""
    # by the values: among 57,000 it takes 0.04 ms; argpartition takes 0.4
    bound = np.partition(bits, most - 1)[most - 1]
    near = np.flatnonzero(bits <= bound)
    ties = np.flatnonzero(bits[near] == bound)
    return np.delete(near, ties[len(ties) - (len(near) - most) :])


def _is_among(ascending: NDArray[np.int64], values: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Say of each value whether it stands in a sorted array."""
    if not len(ascending):
        return np.zeros(len(values), np.bool_)
    places = np.searchsorted(ascending, values)
    return np.asarray(ascending[np.minimum(places, len(ascending) - 1)] == values)
