"""Applies commits to a bank one after another, and gives a snapshot whenever one is wanted.

Rule: what a snapshot was given is never written to again. The tail grows in arrays that hold more
rows than they show, so an addition costs what it adds, not what is there.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank import Bank, Base
from streamguard.core.bank_edit import Commit, Edit, fitted
from streamguard.core.bank_fold import folded
from streamguard.core.bank_table import Table, table_of
from streamguard.core.bank_values import BankSettings, Entry, Memory, Terms
from streamguard.core.index import build_index
from streamguard.core.types import HASH_BYTES

_FIRST_ROWS = 64
"""Rows that a column has room for at first; it doubles when it is full."""


class _Column:
    """An array that grows at its end."""

    def __init__(self, dtype: type[np.generic], *width: int) -> None:
        self._rows = np.empty((_FIRST_ROWS, *width), dtype)
        self._n = 0

    def extend(self, rows: NDArray[Any]) -> None:
        """Put rows at the end."""
        n = self._n + len(rows)
        if n > len(self._rows):
            old, room = self._rows, max(n, 2 * len(self._rows))
            self._rows = np.empty((room, *old.shape[1:]), old.dtype)
            self._rows[: self._n] = old[: self._n]
        self._rows[self._n : n] = rows
        self._n = n

    def view(self) -> NDArray[Any]:
        """Give the rows that are there now, read-only."""
        rows = self._rows[: self._n]
        rows.flags.writeable = False
        return rows

    def __len__(self) -> int:
        return self._n

    def last(self) -> int:
        """Give the last row, 0 where there is none."""
        return int(self._rows[self._n - 1]) if self._n else 0


class _Tail:
    """A table that grows at its end."""

    def __init__(self) -> None:
        self._hashes = _Column(np.uint8, HASH_BYTES)
        self._offsets_ms = _Column(np.uint32)
        self._variants = _Column(np.uint8)
        self._ends = _Column(np.uint32)
        self._name_ends = _Column(np.uint32)
        self._name_bytes = _Column(np.uint8)
        self._durations_ms = _Column(np.uint32)
        self._terms_of = _Column(np.uint32)
        self._came = _Column(np.int64)
        self._terms: dict[Terms, int] = {}
        self._all_terms: list[Terms] = []

    def __len__(self) -> int:
        return len(self._came)

    def extend(self, table: Table, revision: int) -> None:
        """Put the entries of a table at the end."""
        ends = np.arange(1, table.n_entries + 1) if table.ends is None else table.ends
        self._ends.extend(ends + np.uint32(self._ends.last()))
        self._name_ends.extend(table.name_ends + np.uint32(self._name_ends.last()))
        self._hashes.extend(table.hashes)
        self._offsets_ms.extend(table.offsets_ms)
        self._variants.extend(table.variants)
        self._name_bytes.extend(table.name_bytes)
        self._durations_ms.extend(table.durations_ms)
        numbers = np.array([self._number_of(terms) for terms in table.terms], np.uint32)
        self._terms_of.extend(numbers[table.terms_of])
        self._came.extend(np.full(table.n_entries, revision, np.int64))

    def view(self) -> tuple[Table, NDArray[np.int64]]:
        """Give the entries that are there now, and the revision at which each came."""
        table = Table(
            hashes=self._hashes.view(),
            offsets_ms=self._offsets_ms.view(),
            variants=self._variants.view(),
            ends=self._ends.view(),
            name_ends=self._name_ends.view(),
            name_bytes=self._name_bytes.view(),
            durations_ms=self._durations_ms.view(),
            terms_of=self._terms_of.view(),
            terms=self._all_terms,
        )
        return table, self._came.view()

    def terms_of(self, row: int) -> Terms:
        """Tell on what terms an entry came."""
        return self._all_terms[int(self._terms_of.view()[row])]

    def _number_of(self, terms: Terms) -> int:
        if terms not in self._terms:
            self._terms[terms] = len(self._all_terms)
            self._all_terms.append(terms)
        return self._terms[terms]


class BankEditor:
    """The newest state of a bank, from its base on."""

    def __init__(self, name: str, base: Base) -> None:
        memory = base.memory
        self._name = name
        self._base = base
        self._tail = _Tail()
        self._numbers: dict[str, int] = {}
        self._earlier: dict[str, list[int]] = {}
        self._dead: set[int] = set()
        self._quarantined = _quarantined(base.table)
        self._changed: dict[int, Terms] = {}
        self._settings = memory.settings
        self._notes = dict(memory.notes)
        self._removed = dict(memory.removed)
        self._n_hashes = base.table.n_hashes
        self.revision = base.revision

    def apply(self, commit: Commit) -> None:
        """Take over what was committed next; it fits, or it would not have been committed."""
        self._bury([*self._find([*commit.remove, *commit.replaced]).values()])
        self._removed |= dict.fromkeys(commit.remove, commit.revision)
        self._add(commit)
        numbers = self._find(commit.amend)
        for name, number in numbers.items():
            self._change(number, commit.amend[name].applied_to(self._terms_of(number)))
        self._settings = commit.settings or self._settings
        self._notes |= {name: note for name, note in commit.notes.items() if note is not None}
        for name in (name for name, note in commit.notes.items() if note is None):
            self._notes.pop(name, None)
        self.revision = commit.revision

    def snapshot(self) -> Bank:
        """Give the bank as it is now."""
        tail, came = self._tail.view()
        memory = self._base.memory
        return Bank(
            name=self._name,
            revision=self.revision,
            base=self._base,
            tail=tail,
            came=came,
            numbers=self._numbers,
            earlier=self._earlier,
            dead=_ascending(self._dead),
            hidden=_ascending(self._dead | self._quarantined),
            changed=dict(self._changed),
            memory=Memory(
                settings=self._settings,
                notes=dict(self._notes),
                removed=dict(self._removed),
                forgotten=memory.forgotten,
                came=memory.came,
            ),
            n_hashes=self._n_hashes,
        )

    def _add(self, commit: Commit) -> None:
        first = len(self._tail)
        self._tail.extend(commit.add, commit.revision)
        for row, raw in enumerate(commit.add.raw_names(), first):
            name = raw.decode(errors="replace")
            if name in self._numbers:
                self._earlier.setdefault(name, []).append(self._numbers[name])
            self._numbers[name] = row
        n_base = self._base.table.n_entries
        self._quarantined |= {n_base + first + number for number in _quarantined(commit.add)}
        self._n_hashes += commit.add.n_hashes

    def _bury(self, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        self._dead.update(numbers)
        n_base = self._base.table.n_entries
        buried = np.array(numbers, np.intp)
        for table, rows in (
            (self._base.table, buried[buried < n_base]),
            (self._tail.view()[0], buried[buried >= n_base] - n_base),
        ):
            self._n_hashes -= int(table.row_spans(rows)[1].sum())

    def _change(self, number: int, terms: Terms) -> None:
        self._changed[number] = terms
        if terms.quarantine is None:
            self._quarantined.discard(number)
        else:
            self._quarantined.add(number)

    def _terms_of(self, number: int) -> Terms:
        table = self._base.table
        if number in self._changed:
            return self._changed[number]
        if number < table.n_entries:
            return table.terms[int(table.terms_of[number])]
        return self._tail.terms_of(number - table.n_entries)

    def _find(self, names: Collection[str]) -> dict[str, int]:
        """Give the numbers of the entries of these names, of those that there are."""
        n_base = self._base.table.n_entries
        late = {name: n_base + self._numbers[name] for name in names if name in self._numbers}
        numbers = self._base.table.find([name for name in names if name not in late]) | late
        return {name: number for name, number in numbers.items() if number not in self._dead}


def make_bank(name: str, table: Table, settings: BankSettings | None = None) -> Bank:
    """Make a bank in memory of a table that is sorted by name."""
    memory = Memory(settings=settings or BankSettings())
    return BankEditor(name, Base(table, build_index(table.hashes), memory=memory)).snapshot()


def empty_bank(name: str, settings: BankSettings | None = None) -> Bank:
    """Give a bank that holds nothing."""
    return make_bank(name, table_of([]), settings)


def edit_bank(bank: Bank, *, add: Sequence[Entry] = (), remove: Sequence[str] = ()) -> Bank:
    """Give a bank in memory without the entries named in `remove`, and with those in `add`."""
    return edited(bank, Edit(add=add, remove=remove))


def edited(bank: Bank, edit: Edit) -> Bank:
    """Give a bank in memory after an edit.

    Raises:
        BankError: the edit does not fit.
    """
    editor = BankEditor(bank.name, folded(bank))
    editor.apply(fitted(bank, edit))
    return editor.snapshot()


def _quarantined(table: Table) -> set[int]:
    """Find the entries that are set aside."""
    numbers = [number for number, terms in enumerate(table.terms) if terms.quarantine is not None]
    return set(np.flatnonzero(np.isin(table.terms_of, numbers)).tolist()) if numbers else set()


def _ascending(numbers: set[int]) -> NDArray[np.int64]:
    return np.sort(np.fromiter(numbers, np.int64, len(numbers)))
