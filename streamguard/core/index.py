"""Finds the hashes of a bank that lie within some bits of one hash.

Rule: a query within 31 bits is complete, always. Two forms serve it. A linear scan compares with
every hash and is complete at any distance. The slot index looks only at hashes that agree with the
query, but for two bits at most, in one of 12 slots: 31 differing bits cannot spoil them all three
times (`streamguard.core.slots`). Past 31 bits it does its best. Measured share found of hashes that
far apart, among a million (asked with frames of real footage of which 20 to 60 bits were flipped)
and among ten million (asked with other frames of it):

                                        32..41   42..47   48..53   54..59   60..61
    frames of real footage, 1 M         100 %    100 %    98.2 %   93.4 %   90.8 %
    frames of real footage, 10 M        100 %    99.9 %   99.4 %   97.2 %   94.3 %

and of hashes with so many flips at random, among ten million, 100 % at 46, 99 % at 50, 86 % at 58
and 80 % at 61.

Where hashes crowd together it finds less of what is far, as there is much that is near: among ten
million hashes grown from 7,010 frames, 99.5 % of the 4,096 nearest to a frame. Times are in
loadtest/README.md (python -m loadtest bank_bench).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from streamguard.core.slots import build_slots, reach, runs_near
from streamguard.core.types import HASH_BYTES
from streamguard.kernels.compiled import kernels

SLOTS_FROM = 131_072
"""Hashes from which slots are built. Up to here a scan costs 0.05 ms by AVX-512, 0.16 ms by popcnt,
0.5 ms by numpy and 0.65 ms by plain C: less than hashing the picture, and it misses nothing."""

_CHUNK = 16_384
"""Hashes compared at once: 512 KB of them, which stay in a core's cache."""

_ROOM = 65_536
"""Hashes for which a query makes room, 640 KB that are touched as they fill; where it finds more,
it is asked again."""

_SCAN_SHARE = 8
"""Where more than one hash in so many is a candidate, a scan is less work: it takes 0.9 ns a hash,
and a candidate, which lies anywhere in memory, 7 ns (numpy: 5 and 20 ns)."""

Found = tuple[NDArray[np.intp], NDArray[np.uint16]]
"""Rows of the hashes that were found, ascending, and the distance of each in bits."""

_Filled = tuple[int, NDArray[np.intp], NDArray[np.uint16]]


