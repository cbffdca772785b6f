"""Hashes what an overlay leaves free of a picture: all but a rim, one side, or two opposite ones.

Rule: a bank and a stream leave out the same pixels of the same thumbnail, so that what they make of
one picture is equal; it is no PDQ of the picture really cut, which lies up to 64 bits off.

A camera in a corner, a chat beside the picture and a banner below it lie within a third at one
side, and two of them, as streamers combine them, within the quarters at two opposite sides.
Measured on 13 copies of scenes that hardly move (a tree in the wind, a code editor, a city, water)
under a camera of 25 % in each corner, a chat of 22 %, a banner of 15 % or a logo: whole pictures
are 38 to 74 bits off, the nearest part 0 to 10. On 15 copies of such scenes under a camera and a
chat or a banner the nearest without a quarter at one side is 28 to 90 bits off, and 0 to 32 without
two.
A frame around the picture is left out on the stream's side alone: of 45 keyframes of eight clips at
90 % within another stream 39 are within 31 bits of a whole picture then, the median 18.
Of 4,959 pairs of a content and another, or an unrelated scene, no parts came within 58 bits, and
within 62 where one side is left out; whole pictures came within 76.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamguard.core.pdq import LUMA_SPAN, hash_terms
from streamguard.core.pdq_reference import N_FREQUENCIES, SIDE, Float32
from streamguard.core.types import Region, View

Span = tuple[int, int]
"""First row or column of the thumbnail that is kept, and the first after it that is not."""

Part = tuple[Span, Span]
"""Rows and columns that are kept."""

_ALL = (0, SIDE)

SPANS: dict[tuple[int, int], Span] = {(25, 25): (16, 48), (34, 0): (22, 64), (0, 34): (0, 42)}
"""What is kept along an axis where so many percent are left out before and after. Streamers show
cameras of a fifth to a third of the width, and chats of a fifth; a third of 64 is 21.3."""

_WITHIN_RIM = (3, SIDE - 3)
"""Without 4.7 % on each side: PDQ forgives 1.3 % more or less."""

_PARTS: tuple[Part, ...] = (
    (_WITHIN_RIM, _WITHIN_RIM),
    (_ALL, SPANS[25, 25]),
    (SPANS[25, 25], _ALL),
    (_ALL, SPANS[34, 0]),
    (_ALL, SPANS[0, 34]),
    (SPANS[34, 0], _ALL),
    (SPANS[0, 34], _ALL),
)
"""Rows and columns of each part, after the first in the order of SIDE_NUMBERS of
streamguard.core.variants."""

N_FIRST = 3
"""The parts without a rim and without two sides: under one overlay these stay free as often as
those without one."""


@lru_cache
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


def sides_of(
    thumb: Float32, region: Region, *, full_range: bool, n_first: int = len(_PARTS)
) -> tuple[View, ...]:
    """Hash the first parts of a thumbnail, (64, 64) float32 luma, 1 or more of them.

    First without a rim, without left and right, and without top and bottom; then without each side.
    """
    parts = _PARTS[:n_first]
    bits, is_stable = hash_terms(_terms(thumb, parts))
    qualities = _qualities(thumb, parts, LUMA_SPAN[full_range])
    return tuple(
        View(region, row, quality, stable)
        for row, quality, stable in zip(bits, qualities, is_stable.tolist(), strict=True)
    )


def _terms(thumb: Float32, parts: Sequence[Part]) -> Float32:
    """Work out the DCT terms of the parts: (n, 256) float32."""
    terms = [
        _dct_of(rows) @ thumb[slice(*rows), slice(*columns)] @ _dct_of(columns).T
        for rows, columns in parts
    ]
    made: Float32 = np.stack(terms).astype(np.float32).reshape(len(parts), -1)
    return made


@lru_cache
def _dct_of(span: Span) -> Float32:
    return span_dct(span[1] - span[0]).astype(np.float32)


def _qualities(thumb: Float32, parts: Sequence[Part], luma_span: int) -> list[int]:
    """Measure PDQ's quality of the parts, 0..100; a part has less than the whole."""
    changes = np.zeros((SIDE, SIDE), np.int32)
    for axis in (0, 1):
        percent = np.diff(thumb, axis=axis) * np.float32(100) / np.float32(luma_span)
        changes[: percent.shape[0], : percent.shape[1]] += np.abs(percent.astype(np.int32))
    sums = (int(changes[slice(*rows), slice(*columns)].sum()) for rows, columns in parts)
    return [min(100, total // 90) for total in sums]
