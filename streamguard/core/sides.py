"""Hashes what an overlay leaves free of a picture: all but one side, or but two opposite ones.

Rule: a bank and a stream leave out the same pixels of the same thumbnail, so that what they make of
one picture is equal; it is no PDQ of the picture really cut, which lies up to 64 bits off.

A camera in a corner, a chat beside the picture and a banner below it lie within a third at one
side, and two of them, as streamers combine them, within the quarters at two opposite sides.
Measured on 13 copies of scenes that hardly move (a tree in the wind, a code editor, a city, water)
under a camera of 25 % in each corner, a chat of 22 %, a banner of 15 % or a logo: whole pictures
are 38 to 74 bits off, the nearest part 0 to 10. On 15 copies of such scenes under a camera and a
chat or a banner the nearest part without one side is 28 to 90 bits off, and 0 to 32 without two.
Of 4,959 pairs of a content and another, or an unrelated scene, no parts came within 58 bits, and
within 68 where one side is left out; whole pictures came within 76.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamguard.core.pdq import LUMA_SPAN, hash_terms
from streamguard.core.pdq_reference import N_FREQUENCIES, SIDE, Float32, dct_matrix
from streamguard.core.types import Region, View

Span = tuple[int, int]
"""First row or column of the thumbnail that is kept, and the first after it that is not."""

_ALL = (0, SIDE)

SPANS: dict[tuple[int, int], Span] = {(25, 25): (16, 48), (34, 0): (22, 64), (0, 34): (0, 42)}
"""What is kept along an axis where so many percent are left out before and after. Streamers show
cameras of a fifth to a third of the width, and chats of a fifth; a third of 64 is 21.3."""

_PARTS: tuple[tuple[Span, Span], ...] = (
    (_ALL, SPANS[25, 25]),
    (SPANS[25, 25], _ALL),
    (_ALL, SPANS[34, 0]),
    (_ALL, SPANS[0, 34]),
    (SPANS[34, 0], _ALL),
    (SPANS[0, 34], _ALL),
)
"""Rows and columns of each part, in the order of streamguard.core.variants.SIDE_NUMBERS."""

N_MIDDLES = 2
"""The first parts, which leave out two sides: under one overlay they stay free as often."""


@lru_cache(maxsize=len(SPANS))
def span_dct(size: int) -> NDArray[np.float64]:
    """Build the DCT of so many rows or columns that are kept, (16, size) float64, as PDQ's of 64.

    Like that it is orthonormal, so that noise weighs as much.
    """
    frequency = np.arange(1, N_FREQUENCIES + 1)[:, None]
    place = 2 * np.arange(size)[None, :] + 1
    matrix: NDArray[np.float64] = np.cos((np.pi / 2 / size) * frequency * place)
    matrix *= np.sqrt(2 / size)
    matrix.flags.writeable = False
    return matrix


def sides_of(thumb: Float32, region: Region, *, full_range: bool) -> tuple[View, ...]:
    """Hash the parts of a thumbnail, (64, 64) float32 luma.

    First without left and right, and without top and bottom; then without each of them alone.
    """
    bits, is_stable = hash_terms(_terms(thumb))
    qualities = _qualities(thumb, LUMA_SPAN[full_range])
    return tuple(
        View(region, row, quality, stable)
        for row, quality, stable in zip(bits, qualities, is_stable.tolist(), strict=True)
    )


def _terms(thumb: Float32) -> Float32:
    """Work out the DCT terms of the parts: (n, 256) float32."""
    down, across = _DCT @ thumb, thumb @ _DCT.T
    terms = []
    for rows, columns in _PARTS:
        if rows == _ALL:
            terms.append(down[:, slice(*columns)] @ _dct_of(columns).T)
        else:
            terms.append(_dct_of(rows) @ across[slice(*rows)])
    made: Float32 = np.stack(terms).astype(np.float32).reshape(len(_PARTS), -1)
    return made


@lru_cache(maxsize=len(SPANS))
def _dct_of(span: Span) -> Float32:
    return span_dct(span[1] - span[0]).astype(np.float32)


def _qualities(thumb: Float32, luma_span: int) -> list[int]:
    """Measure PDQ's quality of the parts, 0..100; a part has less than the whole."""
    changes = np.zeros((SIDE, SIDE), np.int32)
    for axis in (0, 1):
        percent = np.diff(thumb, axis=axis) * np.float32(100) / np.float32(luma_span)
        changes[: percent.shape[0], : percent.shape[1]] += np.abs(percent.astype(np.int32))
    sums = (int(changes[slice(*rows), slice(*columns)].sum()) for rows, columns in _PARTS)
    return [min(100, total // 90) for total in sums]


_DCT: Float32 = dct_matrix().astype(np.float32)
