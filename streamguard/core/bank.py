"""The bank: immutable snapshots of curated hashes, and the entries they belong to.

Rule: a snapshot never changes. An edit gives a new one, a query keeps the one it started with, and
the hashes of one entry lie side by side, entries in the order in which they came.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank_values import (
    KINDS,
    MAX_NAME_BYTES,
    MAX_POLICY_BYTES,
    BankSettings,
    Entry,
    EntryFacts,
    Stretch,
)
from streamguard.core.index import Index, build_index
from streamguard.core.types import HASH_BYTES, NEAR_DISTANCE_BITS, NO_LIMITS, Limits, Match, Region

OFFSET_BUCKET_US = 250_000
"""Hashes of one entry that fall into the same bucket of its timeline answer as one match."""

MAX_MATCHES = 256
"""Most matches of one query and bank: static content is near itself at thousands of offsets."""

MAX_NEAR = 4_096
"""Most hashes that one query weighs, the nearest; without it a bank of look-alikes costs 20 ms."""

ENTRY_DTYPE = np.dtype(
    [
        ("name", f"S{MAX_NAME_BYTES}"),
        ("policy", f"S{MAX_POLICY_BYTES}"),
        ("duration_us", "<i8"),
        ("first", "<u4"),
        ("n_hashes", "<u4"),
        ("kind", "u1"),
        ("zero", "V7"),
    ]
)
"""One row of the entries table, 216 bytes: its hashes are rows first .. first + n_hashes."""

EMPTY_STRETCH = Stretch(
    np.empty((0, HASH_BYTES), np.uint8), np.empty(0, np.int64), np.empty(0, np.uint8)
)


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """A snapshot of one bank, in memory or mapped from its file; read-only.

    hashes:     (N, 32) uint8, C-contiguous.
    entry_rows: (N,) uint32, row of the entries table.
    offset_us:  (N,) int64, time of the hash within its entry.
    variant:    (N,) uint8, see Entry.
    entries:    (E,) ENTRY_DTYPE.
    revision:   grows with each edit.
    limits:     entries' own, by name.
    added:      revision at which an entry came, by name; those without came before all.
    """

    name: str
    hashes: NDArray[np.uint8]
    entry_rows: NDArray[np.uint32]
    offset_us: NDArray[np.int64]
    variant: NDArray[np.uint8]
    entries: NDArray[np.void]
    index: Index
    settings: BankSettings = field(default_factory=BankSettings)
    revision: int = 0
    limits: Mapping[str, Limits] = field(default_factory=dict)
    added: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_hashes(self) -> int:
        """Count the hashes of all entries."""
        return len(self.hashes)

    @property
    def n_entries(self) -> int:
        """Count the entries."""
        return len(self.entries)

    def query(self, pdq: NDArray[np.uint8], region: Region) -> list[Match]:
        """Find what is near one hash, nearest first.

        Of the 4,096 nearest hashes, those of one entry within the same 250 ms answer as one, by the
        nearest of them. Of these at most 256 are given, the best of every entry before the second
        best of any.

        Args:
            pdq: (32,) uint8, the hash of one view.
            region: what part of the picture the view covers; it is passed on into the matches.
        """
        rows, bits = self.index.query(pdq, NEAR_DISTANCE_BITS)
        if not len(rows):
            return []
        if len(rows) > MAX_NEAR:
            nearest = np.argpartition(bits, MAX_NEAR)[:MAX_NEAR]
            rows, bits = rows[nearest], bits[nearest]
        chosen = _compact(self.entry_rows[rows], self.offset_us[rows], bits)
        return self._matches(rows[chosen], bits[chosen], region)

    def _matches(
        self, rows: NDArray[np.intp], bits: NDArray[np.uint16], region: Region
    ) -> list[Match]:
        entries = self.entries[self.entry_rows[rows]]
        columns = (
            entries["name"].tolist(),
            entries["policy"].tolist(),
            entries["kind"].tolist(),
            bits.tolist(),
            self.offset_us[rows].tolist(),
            self.variant[rows].tolist(),
        )
        return [
            Match(
                bank=self.name,
                entry=(entry := name.decode(errors="replace")),
                policy=policy.decode(errors="replace"),
                region=region,
                distance_bits=distance_bits,
                offset_us=offset_us,
                is_still=KINDS[kind] == "image",
                variant=variant,
                limits=self.settings.limits.and_those_of(self.limits.get(entry, NO_LIMITS)),
                role=self.settings.role,
            )
            for name, policy, kind, distance_bits, offset_us, variant in zip(*columns, strict=True)
        ]

    def near(self, entry: str, at_us: int, within_us: int) -> Stretch:
        """Give the hashes of an entry whose times lie within so much of one, both ends included.

        Nothing is near in an entry that is not there.
        """
        row = self._row_of(entry)
        if row is None:
            return EMPTY_STRETCH
        first = int(self.entries["first"][row])
        rows = np.arange(first, first + int(self.entries["n_hashes"][row]))
        rows = rows[np.abs(self.offset_us[rows] - at_us) <= within_us]
        rows = rows[np.argsort(self.offset_us[rows], kind="stable")]
        return Stretch(self.hashes[rows], self.offset_us[rows], self.variant[rows])

    def entry_of(self, name: str) -> EntryFacts | None:
        """Tell of the entry of this name; None where there is none."""
        row = self._row_of(name)
        if row is None:
            return None
        entry = self.entries[row]
        return EntryFacts(
            policy=entry["policy"].decode(errors="replace"),
            kind=KINDS[entry["kind"]],
            duration_us=int(entry["duration_us"]),
            limits=self.limits.get(name, NO_LIMITS),
        )

    def added_since(self, revision: int) -> tuple[str, ...]:
        """Name the entries that came after a revision, and are still there, in their order."""
        return tuple(name for name, came in self.added.items() if came > revision)

    def _row_of(self, name: str) -> int | None:
        rows = np.flatnonzero(self.entries["name"] == name.encode())
        return int(rows[0]) if len(rows) else None


@dataclass(frozen=True, slots=True)
class Banks:
    """Several banks that are queried as one."""

    banks: tuple[Bank, ...]

    def query(self, pdq: NDArray[np.uint8], region: Region) -> list[Match]:
        """Find what is near one hash in any bank, nearest first; see Bank.query."""
        matches = [match for bank in self.banks for match in bank.query(pdq, region)]
        return sorted(matches, key=lambda match: match.distance_bits)

    def near(self, bank: str, entry: str, at_us: int, within_us: int) -> Stretch:
        """Give the hashes of one bank's entry around a time; see Bank.near."""
        for held in self.banks:
            if held.name == bank:
                return held.near(entry, at_us, within_us)
        return EMPTY_STRETCH

    @property
    def names(self) -> tuple[str, ...]:
        """Name the banks, in their order."""
        return tuple(bank.name for bank in self.banks)

    def only(self, names: Collection[str]) -> "Banks":
        """Give those of these names; the snapshots stay the same."""
        return Banks(tuple(bank for bank in self.banks if bank.name in names))

    @property
    def revision(self) -> tuple[int, ...]:
        """Tell the revision of each bank: what was asked before an edit may be asked anew."""
        return tuple(bank.revision for bank in self.banks)


