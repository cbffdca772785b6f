"""Lists the hashes of a bank by the values in slots of theirs, and says where to look them up.

Rule: a hash within 31 bits of a needle is in one of the runs that are looked up, always. A slot is
a stretch of bits; hashes that agree with the needle there but for r flips are listed under the
values that lie r flips from the needle's. A hash that differs in more than r_s bits in every slot s
differs in at least the sum of all r_s + 1, so a sum above 31 leaves no hash out. Which slots carry
that sum is chosen for each needle: those in which few hashes look like it.
"""

from dataclasses import dataclass
from itertools import combinations
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from streamguard.core.types import HASH_BYTES, MATCH_DISTANCE_BITS
from streamguard.kernels.compiled import kernels

MOST_FLIPS = 2
"""Most flips within a slot that are looked up: a third one takes 1,140 values more for 20 bits."""

N_SLOTS = 12
"""Slots of a hash. Twelve with two flips each carry 36, which leaves four to give up where hashes
crowd together: of ten million that were grown from real ones, 1.4 % are candidates then and not
2.8 %. Eleven leave one, and thirteen of 19 bits have twice the candidates among random hashes."""

MAX_WIDTH_BITS = 20
"""Widest slot. Among ten million hashes 12 x 21 bits take 0.1 ms less, but find 88 % of what lies
60 to 61 bits away and not 94 %, and `offsets` takes 101 MB and not 50."""

SPENDING = 65_536
"""Candidates up to which values are looked up that no match within 31 bits needs. They serve what
is farther away, and take 0.4 ms at most."""

_SHORT_ID_BELOW = 1 << 24
"""Hashes whose row numbers fit 3 bytes, which saves 12 bytes a hash."""

