"""Finds the hashes of a bank that lie within some bits of one hash.

Rule: a query within 31 bits is complete, always. Two forms serve it. A linear scan compares with
every hash and is complete at any distance. The slot index looks only at hashes that agree with the
query, but for one bit at most, in one of 16 slots of 16 bits: 31 differing bits cannot spoil all
16 slots twice. Past 31 bits it does its best. Measured share found of hashes that far apart:

    flips at random         99.9 % at 40, 98.8 % at 46, 95.8 % at 50, 81.4 % at 58, 73.8 % at 61
    frames of real footage  100 % at 32..41, 99.9 % at 42..47, 96 % at 48..53, 89 % at 60..61

A random needle takes 0.04 ms among 100,000 hashes, 0.11 ms among 1 M and 0.8 ms among 10 M on one
core of an AMD EPYC; faiss IndexBinaryFlat 0.06, 0.9 and 11 ms (python -m loadtest bank_bench).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamguard.core.slots import build_slots, runs_near
from streamguard.core.types import HASH_BYTES

SLOTS_FROM = 32_768
"""Hashes from which slots are built. The slot index is the faster from about 6,000 on, but up to
here a scan costs 0.1 ms, a tenth of hashing the picture, and it misses no near miss."""

_CHUNK = 16_384
"""Hashes compared at once: 512 KB of them, which stay in a core's cache."""

_SCAN_SHARE = 8
"""Where more than one hash in so many is a candidate, a scan is less work: it takes 5 ns a hash,
and a candidate, which lies anywhere in memory, 20 ns."""

Found = tuple[NDArray[np.intp], NDArray[np.uint16]]
"""Rows of the hashes that were found, ascending, and the distance of each in bits."""


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

    hashes: (N, 32) uint8, C-contiguous.
    """

    hashes: NDArray[np.uint8]

    def query(self, pdq: NDArray[np.uint8], within_bits: int) -> Found:
        """Find all hashes at `within_bits` or less."""
        return _joined(_scan(pdq, self.hashes, within_bits))


@dataclass(frozen=True, slots=True, eq=False)
class SlotIndex:
    """Compares with hashes that share a slot: complete to 31 bits, best effort beyond.

    hashes:       (N, 32) uint8, C-contiguous.
    offsets, ids: as `build_slots` makes them.
    """

    hashes: NDArray[np.uint8]
    offsets: NDArray[np.uint32]
    ids: NDArray[np.uint8]

    def query(self, pdq: NDArray[np.uint8], within_bits: int) -> Found:
        """Find hashes at `within_bits` or less; up to 31 bits, all of them."""
        starts, counts = runs_near(pdq, within_bits, self.offsets, self.ids)
        if counts.sum() > len(self.hashes) // _SCAN_SHARE:
            return _joined(_scan(pdq, self.hashes, within_bits))
        candidates = np.sort(self._rows(_runs(starts, counts)))  # in order, memory answers faster
        is_new = np.ones(len(candidates), np.bool_)  # a hash may share many slots
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
