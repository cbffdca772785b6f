"""Puts a bank in order: what came and went since its base was made becomes part of a new base.

Rule: nothing that can be asked of the bank changes by it, its revision neither.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank import Bank, Base
from streamguard.core.bank_table import Spans, Table, compact_table
from streamguard.core.bank_values import Memory, Terms
from streamguard.core.index import build_index

MAX_REMEMBERED = 32_768
"""Newest additions, and newest removals, that a base remembers by name: what a reader may miss
between two looks, and what may happen while one entry is prepared. All of them take 2 MB."""

_CHUNK = 1_000_000
"""Hashes, or entries, that are moved at once: their places take 8 MB a column."""


def folded(bank: Bank) -> Base:
    """Give a base that holds what a snapshot holds."""
    index = bank.base.index
    is_as_it_was = not bank.tail.n_entries and not len(bank.dead)
    if is_as_it_was and not bank.changed:
        return replace(bank.base, revision=bank.revision, memory=_memory(bank))
    table = _merged(bank)
    return Base(
        table=table,
        index=index if is_as_it_was else build_index(table.hashes),
        revision=bank.revision,
        memory=_memory(bank),
    )


def _memory(bank: Bank) -> Memory:
    """Keep the newest of what is remembered."""
    memory = bank.memory
    came = bank.came_since(0)
    removed = sorted(memory.removed.items(), key=lambda item: item[1])
    n_old = max(0, len(removed) - MAX_REMEMBERED)
    return replace(
        memory,
        came=dict(islice(came.items(), max(0, len(came) - MAX_REMEMBERED), None)),
        removed=dict(removed[n_old:]),
        forgotten=removed[n_old - 1][1] if n_old else memory.forgotten,
    )


def _merged(bank: Bank) -> Table:
    """Move the entries that are not dead into one table, sorted by name."""
    tables = bank.base.table, bank.tail
    order = _order(bank)
    is_late = order >= tables[0].n_entries
    places = order - np.where(is_late, tables[0].n_entries, 0)
    rows = _spans(tables, places, is_late, Table.row_spans)
    names = _spans(tables, places, is_late, Table.name_spans)
    all_terms = [*tables[0].terms, *tables[1].terms, *bank.changed.values()]
    terms = {each: number for number, each in enumerate(dict.fromkeys(all_terms))}
    return compact_table(
        Table(
            hashes=_moved((tables[0].hashes, tables[1].hashes), rows, is_late),
            offsets_ms=_moved((tables[0].offsets_ms, tables[1].offsets_ms), rows, is_late),
            variants=_moved((tables[0].variants, tables[1].variants), rows, is_late),
            ends=np.cumsum(rows[1]).astype(np.uint32),
            name_ends=np.cumsum(names[1]).astype(np.uint32),
            name_bytes=_moved((tables[0].name_bytes, tables[1].name_bytes), names, is_late),
            durations_ms=_picked((tables[0].durations_ms, tables[1].durations_ms), places, is_late),
            terms_of=_terms_of(bank, order, terms),
            terms=tuple(terms),
        )
    )


def _order(bank: Bank) -> NDArray[np.intp]:
    """Give the numbers of the entries that are not dead, sorted by name."""
    base, tail = bank.base.table, bank.tail
    n_dead = int(np.searchsorted(bank.dead, base.n_entries))
    kept = np.delete(np.arange(base.n_entries, dtype=np.intp), bank.dead[:n_dead])
    late = np.delete(np.arange(tail.n_entries), bank.dead[n_dead:] - base.n_entries)
    named = sorted((tail.raw_name(row), row) for row in late.tolist())
    places, place = [], 0
    for raw, _ in named:
        place = base.place_of(raw, place)
        places.append(place)
    rows = np.array([row for _, row in named], np.intp)
    return np.insert(kept, np.searchsorted(kept, places), rows + base.n_entries)


def _spans(
    tables: tuple[Table, Table],
    places: NDArray[np.intp],
    is_late: NDArray[np.bool_],
    spans_of: Callable[[Table, NDArray[np.intp]], Spans],
) -> Spans:
    starts, counts = np.empty_like(places), np.empty_like(places)
    for table, chosen in zip(tables, (~is_late, is_late), strict=True):
        starts[chosen], counts[chosen] = spans_of(table, places[chosen])
    return starts, counts


def _moved(
    columns: tuple[NDArray[Any], NDArray[Any]], spans: Spans, is_late: NDArray[np.bool_]
) -> NDArray[Any]:
    """Put spans of the one or the other column side by side."""
    starts, counts = spans
    ends = np.cumsum(counts)
    n_rows = int(ends[-1]) if len(ends) else 0
    moved = np.empty((n_rows, *columns[0].shape[1:]), columns[0].dtype)
    bounds = np.searchsorted(ends, np.arange(_CHUNK, n_rows + _CHUNK, _CHUNK)) + 1
    first = 0
    for bound in np.unique(np.minimum(bounds, len(ends))).tolist():
        part = slice(first, bound)
        places = np.repeat(starts[part] - ends[part] + counts[part], counts[part])
        at = int(ends[first] - counts[first])
        places += np.arange(at, at + len(places))
        late = np.repeat(is_late[part], counts[part])
        moved[at : at + len(places)] = _picked(columns, places, late)
        first = bound
    return moved


def _picked(
    columns: tuple[NDArray[Any], NDArray[Any]],
    places: NDArray[np.intp],
    is_late: NDArray[np.bool_],
) -> NDArray[Any]:
    """Take each row from the one or the other column."""
    rows = np.empty((len(places), *columns[0].shape[1:]), columns[0].dtype)
    for column, chosen in zip(columns, (~is_late, is_late), strict=True):
        rows[chosen] = column[places[chosen]]
    return rows


def _terms_of(
    bank: Bank, order: NDArray[np.intp], terms: Mapping[Terms, int]
) -> NDArray[np.uint32]:
    """Give each entry the new number of its terms."""
    tables = bank.base.table, bank.tail
    is_late = order >= tables[0].n_entries
    column = np.empty(len(order), np.uint32)
    for table, first, chosen in zip(
        tables, (0, tables[0].n_entries), (~is_late, is_late), strict=True
    ):
        numbers = np.array([terms[each] for each in table.terms], np.uint32)
        column[chosen] = numbers[table.terms_of[order[chosen] - first]]
    for row in np.flatnonzero(np.isin(order, [*bank.changed])).tolist():
        column[row] = terms[bank.changed[int(order[row])]]
    return column