def empty_bank(name: str, settings: BankSettings | None = None) -> Bank:
    """Give a bank that holds nothing."""
    bank = make_bank(
        name,
        hashes=np.empty((0, HASH_BYTES), np.uint8),
        offset_us=np.empty(0, np.int64),
        variant=np.empty(0, np.uint8),
        entries=np.empty(0, ENTRY_DTYPE),
    )
    return replace(bank, settings=settings or BankSettings())


def make_bank(
    name: str,
    *,
    hashes: NDArray[np.uint8],
    offset_us: NDArray[np.int64],
    variant: NDArray[np.uint8],
    entries: NDArray[np.void],
) -> Bank:
    """Put a bank together from its tables and index it.

    Of `entries` all columns but `first` must be filled; the hashes stand in the same order.
    """
    counts = entries["n_hashes"].astype(np.int64)
    numbered = entries.copy()
    numbered["first"] = np.cumsum(counts) - counts
    return Bank(
        name=name,
        hashes=hashes,
        entry_rows=np.repeat(np.arange(len(entries), dtype=np.uint32), counts),
        offset_us=offset_us,
        variant=variant,
        entries=numbered,
        index=build_index(hashes),
    )


def edit_bank(bank: Bank, *, add: Sequence[Entry] = (), remove: Collection[str] = ()) -> Bank:
    """Give the bank without the entries named in `remove`, and with those in `add` at its end."""
    gone = np.array([name.encode() for name in remove], bank.entries["name"].dtype)
    is_kept = ~np.isin(bank.entries["name"], gone)
    kept = is_kept[bank.entry_rows]
    edited = make_bank(
        bank.name,
        hashes=np.concatenate([bank.hashes[kept], *(entry.hashes for entry in add)]),
        offset_us=np.concatenate([bank.offset_us[kept], *(entry.offsets_us for entry in add)]),
        variant=np.concatenate([bank.variant[kept], *(entry.variants for entry in add)]),
        entries=np.concatenate([bank.entries[is_kept], _table(add)]),
    )
    revision = bank.revision + 1
    limits = {name: each for name, each in bank.limits.items() if name not in remove}
    limits |= {entry.name: entry.limits for entry in add if entry.limits}
    added = {name: came for name, came in bank.added.items() if name not in remove}
    added |= {entry.name: revision for entry in add}
    return replace(edited, settings=bank.settings, revision=revision, limits=limits, added=added)


def _table(entries: Sequence[Entry]) -> NDArray[np.void]:
    rows = np.zeros(len(entries), ENTRY_DTYPE)
    rows["name"] = [entry.name.encode() for entry in entries]
    rows["policy"] = [entry.policy.encode() for entry in entries]
    rows["duration_us"] = [entry.duration_us for entry in entries]
    rows["n_hashes"] = [len(entry.hashes) for entry in entries]
    rows["kind"] = [KINDS.index(entry.kind) for entry in entries]
    return rows


def _compact(
    entry: NDArray[np.uint32], offset_us: NDArray[np.int64], bits: NDArray[np.uint16]
) -> NDArray[np.intp]:
    """Choose the rows that answer, by the rule of Bank.query, nearest first."""
    bucket = offset_us // OFFSET_BUCKET_US
    order = np.lexsort((offset_us, bits, bucket, entry))
    best = order[_is_first(entry[order], bucket[order])]
    order = best[np.lexsort((offset_us[best], bits[best], entry[best]))]
    starts = np.flatnonzero(_is_first(entry[order]))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    fair = order[np.lexsort((bits[order], rank))][:MAX_MATCHES]
    return fair[np.lexsort((offset_us[fair], entry[fair], bits[fair]))]


def _is_first(*keys: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Mark each row of sorted columns that differs from the row before it."""
    is_first = np.ones(len(keys[0]), np.bool_)
    is_first[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return is_first
