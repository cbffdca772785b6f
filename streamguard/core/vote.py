"""One vote: a sample that looks like an entry of a bank at a time of it.

Rule: a sample is held against the entry itself, hash by hash, where the entry is expected; what an
index left out is found all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank_values import Stretch
from streamguard.core.index import distances
from streamguard.core.types import Region, View
from streamguard.core.variants import FIRST_CROP, MIRRORED

MAX_HOLD_US = 4_000_000
"""How long a hash stands for what follows it: pruning leaves out what hardly moves. The longest
hold in eleven real clips was 3.5 s; longer ones are found by a strong hit."""


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """One sample that agrees with an entry.

    pts_us:    media time of the sample.
    offset_us: time within the entry.
    seen:      (32,) uint8, hash of the sample's view.
    known:     (32,) uint8, hash of the entry.
    """

    pts_us: int
    offset_us: int
    distance_bits: int
    region: Region
    variant: int
    seen: NDArray[np.uint8]
    known: NDArray[np.uint8]

    @property
    def is_mirrored(self) -> bool:
        """Say whether it is the entry's mirrored picture that the sample looks like."""
        return bool(self.variant & MIRRORED)


@dataclass(frozen=True, slots=True)
class Expected:
    """The time of the entry that a sample should show: around `at_us`, within both ends."""

    from_us: int
    at_us: int
    to_us: int


def bits_between(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    """Count the bits in which two hashes, (32,) uint8, differ."""
    # as two numbers: numpy, whose arrays these are, takes 20 times as long for so few bytes
    return (int.from_bytes(one.tobytes()) ^ int.from_bytes(other.tobytes())).bit_count()


def nearest(
    views: Sequence[View],
    pts_us: int,
    stretch: Stretch,
    expected: Expected,
    *,
    is_mirrored: bool,
) -> Vote | None:
    """Find the hash of an entry that is most like a sample, where it is expected.

    Args:
        views: of the sample; those that may speak.
        pts_us: media time of the sample.
        stretch: the entry from `MAX_HOLD_US` before the first time that is expected to the last.
        expected: where in the entry; of equal hashes the one nearest to its middle counts.
        is_mirrored: whether the mirrored hashes are meant, or the others.
    """
    rows = _showing(stretch, expected.from_us)
    rows = rows[((stretch.variants[rows] & MIRRORED) != 0) == is_mirrored]
    if not len(rows) or not views:
        return None
    known = stretch.hashes[rows]
    bits = np.stack([distances(view.pdq, known) for view in views])
    far_us = np.abs(stretch.offsets_us[rows] - expected.at_us)
    best = np.lexsort((far_us, bits.min(axis=0)))[0]
    which, row = int(bits[:, best].argmin()), int(rows[best])
    return Vote(
        pts_us=pts_us,
        offset_us=_time_of(stretch, row, expected),
        distance_bits=int(bits[which, best]),
        region=views[which].region,
        variant=int(stretch.variants[row]),
        seen=views[which].pdq,
        known=known[best].copy(),  # no more of the bank than this must live on by a vote
    )


def _showing(stretch: Stretch, from_us: int) -> NDArray[np.intp]:
    """List the rows from a time on, and of each variant the one that still stands for it then.

    Of crops the last two: those of the whole and those of the content have the same number, and
    which of them a row is cannot be told. All halves of crops share theirs: of what begins at that
    very time, each counts.
    """
    n_before = int(np.searchsorted(stretch.offsets_us, from_us, side="right"))
    variants = stretch.variants[:n_before]
    rows = np.arange(n_before)
    last = _last_of_each(variants, rows)
    is_crop = (variants & ~np.uint8(MIRRORED)) >= FIRST_CROP
    is_crop[last] = False
    second = _last_of_each(variants, rows[is_crop])
    begins = rows[is_crop & (stretch.offsets_us[:n_before] == from_us)]
    return np.concatenate([np.union1d(second, begins), last, np.arange(n_before, len(stretch))])


def _last_of_each(variants: NDArray[np.uint8], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Choose of some rows, ascending, the last one of each variant."""
    _, backwards = np.unique(variants[rows][::-1], return_index=True)
    return rows[len(rows) - 1 - backwards]


def _time_of(stretch: Stretch, row: int, expected: Expected) -> int:
    """Give the time nearest to the expected one at which the entry looks like this row."""
    after = stretch.variants[row + 1 :] == stretch.variants[row]
    until_us = int(stretch.offsets_us[row + 1 :][after.argmax()]) if after.any() else expected.to_us
    return min(max(expected.at_us, int(stretch.offsets_us[row])), max(until_us, 0))
