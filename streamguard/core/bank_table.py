"""The columns that a bank consists of: entries, and beside them the hashes of each.

Rule: a table never changes once it is given away. The hashes of one entry lie side by side, in the
order of time; a column in which nothing but zeros would stand takes no room.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank_values import Entry, Terms
from streamguard.core.types import HASH_BYTES

_CHUNK = 65_536
"""Names that are cut out of the heap at once: 0.2 us a name, where one alone costs 0.5 us."""

_FIND_SHARE = 100
"""Where more than one entry in so many is looked for, reading all names is less work: a search by
halves takes 25 us in a million names, and reading on 0.25 us a name."""


_ZERO = bytes(8)

Spans = tuple[NDArray[np.intp], NDArray[np.intp]]
"""First places, and how many from there on."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """N hashes of E entries.

    hashes:       (N, 32) uint8, C-contiguous.
    offsets_ms:   (N,) uint32, time of the hash within its entry.
    variants:     (N,) uint8, as in Entry.
    ends:         (E,) uint32, one past the last row of each entry; None where each has one hash.
    name_ends:    (E,) uint32, one past the last byte of each entry's name.
    name_bytes:   (B,) uint8, the names in UTF-8, one after the other.
    durations_ms: (E,) uint32.
    terms_of:     (E,) unsigned, index into `terms`.
    """

    hashes: NDArray[np.uint8]
    offsets_ms: NDArray[np.uint32]
    variants: NDArray[np.uint8]
    ends: NDArray[np.uint32] | None
    name_ends: NDArray[np.uint32]
    name_bytes: NDArray[np.uint8]
    durations_ms: NDArray[np.uint32]
    terms_of: NDArray[np.unsignedinteger[Any]]
    terms: Sequence[Terms]

    @property
    def n_hashes(self) -> int:
        """Count the hashes."""
        return len(self.hashes)

    @property
    def n_entries(self) -> int:
        """Count the entries."""
        return len(self.name_ends)

    def entries_of(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Tell the entries that hashes belong to; both (n,), counted from 0."""
        if self.ends is None:
            return rows
        wanted = rows.astype(np.uint32)  # of another type, all ends would be converted
        return np.searchsorted(self.ends, wanted, side="right")

    def rows_of(self, entry: int) -> slice:
        """Tell where the hashes of one entry lie."""
        if self.ends is None:
            return slice(entry, entry + 1)
        return slice(int(self.ends[entry - 1]) if entry else 0, int(self.ends[entry]))

    def row_spans(self, entries: NDArray[np.intp]) -> Spans:
        """Tell where the hashes of each of many entries begin, and how many there are."""
        if self.ends is None:
            return entries, np.ones(len(entries), np.intp)
        return _spans(self.ends, entries)

    def name_spans(self, entries: NDArray[np.intp]) -> Spans:
        """Tell where the names of many entries begin in the heap, and how long they are."""
        return _spans(self.name_ends, entries)

    def raw_name(self, entry: int) -> bytes:
        """Give the name of one entry as it lies in the heap."""
        start = self.name_ends[entry - 1] if entry else 0
        return self.name_bytes[start : self.name_ends[entry]].tobytes()

    def name_of(self, entry: int) -> str:
        """Give the name of one entry."""
        return self.raw_name(entry).decode(errors="replace")

    def terms_at(self, entry: int) -> Terms:
        """Give the terms of one entry."""
        return self.terms[int(self.terms_of[entry])]

    def raw_names(self) -> Iterator[bytes]:
        """Give all names in their order, as they lie in the heap."""
        start = 0
        for first in range(0, self.n_entries, _CHUNK):
            ends = self.name_ends[first : first + _CHUNK]
            heap, places = self.name_bytes[start : ends[-1]].tobytes(), (ends - start).tolist()
            yield from (heap[a:b] for a, b in zip((0, *places), places, strict=False))
            start = int(ends[-1])

    def find(self, names: Collection[str]) -> dict[str, int]:
        """Find entries by name in a table that is sorted by name; those that are there."""
        wanted = {name.encode(): name for name in names}
        if len(wanted) > self.n_entries // _FIND_SHARE:
            found = ((row, raw) for row, raw in enumerate(self.raw_names()) if raw in wanted)
            return {wanted[raw]: row for row, raw in found}
        rows = {name: self.place_of(raw) for raw, name in wanted.items()}
        return {
            name: row
            for name, row in rows.items()
            if row < self.n_entries and self.raw_name(row) == name.encode()
        }

    def place_of(self, raw: bytes, start: int = 0) -> int:
        """Tell before which entry a name belongs in a table that is sorted by name."""
        return bisect_left(range(self.n_entries), raw, start, key=self.raw_name)


def _spans(ends: NDArray[np.uint32], entries: NDArray[np.intp]) -> Spans:
    starts = np.where(entries, ends[entries - 1], 0).astype(np.intp)
    return starts, ends[entries].astype(np.intp) - starts


def zeros(n: int, dtype: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    """Give a read-only column of zeros that takes no room."""
    return np.ndarray(n, dtype, _ZERO, strides=(0,))


def table_of(entries: Sequence[Entry]) -> Table:
    """Put entries into a table, in their order; times are rounded down to milliseconds."""
    numbers = {terms: row for row, terms in enumerate(dict.fromkeys(e.terms for e in entries))}
    orders = [np.argsort(entry.offsets_us, kind="stable") for entry in entries]
    hashes = [entry.hashes[order] for entry, order in zip(entries, orders, strict=True)]
    offsets = [entry.offsets_us[order] for entry, order in zip(entries, orders, strict=True)]
    variants = [entry.variants[order] for entry, order in zip(entries, orders, strict=True)]
    names = [entry.name.encode() for entry in entries]
    durations_us = np.array([entry.duration_us for entry in entries], np.int64)
    return compact_table(
        Table(
            hashes=np.concatenate([np.empty((0, HASH_BYTES), np.uint8), *hashes]),
            offsets_ms=(np.concatenate([np.empty(0, np.int64), *offsets]) // 1000).astype("u4"),
            variants=np.concatenate([np.empty(0, np.uint8), *variants]),
            ends=np.cumsum([len(entry.hashes) for entry in entries]).astype(np.uint32),
            name_ends=np.cumsum([len(name) for name in names]).astype(np.uint32),
            name_bytes=np.frombuffer(b"".join(names), np.uint8),
            durations_ms=(durations_us // 1000).astype(np.uint32),
            terms_of=np.array([numbers[entry.terms] for entry in entries], np.uint32),
            terms=tuple(numbers),
        )
    )


def compact_table(table: Table) -> Table:
    """Give the same table without the columns that say nothing, and without unused terms."""
    is_used = np.bincount(table.terms_of, minlength=len(table.terms)) > 0
    numbers = (np.cumsum(is_used) - 1).astype(np.min_scalar_type(int(is_used.sum())))
    ends = table.ends
    if ends is not None and table.n_hashes == table.n_entries:
        ends = None  # no entry is without a hash
    return replace(
        table,
        offsets_ms=_or_zeros(table.offsets_ms),
        variants=_or_zeros(table.variants),
        ends=ends,
        durations_ms=_or_zeros(table.durations_ms),
        terms_of=_or_zeros(numbers[table.terms_of]) if len(numbers) else zeros(0, np.uint8),
        terms=tuple(table.terms[row] for row in np.flatnonzero(is_used).tolist()),
    )


def _or_zeros(column: NDArray[Any]) -> NDArray[Any]:
    return column if np.any(column) else zeros(len(column), column.dtype.type)
