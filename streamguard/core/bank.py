"""The bank: immutable snapshots of curated hashes, and the entries they belong to.

Rule: a snapshot never changes. An edit gives a new one, a query keeps the one it started with, and
the hashes of one entry lie side by side, entries in the order in which they came.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamguard.core.errors import BankError
from streamguard.core.index import Index, build_index
from streamguard.core.types import HASH_BYTES, NEAR_DISTANCE_BITS, Match, Region

MAX_NAME_BYTES = 128
"""Longest entry name, bytes of UTF-8."""

MAX_POLICY_BYTES = 64
"""Longest policy code."""

OFFSET_BUCKET_US = 250_000
"""Hashes of one entry that fall into the same bucket of its timeline answer as one match."""

MAX_MATCHES = 256
"""Most matches of one query and bank: static content is near itself at thousands of offsets."""

MAX_NEAR = 4_096
"""Most hashes that one query weighs, the nearest; without it a bank of look-alikes costs 20 ms."""

KINDS: tuple[Literal["video", "image"], ...] = ("video", "image")
"""What an entry was made of; its place here is its number in the entries table."""

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

_POLICY = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One curated signal on its way into a bank.

    name:        unique in its bank; 1..128 bytes of UTF-8 without control characters.
    policy:      policy code, UPPER-KEBAB, 1..64 characters.
    duration_us: length of the video; 0 for an image.
    hashes:      (n, 32) uint8, at least one.
    offsets_us:  (n,) int64, time of each hash within the entry, 0 or more.
    variants:    (n,) uint8, how the picture was cut or turned before it was hashed; 0 is not at
                 all, the other numbers are the builder's own.
    """

    name: str
    policy: str
    kind: Literal["video", "image"]
    duration_us: int
    hashes: NDArray[np.uint8]
    offsets_us: NDArray[np.int64]
    variants: NDArray[np.uint8]

    def __post_init__(self) -> None:
        check_name(self.name)
        check_policy(self.policy)
        n_hashes = len(self.hashes)
        if n_hashes == 0:
            raise BankError(f"entry {self.name!r} has no picture that can be matched; leave it out")
        shapes = (self.hashes.shape, self.offsets_us.shape, self.variants.shape)
        if shapes != ((n_hashes, HASH_BYTES), (n_hashes,), (n_hashes,)):
            raise BankError(f"entry {self.name!r} needs 32 bytes, an offset and a variant a hash")
        if self.duration_us < 0 or self.offsets_us.min() < 0:
            raise BankError(f"entry {self.name!r} has a negative time; count from its start")


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """A snapshot of one bank, in memory or mapped from its file; read-only.

    hashes:    (N, 32) uint8, C-contiguous.
    entry_of:  (N,) uint32, row of the entries table.
    offset_us: (N,) int64, time of the hash within its entry.
    variant:   (N,) uint8, see Entry.
    entries:   (E,) ENTRY_DTYPE.
    """

    name: str
    hashes: NDArray[np.uint8]
    entry_of: NDArray[np.uint32]
    offset_us: NDArray[np.int64]
    variant: NDArray[np.uint8]
    entries: NDArray[np.void]
    index: Index

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
        chosen = _compact(self.entry_of[rows], self.offset_us[rows], bits)
        return self._matches(rows[chosen], bits[chosen], region)

    def _matches(
        self, rows: NDArray[np.intp], bits: NDArray[np.uint16], region: Region
    ) -> list[Match]:
        entries = self.entries[self.entry_of[rows]]
        columns = (
            entries["name"].tolist(),
            entries["policy"].tolist(),
            entries["kind"].tolist(),
            bits.tolist(),
            self.offset_us[rows].tolist(),
        )
        return [
            Match(
                bank=self.name,
                entry=name.decode(errors="replace"),
                policy=policy.decode(errors="replace"),
                region=region,
                distance_bits=distance_bits,
                offset_us=offset_us,
                is_still=KINDS[kind] == "image",
            )
            for name, policy, kind, distance_bits, offset_us in zip(*columns, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Banks:
    """Several banks that are queried as one."""

    banks: tuple[Bank, ...]

    def query(self, pdq: NDArray[np.uint8], region: Region) -> list[Match]:
        """Find what is near one hash in any bank, nearest first; see Bank.query."""
        matches = [match for bank in self.banks for match in bank.query(pdq, region)]
        return sorted(matches, key=lambda match: match.distance_bits)


def empty_bank(name: str) -> Bank:
    """Give a bank that holds nothing."""
    return make_bank(
        name,
        hashes=np.empty((0, HASH_BYTES), np.uint8),
        offset_us=np.empty(0, np.int64),
        variant=np.empty(0, np.uint8),
        entries=np.empty(0, ENTRY_DTYPE),
    )


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
        entry_of=np.repeat(np.arange(len(entries), dtype=np.uint32), counts),
        offset_us=offset_us,
        variant=variant,
        entries=numbered,
        index=build_index(hashes),
    )


def edit_bank(bank: Bank, *, add: Sequence[Entry] = (), remove: Collection[str] = ()) -> Bank:
    """Give the bank without the entries named in `remove`, and with those in `add` at its end."""
    gone = np.array([name.encode() for name in remove], bank.entries["name"].dtype)
    is_kept = ~np.isin(bank.entries["name"], gone)
    kept = is_kept[bank.entry_of]
    return make_bank(
        bank.name,
        hashes=np.concatenate([bank.hashes[kept], *(entry.hashes for entry in add)]),
        offset_us=np.concatenate([bank.offset_us[kept], *(entry.offsets_us for entry in add)]),
        variant=np.concatenate([bank.variant[kept], *(entry.variants for entry in add)]),
        entries=np.concatenate([bank.entries[is_kept], _table(add)]),
    )


def check_name(name: str) -> None:
    """Raise BankError where this cannot be the name of an entry."""
    if not 1 <= len(name.encode(errors="replace")) <= MAX_NAME_BYTES or not name.isprintable():
        raise BankError(f"an entry's name is 1 to {MAX_NAME_BYTES} bytes of printable text")


def check_policy(policy: str) -> None:
    """Raise BankError where this cannot be a policy code."""
    if len(policy) > MAX_POLICY_BYTES or not _POLICY.fullmatch(policy):
        raise BankError(
            f"a policy code is UPPER-KEBAB, up to {MAX_POLICY_BYTES} characters, as in TVEC-VIDEO"
        )


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