Runs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Where runs begin in `ids`, all slots one after the other, and how long each is."""


@dataclass(frozen=True, slots=True)
class SlotShape:
    """How a bank's slots are cut.

    n_slots:    11 or more: with two flips each they must add up to more than 31.
    width_bits: of a slot, 1 to 24; slot s covers the bits from s * width_bits on, counted from the
                lowest bit of the first byte. A hash may have bits that no slot covers.
    id_bytes:   of a row number, 3 or 4.
    """

    n_slots: int
    width_bits: int
    id_bytes: int


def slot_shape(n_hashes: int) -> SlotShape:
    """Choose the slots for so many hashes, 0 to 2**32 - 1.

    A value is shared by 1.5 to 3 hashes on average, so that `offsets` takes 32 bytes a hash at
    most. With one bit less a needle beside a million hashes takes 0.24 ms and not 0.17, and finds
    95 % of what lies 54 to 59 bits away among hashes that crowd, and not 92 %.
    """
    width_bits = min(max((2 * n_hashes // 3).bit_length() - 1, 1), MAX_WIDTH_BITS)
    return SlotShape(N_SLOTS, width_bits, 3 if n_hashes < _SHORT_ID_BELOW else 4)


def shape_of(offsets: NDArray[np.uint32], ids: NDArray[np.uint8]) -> SlotShape:
    """Read the shape off the tables."""
    return SlotShape(len(offsets), (offsets.shape[1] - 1).bit_length() - 1, ids.shape[2])


def build_slots(
    hashes: NDArray[np.uint8],
    shape: SlotShape | None = None,
    kernels: ModuleType | None = kernels,
) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """List, for each slot and each value in it, the rows whose hash has that value there.

    Args:
        hashes: (N, 32) uint8, C-contiguous; N below 2**32.
        shape: that of `slot_shape`, unless told.
        kernels: None to do without them.

    Returns:
        offsets: (n_slots, 2**width_bits + 1) uint32. Rows of value v in slot s:
            ids[s, offsets[s, v]:offsets[s, v + 1]].
        ids: (n_slots, N, id_bytes) uint8, little-endian row numbers, each line a permutation of
            them, ascending within a value.
    """
    shape = shape or slot_shape(len(hashes))
    n_values = 1 << shape.width_bits
    offsets = np.zeros((shape.n_slots, n_values + 1), np.uint32)
    ids = np.empty((shape.n_slots, len(hashes), shape.id_bytes), np.uint8)
    if kernels:
        kernels.slot_build(hashes, offsets, ids)
        return offsets, ids
    for slot in range(shape.n_slots):
        values = _values(hashes, slot, shape.width_bits)
        offsets[slot, 1:] = np.cumsum(np.bincount(values, minlength=n_values))
        order = np.argsort(values.astype(np.uint16), kind="stable")  # a radix sort for 16 bits
        order = order[np.argsort((values[order] >> 16).astype(np.uint16), kind="stable")]
        ids[slot] = order.astype("<u4").view(np.uint8).reshape(-1, 4)[:, : shape.id_bytes]
    return offsets, ids


def reach(within_bits: int) -> tuple[int, int]:
    """Say how far to look for what lies within 0..256 bits of a hash.

    Returns:
        The least sum of flips + 1 over all slots, and the number of candidates up to which more
        than that may be looked up.
    """
    needed = min(within_bits, MATCH_DISTANCE_BITS) + 1
    return needed, SPENDING if within_bits > MATCH_DISTANCE_BITS else 0


def runs_near(
    pdq: NDArray[np.uint8], within_bits: int, offsets: NDArray[np.uint32], ids: NDArray[np.uint8]
) -> Runs:
    """Say which runs of `ids` to look through for what lies within some bits of a hash.

    Up to 31 bits they hold all of it. Farther, what is looked up as well serves to find more.

    Args:
        pdq: (32,) uint8.
        within_bits: 0..256.
        offsets: as `build_slots` makes it; whatever is in it, the runs lie within `ids`.
        ids: as `build_slots` makes it.
    """
    shape = shape_of(offsets, ids)
    n_hashes = ids.shape[1]
    masks, ends = _masks(shape.width_bits)
    slots = np.arange(shape.n_slots)[:, None]
    own = [_values(pdq[None], slot, shape.width_bits) for slot in range(shape.n_slots)]
    values = np.array(own, np.int64) ^ masks
    starts = offsets[slots, values].astype(np.int64)
    stops = np.minimum(offsets[slots, values + 1], n_hashes)
    counts = np.maximum(stops - starts, 0)
    shells = np.add.reduceat(counts, [0, *ends[:-1]], axis=1)
    flips = choose_flips(shells, within_bits)
    counts[np.arange(len(masks)) >= np.array([0, *ends])[flips + 1][:, None]] = 0
    return (starts + slots * n_hashes).ravel(), counts.ravel()


def choose_flips(shells: NDArray[np.int64], within_bits: int) -> NDArray[np.int64]:
    """Choose how many flips are looked up in each slot.

    All begin with two. While there are too many candidates, the slot gives up most whose outermost
    flip costs most, as long as what is within 31 bits is still found.

    Args:
        shells: (n_slots, 3), candidates at exactly 0, 1 and 2 flips.
        within_bits: 0..256. Up to 31, nothing is looked up that is not needed.

    Returns:
        (n_slots,), -1..2; where it is -1 the slot is not looked at.
    """
    needed, spending = reach(within_bits)
    flips = np.full(len(shells), MOST_FLIPS)
    outermost = shells[:, MOST_FLIPS].copy()
    total = shells.sum()
    for _ in range(len(shells) * (MOST_FLIPS + 1) - needed):
        if total <= spending:
            break
        slot = outermost.argmax()
        total -= outermost[slot]
        flips[slot] -= 1
        outermost[slot] = shells[slot, flips[slot]] if flips[slot] >= 0 else -1
    return flips


def _values(hashes: NDArray[np.uint8], slot: int, width_bits: int) -> NDArray[np.uint32]:
    """Give the value of one slot in each of (N, 32) hashes."""
    byte, bit = divmod(slot * width_bits, 8)
    four = np.zeros((len(hashes), 4), np.uint8)
    four[:, : HASH_BYTES - byte] = hashes[:, byte : byte + 4]
    return four.view("<u4").ravel() >> np.uint32(bit) & np.uint32((1 << width_bits) - 1)


def _masks(width_bits: int) -> tuple[NDArray[np.int64], list[int]]:
    """List all ways to flip 0, 1 and 2 bits of a slot, in that order, and where each sort ends."""
    masks: list[int] = []
    ends: list[int] = []
    for n_flips in range(MOST_FLIPS + 1):
        masks += [
            sum(1 << bit for bit in bits) for bits in combinations(range(width_bits), n_flips)
        ]
        ends.append(len(masks))
    return np.array(masks), ends
