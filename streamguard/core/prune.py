"""Thins the hashes of a video before they go into a bank: what hardly differs is not kept twice.

Rule: a dropped hash lies within a bound of a kept one, of the same frame or of up to a second
before, so whatever is near it is near that one too, so many bits further at most; a kept hash
carries the time of the first frame it stands for.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from streamguard.core.cuts import Variants
from streamguard.core.variants import CROPS_FINE, MIRRORED, are_crops

PRUNE_DISTANCE_BITS = 10
"""Inclusive distance at which a hash of a whole picture or content, mirrored or not, is dropped:
what came within 21 bits of it still matches the kept one, and re-encoding moves a hash by 2 to
24. It is compared with the last one kept of the same variant alone."""

CROP_DISTANCE_BITS = 44
"""The same for crops, which are compared with all that is kept: what lies between two of them, in
time or in shape, has one or the other within 61 bits. The price and the worth of this bound and of
the next one are measured in streamguard.core.variants."""

FINE_CROP_DISTANCE_BITS = 31
"""The same for the recipe `crops-fine`: a dropped crop matches a kept one."""

STANDS_FOR_US = 1_000_000
"""Longest time that a kept hash stands for what follows: a picture that holds still is kept once a
second, so that no offset into the video is further off."""


class Pruner:
    """Chooses what is kept of the frames of one entry, which come in the order of time."""

    def __init__(self, recipes: tuple[str, ...]) -> None:
        crop_bits = FINE_CROP_DISTANCE_BITS if CROPS_FINE in recipes else CROP_DISTANCE_BITS
        self._as_is, self._mirrored = _Kept(crop_bits), _Kept(crop_bits)

    def choose(self, offset_us: int, variants: Variants) -> Variants:
        """Choose of the hashes of the next frame; offset_us is its time within the entry."""
        is_mirrored = variants.numbers >= MIRRORED
        as_is = self._as_is.choose(offset_us, variants.of(~is_mirrored))
        return as_is.and_those_of(self._mirrored.choose(offset_us, variants.of(is_mirrored)))


class _Kept:
    """What was kept lately of the mirrored, or of the other, variants: the two are never near."""

    def __init__(self, crop_bits: int) -> None:
        self._crop_bits = crop_bits
        self._last: dict[int, tuple[int, NDArray[np.uint8]]] = {}
        self._recent: deque[tuple[int, NDArray[np.uint8]]] = deque()

    def choose(self, offset_us: int, variants: Variants) -> Variants:
        while self._recent and offset_us - self._recent[0][0] > STANDS_FOR_US:
            self._recent.popleft()
        is_crop = are_crops(variants.numbers)
        pictures = self._new_pictures(offset_us, variants.of(~is_crop))
        kept = pictures.and_those_of(self._new_crops(variants.of(is_crop), pictures))
        if len(kept):
            self._recent.append((offset_us, kept.hashes))
        return kept

    def _new_pictures(self, offset_us: int, variants: Variants) -> Variants:
        is_new = np.ones(len(variants), np.bool_)
        for i, number in enumerate(variants.numbers.tolist()):
            kept_us, kept = self._last.get(number, (offset_us - STANDS_FOR_US - 1, None))
            if kept is not None and offset_us - kept_us <= STANDS_FOR_US:
                is_new[i] = np.bitwise_count(kept ^ variants.hashes[i]).sum() > PRUNE_DISTANCE_BITS
            if is_new[i]:
                self._last[number] = offset_us, variants.hashes[i]
        return variants.of(is_new)

    def _new_crops(self, crops: Variants, pictures: Variants) -> Variants:
        kept = np.concatenate([pictures.hashes, *(hashes for _, hashes in self._recent)])
        is_covered = np.any(_distances(crops.hashes, kept) <= self._crop_bits, axis=1)
        crops = crops.of(~is_covered)
        is_near = _distances(crops.hashes, crops.hashes) <= self._crop_bits
        is_new = np.zeros(len(crops), np.bool_)
        for i, near in enumerate(is_near):
            is_new[i] = not near[is_new].any()
        return crops.of(is_new)


def _distances(some: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Count the bits in which each of (n, 32) hashes differs from each of (m, 32): (n, m)."""
    some64, others64 = np.ascontiguousarray(some).view(np.uint64), others.view(np.uint64)
    differing = np.bitwise_count(some64[:, None] ^ others64[None])
    bits: NDArray[np.uint16] = differing.sum(axis=2, dtype=np.uint16)
    return bits
