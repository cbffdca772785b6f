"""Hashes a picture with all its variants at once, for a bank.

Rule: the whole and the content hash to the bit as screening hashes them. What is cut or mirrored is
worked out of one small copy of the picture, a few bits beside hashing it anew.
Measured on 60 crops of each of nine clips at 256 blocks: against PDQ of the part cut out of the
full plane 0 to 2 bits (median) and 6 at most, at 128 blocks 2 to 4 and 12. Mirroring by flipping
the thumbnail instead is 0 to 12 bits off (median; 32 at 176 x 144), for its pixels are not centred.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamguard.core.halves import halves_kept, keeps_mirror
from streamguard.core.pdq import LUMA_SPAN, hash_terms, hash_thumbnail, tents, thumbnail
from streamguard.core.pdq_reference import MIN_SIDE, N_FREQUENCIES, SIDE, Float32, dct_matrix
from streamguard.core.regions import MIN_BAR_SHARE, Rectangle, content_rectangle
from streamguard.core.sides import SPANS, span_dct
from streamguard.core.types import HASH_BYTES, MIN_QUALITY
from streamguard.core.variants import (
    CONTENT,
    CROP_NUMBERS,
    CROPS,
    CROPS_FINE,
    MIRROR,
    MIRRORED,
    OVERLAYS,
    SIDE_NUMBERS,
    WHOLE,
    Half,
    crop_of,
    half_of,
)

N_BLOCKS = 256
"""Least blocks that a side of the small copy has, where the picture has as many pixels."""

MAX_CUT_SHARE = 0.1
"""Most that re-uploaders cut off a side, share of the height or width."""

_FULL_QUALITY = 90 * MIN_QUALITY
"""Least sum of the differences between neighbours in a thumbnail, percent of white: PDQ's quality
is a 90th of it. Source: ThreatExchange, pdq/cpp/hashing/pdqhashing.cpp."""


class Turn(IntEnum):
    """What is done with one axis of a picture before it is hashed."""

    NONE = 0
    ROUND = 1
    FOLDED = 2


Side = tuple[int, int, Turn]
"""What is cut off before and after along one axis, percent, and what is then done with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Variants:
    """Hashes of one picture that may be matched; a variant that may not is left out.

    numbers: (n,) uint8, see streamguard.core.variants.
    hashes:  (n, 32) uint8.
    """

    numbers: NDArray[np.uint8]
    hashes: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.numbers)

    def of(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> "Variants":
        """Give some of them."""
        return Variants(self.numbers[chosen], self.hashes[chosen])

    def and_those_of(self, other: "Variants") -> "Variants":
        """Join two sets of variants, in this order."""
        return Variants(
            np.concatenate([self.numbers, other.numbers]),
            np.concatenate([self.hashes, other.hashes]),
        )


NO_VARIANTS = Variants(np.empty(0, np.uint8), np.empty((0, HASH_BYTES), np.uint8))


def variants_of(luma: NDArray[np.uint8], *, full_range: bool, recipes: tuple[str, ...]) -> Variants:
    """Hash a luma plane, (H, W) uint8 with rows that may be padded, as the recipes say.

    Crops are made of the content, where there are bars, and of the whole, unless bars frame it. Of
    the same there are halves where the picture mirrors itself, whatever the recipes. Of a picture
    with a side below 64 pixels there are none but the whole and the content.
    """
    content = content_rectangle(luma)
    has_crops = content is None or not _is_framed(content, luma.shape)
    numbers = _numbers(WHOLE, recipes, has_crops=has_crops)
    whole = _hash_picture(luma, numbers, full_range=full_range, has_halves=has_crops)
    if content is None:
        return whole
    numbers = _numbers(CONTENT, recipes, has_crops=True)
    return whole.and_those_of(_hash_picture(content.of(luma), numbers, full_range=full_range))


def _is_framed(content: Rectangle, shape: tuple[int, ...]) -> bool:
    """Say whether a content lies in a letterbox, a pillarbox or a window that stays when it is cut.

    Such bars are as thick on one side as on the other, and thicker than what is usually cut off.
    What looks like others may be a dark or plain part of the picture, and is cut with it.
    """
    height, width = shape
    pairs = ((content.x0, width - content.x1, width), (content.y0, height - content.y1, height))
    return all(
        one == other == 0
        or (min(one, other) > MAX_CUT_SHARE * size and abs(one - other) <= MIN_BAR_SHARE * size)
        for one, other, size in pairs
    )


@lru_cache
def _numbers(base: int, recipes: tuple[str, ...], *, has_crops: bool) -> tuple[int, ...]:
    """List the variants that are made of a picture, itself first."""
    plain: tuple[int, ...] = (base,)
    if has_crops and (CROPS in recipes or CROPS_FINE in recipes):
        plain += tuple(CROP_NUMBERS)
    if OVERLAYS in recipes:
        plain += tuple(SIDE_NUMBERS)
    return plain + tuple(MIRRORED | number for number in plain if MIRROR in recipes)


def _hash_picture(
    plane: NDArray[np.uint8],
    numbers: tuple[int, ...],
    *,
    full_range: bool,
    has_halves: bool = True,
) -> Variants:
    if min(plane.shape) < MIN_SIDE:
        return NO_VARIANTS
    thumb = thumbnail(plane)
    itself = hash_thumbnail(thumb, full_range=full_range)
    if itself.quality < MIN_QUALITY:
        return NO_VARIANTS
    made = Variants(np.array(numbers[:1], np.uint8), itself.bits[None]).of(
        np.array([itself.is_stable])
    )
    if min(plane.shape) < SIDE:
        return made
    wanted = [_Cuts.of(numbers[1:])] if len(numbers) > 1 else []
    if has_halves:
        wanted += [_Cuts.of(numbers, half) for half in halves_kept(itself.odd)]
    for cuts in wanted:
        hashes, is_stable = hash_terms(_terms(plane, cuts))
        is_matchable = is_stable & _is_busy(thumb, cuts, full_range=full_range)
        made = made.and_those_of(Variants(cuts.numbers, hashes).of(is_matchable))
    return made


@dataclass(frozen=True, slots=True, eq=False)
class _Cuts:
    """What some variants ask for, axis by axis.

    numbers:           (n,) uint8, the variants.
    rows, columns:     the different sides that there are.
    row_of, column_of: (n,) intp, which of them each variant has.
    """

    numbers: NDArray[np.uint8]
    rows: tuple[Side, ...]
    columns: tuple[Side, ...]
    row_of: NDArray[np.intp]
    column_of: NDArray[np.intp]

    @staticmethod
    @lru_cache
    def of(numbers: tuple[int, ...], half: Half | None = None) -> "_Cuts":
        """Collect these variants; or the halves of those that mirror themselves as `half` says."""
        if half is not None:
            numbers = tuple(number for number in numbers if keeps_mirror(number, half))
        down, across = zip(*(_sides(number, half) for number in numbers), strict=True)
        rows, columns = tuple(sorted(set(down))), tuple(sorted(set(across)))
        named = [number if half is None else half_of(number, half) for number in numbers]
        return _Cuts(
            np.array(named, np.uint8),
            rows,
            columns,
            np.array([rows.index(side) for side in down]),
            np.array([columns.index(side) for side in across]),
        )


def _sides(number: int, half: Half | None) -> tuple[Side, Side]:
    """Say what becomes of a picture down and across."""
    crop = crop_of(number)
    down = Turn.FOLDED if half in {Half.UPPER, Half.QUARTER} else Turn.NONE
    across = Turn.ROUND if number & MIRRORED else Turn.NONE
    if half in {Half.LEFT, Half.QUARTER}:
        across = Turn.FOLDED
    return (crop.top, crop.bottom, down), (crop.left, crop.right, across)


def _terms(plane: NDArray[np.uint8], cuts: _Cuts) -> Float32:
    """Work out the DCT terms of variants of a picture: (n, 256) float32."""
    height, width = plane.shape
    step_y, step_x = max(1, height // N_BLOCKS), max(1, width // N_BLOCKS)
    blocks = _blocks(plane, step_y, step_x)
    rows = _weights(height, step_y, cuts.rows)
    columns = _weights(width, step_x, cuts.columns)
    left: Float32 = rows @ blocks
    terms: Float32 = left[cuts.row_of] @ columns[cuts.column_of].transpose(0, 2, 1)
    return terms.reshape(len(terms), -1)


def _blocks(plane: NDArray[np.uint8], step_y: int, step_x: int) -> Float32:
    """Average blocks of step_y by step_x pixels; what is left over at the ends is left out."""
    height, width = plane.shape[0] // step_y, plane.shape[1] // step_x
    rows = np.zeros((height, plane.shape[1]), np.uint16)
    for y in range(step_y):
        rows += plane[y : height * step_y : step_y]
    blocks = np.zeros((height, width), np.uint32)
    for x in range(step_x):
        blocks += rows[:, x : width * step_x : step_x]
    mean: Float32 = blocks.astype(np.float32) / np.float32(step_y * step_x)
    return mean


@lru_cache(maxsize=32)
def _weights(size: int, step: int, sides: tuple[Side, ...]) -> Float32:
    """Fold PDQ along one axis of `size` pixels, for every side: (n, 16, size // step) float32.

    What lies past the last block counts as part of it.
    """
    folded = np.zeros((len(sides), N_FREQUENCIES, size))
    for weights, (before, after, turn) in zip(folded, sides, strict=True):
        is_turned = turn is Turn.ROUND
        span = SPANS.get((after, before) if is_turned else (before, after))
        if span is not None:  # of the thumbnail, not of the picture
            first, end = 0, size
            pixels = span_dct(span[1] - span[0]) @ tents(size)[slice(*span)]
        else:
            first, end = round(size * before / 100), size - round(size * after / 100)
            pixels = dct_matrix(step=2 if turn is Turn.FOLDED else 1) @ tents(end - first)
        weights[:, first:end] = pixels[:, ::-1] if is_turned else pixels
    starts = np.arange(size // step) * step
    return np.add.reduceat(folded, starts, axis=2).astype(np.float32)


def _is_busy(thumb: Float32, cuts: _Cuts, *, full_range: bool) -> NDArray[np.bool_]:
    """Say for each variant whether the part of the thumbnail it covers has the quality to match.

    Enlarging adds to the quality, so none is kept that falls short: of 1,084 crops of real frames
    at all contrasts 32 are lost, all below 56, and none is kept below 50.
    """
    changes = np.zeros((SIDE + 1, SIDE + 1), np.int64)
    for axis in (0, 1):
        steps = np.diff(thumb, axis=axis) * np.float32(100) / np.float32(LUMA_SPAN[full_range])
        changes[1 : 1 + steps.shape[0], 1 : 1 + steps.shape[1]] += np.abs(steps.astype(np.int32))
    sums = changes.cumsum(axis=0).cumsum(axis=1)
    y0, y1 = _ends(cuts.rows)[:, cuts.row_of]
    x0, x1 = _ends(cuts.columns)[:, cuts.column_of]
    busy: NDArray[np.bool_] = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0] >= (
        _FULL_QUALITY
    )
    return busy


def _ends(sides: tuple[Side, ...]) -> NDArray[np.intp]:
    """Give where each side begins and ends on an axis of the thumbnail: (2, n)."""
    cut = np.array([side[:2] for side in sides])
    firsts, ends = SIDE * cut[:, 0] / 100, SIDE - SIDE * cut[:, 1] / 100
    return np.rint(np.stack([firsts, ends])).astype(np.intp)