def distances(pdq: NDArray[np.uint8], hashes: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Count the bits in which one hash differs from each of many.

    Args:
        pdq: (32,) uint8, packed.
        hashes: (N, 32) uint8, C-contiguous; N may be 0.

    Returns:
        (N,) uint16, 0..256.
    """
    query, words = pdq.view(np.uint64), hashes.view(np.uint64)
    total: NDArray[np.uint16] = np.bitwise_count(words[:, 0] ^ query[0]).astype(np.uint16)
    for column in range(1, HASH_BYTES // 8):
        total += np.bitwise_count(words[:, column] ^ query[column])
    return total


@dataclass(frozen=True, slots=True, eq=False)
class LinearIndex:
    """Compares with every hash: complete at any distance.

    hashes:  (N, 32) uint8, C-contiguous.
    kernels: None to do without them.
    """

    hashes: NDArray[np.uint8]
    kernels: ModuleType | None = kernels

    def query(self, pdq: NDArray[np.uint8], within_bits: int) -> Found:
        """Find all hashes at `within_bits` or less; `pdq` is (32,) uint8, C-contiguous."""
        if not self.kernels:
            return _joined(_scan(pdq, self.hashes, within_bits))
        scan, hashes = self.kernels.hamming_scan, self.hashes
        n_found, rows, bits = _filled(lambda rows, bits: scan(pdq, hashes, within_bits, rows, bits))
        return rows[:n_found], bits[:n_found]


@dataclass(frozen=True, slots=True, eq=False)
class SlotIndex:
    """Compares with hashes that look alike in a slot: complete to 31 bits, best effort beyond.

    hashes:       (N, 32) uint8, C-contiguous.
    offsets, ids: as `build_slots` makes them. Whatever is in them, a query stays inside them.
    kernels:      None to do without them.
    """

    hashes: NDArray[np.uint8]
    offsets: NDArray[np.uint32]
    ids: NDArray[np.uint8]
    kernels: ModuleType | None = kernels

    def query(self, pdq: NDArray[np.uint8], within_bits: int) -> Found:
        """Find hashes at `within_bits` or less; up to 31 bits, all of them.

        Args:
            pdq: (32,) uint8, C-contiguous.
            within_bits: 0..256.
        """
        most = len(self.hashes) // _SCAN_SHARE
        if self.kernels:
            found = self._look_up(self.kernels, pdq, within_bits, most)
        else:
            found = self._look_up_slowly(pdq, within_bits, most)
        if found is None:
            return LinearIndex(self.hashes, self.kernels).query(pdq, within_bits)
        return found

    def _look_up(
        self, kernels: ModuleType, pdq: NDArray[np.uint8], within_bits: int, most: int
    ) -> Found | None:
        """Find them, unless there are more candidates than `most`."""
        tables = self.hashes, self.offsets, self.ids
        limits = within_bits, *reach(within_bits), most
        n_found, rows, bits = _filled(
            lambda rows, bits: kernels.slot_query(pdq, *tables, *limits, rows, bits)
        )
        return (rows[:n_found], bits[:n_found]) if n_found >= 0 else None

    def _look_up_slowly(self, pdq: NDArray[np.uint8], within_bits: int, most: int) -> Found | None:
        starts, counts = runs_near(pdq, within_bits, self.offsets, self.ids)
        if counts.sum() > most:
            return None
        candidates = np.sort(self._rows(_runs(starts, counts)))  # in order, memory answers faster
        is_new = np.ones(len(candidates), np.bool_)  # a hash may look alike in many slots
        np.not_equal(candidates[1:], candidates[:-1], out=is_new[1:])
        return _joined(self._verified(pdq, candidates[is_new], within_bits))

    def _rows(self, places: NDArray[np.int64]) -> NDArray[np.uint32]:
        id_bytes = self.ids.shape[2]
        numbers = np.zeros((len(places), 4), np.uint8)
        numbers[:, :id_bytes] = self.ids.reshape(-1, id_bytes)[places]
        rows = numbers.view("<u4").ravel()
        return rows[rows < len(self.hashes)]

    def _verified(
        self, pdq: NDArray[np.uint8], candidates: NDArray[np.uint32], within_bits: int
    ) -> Iterator[Found]:
        for start in range(0, len(candidates), _CHUNK):
            rows = candidates[start : start + _CHUNK].astype(np.intp)
            bits = distances(pdq, self.hashes.take(rows, axis=0))
            near = np.flatnonzero(bits <= within_bits)
            yield rows[near], bits[near]


Index = LinearIndex | SlotIndex


def build_index(hashes: NDArray[np.uint8]) -> Index:
    """Choose the form that suits so many hashes, (N, 32) uint8, and build it."""
    if len(hashes) < SLOTS_FROM:
        return LinearIndex(hashes)
    return SlotIndex(hashes, *build_slots(hashes))


def any_near(
    pdqs: NDArray[np.uint8],
    hashes: NDArray[np.uint8],
    within_bits: int,
    kernels: ModuleType | None = kernels,
) -> NDArray[np.bool_]:
    """Say of each of several hashes, (M, 32) uint8, whether any of many is near; (M,).

    All at once: 600 against 5,000 take 1 ms, and other threads run meanwhile.

    Args:
        pdqs: C-contiguous.
        hashes: (N, 32) uint8, C-contiguous; N may be 0.
        within_bits: 0..256, included.
        kernels: None to do without them.
    """
    if kernels:
        is_near = np.empty(len(pdqs), np.uint8)
        kernels.hamming_any(pdqs, hashes, within_bits, is_near)
        return is_near.view(np.bool_)
    return np.array([bool((distances(pdq, hashes) <= within_bits).any()) for pdq in pdqs], np.bool_)


def _filled(find: Callable[[NDArray[np.intp], NDArray[np.uint16]], int]) -> _Filled:
    """Make room for rows and bits, and more where it finds more; it returns how many."""
    room = _ROOM
    while True:
        rows, bits = np.empty(room, np.intp), np.empty(room, np.uint16)
        n_found = find(rows, bits)
        if n_found <= room:
            return n_found, rows, bits
        room = n_found


def _scan(pdq: NDArray[np.uint8], hashes: NDArray[np.uint8], within_bits: int) -> Iterator[Found]:
    for start in range(0, len(hashes), _CHUNK):
        bits = distances(pdq, hashes[start : start + _CHUNK])
        near = np.flatnonzero(bits <= within_bits)
        yield near + start, bits[near]


def _runs(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Write out start, start + 1, ... for each run, one after the other."""
    ends = np.cumsum(counts)
    return np.repeat(starts - ends + counts, counts) + np.arange(ends[-1])


def _joined(parts: Iterator[Found]) -> Found:
    found = list(parts)
    if not found:
        return np.empty(0, np.intp), np.empty(0, np.uint16)
    rows, bits = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(bits)
