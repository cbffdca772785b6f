"""PDQ straight from a decoder's luma plane: the reference's arithmetic folded into matrices.

Rule: all that PDQ does before its median is linear, so each picture size needs two matrices only,
worked out once in float64. Nothing here is shared between calls but those, and they are read-only.
Source: the algorithm is ThreatExchange's; streamguard.core.pdq_reference has its original order.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamguard.core.pdq_reference import (
    MIN_SIDE,
    SIDE,
    Float32,
    centres,
    dct_matrix,
    quality_of,
    window_of,
)
from streamguard.core.types import HASH_BYTES
from streamguard.kernels.compiled import kernels

N_BAND_ROWS = 4
"""Thumbnail rows that numpy makes at once. A tent reaches over one 64th of the height to either
side, so more rows at once multiply more zeros, and fewer let go of the GIL more often. 1080p on one
core: 1 row 0.45 ms, 4 rows 0.62 ms, 8 rows 1.5 ms, 64 rows 3.1 ms; beside a thread that is busy in
Python 190, 14, 6 and 50 ms."""

TIE_REACH = 1.6
"""A DCT term this close to the median may change sides when the picture is encoded anew; in units
of the orthonormal DCT of luma. MAX_TIES has the measurement."""

MAX_TIES = 64
"""Most terms within TIE_REACH of the median in a stable hash: half of what ties moves, and 32 bits
are past the match distance.

Measured on 40 test patterns (flat, bars, stripes, splits, checkers, discs, gradients, grids) at
360p, 720p and 1080p against +-1 luma of noise and x264 at crf 18 and 28: whatever moves by more
than 31 bits is unstable before and after. At crf 36 five in 120 are stable and move all the same
(noise, dense curves). Of 5,504 frames of real clips, all those of quality 50 and more, every one is
stable: their 65th nearest term lies at 4.4 or beyond, and still at 2.1 where contrast is cut until
the quality is 50.
"""

LUMA_SPAN = {True: 255, False: 219}
"""White minus black by `full_range`. Source: ITU-R BT.601."""

_LANES = 8
"""Columns that the kernel weighs side by side."""

_N_SIZES = 64
"""Picture heights or widths whose matrices are kept; 0.5 MB for 1920, made anew in 2 ms."""


@dataclass(frozen=True, slots=True, eq=False)
class Pdq:
    """The PDQ of one picture.

    bits:      (32,) uint8, packed, most significant bit first (bit 255 of PDQ is the first).
    quality:   0..100.
    is_stable: False where so many DCT terms tie with the median that the bits are noise.
    odd:       share of the energy in terms of odd frequencies down, and across, 0..1 each: next to
               0 where the picture is its own mirror image that way, 1 where there is none.
    """

    bits: NDArray[np.uint8]
    quality: int
    is_stable: bool
    odd: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """How some rows of a picture become N_BAND_ROWS rows: weights (N_BAND_ROWS, len(span))."""

    span: slice
    weights: Float32


def hash_luma(luma: NDArray[np.uint8], *, full_range: bool) -> Pdq:
    """Hash a luma plane: (H, W) uint8, rows may be padded.

    A picture with a side below MIN_SIDE hashes to zero, with quality 0, and is not stable.
    """
    if min(luma.shape) < MIN_SIDE:
        return Pdq(np.zeros(HASH_BYTES, np.uint8), quality=0, is_stable=False)
    return hash_thumbnail(thumbnail(luma), full_range=full_range)


def thumbnail(luma: NDArray[np.uint8]) -> Float32:
    """Shrink a luma plane as PDQ does: (H, W) uint8, rows may be padded, to (64, 64) float32.

    The compiled kernel adds up in another order than numpy: either lies within 0.001 of the other,
    and of 5,505 frames of real clips all hash to the same bits, but a black one, whose bits are
    rounding and which is not stable (measured). 1080p takes the kernel 0.12 ms by AVX2 and 0.07 ms
    by AVX-512, 0.13 and 0.10 where the picture was just decoded and is in no cache; numpy 0.64 ms.
    """
    return _by_numpy(luma) if kernels is None else _by_kernel(luma)


def _by_kernel(luma: NDArray[np.uint8]) -> Float32:
    assert kernels is not None  # noqa: S101  # asked by whoever calls
    if luma.strides[1] != 1 or luma.strides[0] < 0:  # turned or mirrored
        luma = np.ascontiguousarray(luma)
    shrunk = np.empty((SIDE, SIDE), np.float32)
    rows, columns = _spans(luma.shape[0], 1), _spans(luma.shape[1], _LANES)
    kernels.shrink(luma, *rows, *columns, shrunk)
    return shrunk


def _by_numpy(luma: NDArray[np.uint8]) -> Float32:
    height, width = luma.shape
    rows = np.empty((SIDE, width), np.float32)
    for i, band in enumerate(_bands(height)):
        pixels = luma[band.span].astype(np.float32)
        np.matmul(band.weights, pixels, out=rows[i * N_BAND_ROWS : (i + 1) * N_BAND_ROWS])
    shrunk: Float32 = rows @ tents(width).T
    return shrunk


def hash_thumbnail(thumb: Float32, *, full_range: bool) -> Pdq:
    """Hash what `thumbnail` made, or a mirrored or turned copy of it.

    Args:
        thumb: (64, 64) float32 luma.
        full_range: luma spans 0..255; else its quality is scaled up as by conversion to RGB.
    """
    span = LUMA_SPAN[full_range]
    if kernels is not None:
        packed = np.empty(HASH_BYTES, np.uint8)
        whole = np.ascontiguousarray(thumb)  # a mirrored one is not
        told = kernels.hash_thumbnail(whole, _DCT, span, TIE_REACH, packed)
        quality, n_ties, odd_down, odd_across = told
        return Pdq(packed, quality, n_ties <= MAX_TIES, (odd_down, odd_across))
    down: Float32 = _DCT @ thumb
    terms: Float32 = down @ _DCT.T
    bits, is_stable = hash_terms(terms.reshape(1, -1))
    return Pdq(bits[0], quality_of(thumb, span), bool(is_stable[0]), _odd_shares(terms))


def hash_terms(terms: Float32) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Hash pictures by their DCT terms.

    Args:
        terms: (N, 256) float32, frequencies 1..16 down and across, row by row.

    Returns:
        (N, 32) uint8, packed hashes, and (N,) bool, whether each is stable.
    """
    medians = np.partition(terms, 127)[:, 127:128]  # Torben's: the lower of the two
    n_ties = np.count_nonzero(np.abs(terms - medians) <= TIE_REACH, axis=1)
    return np.packbits((terms > medians)[:, ::-1], axis=1), n_ties <= MAX_TIES


def _odd_shares(terms: Float32) -> tuple[float, float]:
    """Weigh the terms of odd frequencies, down and across: (16, 16), the first of frequency 1."""
    energy = terms * terms
    total = float(energy.sum())
    if not total > 0:
        return 1.0, 1.0
    return float(energy[::2].sum()) / total, float(energy[:, ::2].sum()) / total


@lru_cache(maxsize=_N_SIZES)
def _bands(size: int) -> tuple[_Band, ...]:
    """Cut the tents of an axis of `size` pixels into bands, without the zeros around them."""
    bands = []
    for first in range(0, SIDE, N_BAND_ROWS):
        rows = tents(size)[first : first + N_BAND_ROWS]
        used = np.flatnonzero(rows.any(axis=0))
        span = slice(int(used[0]), int(used[-1]) + 1)
        weights = rows[:, span].copy()
        weights.flags.writeable = False
        bands.append(_Band(span, weights))
    return tuple(bands)


@lru_cache(maxsize=_N_SIZES)
def _spans(size: int, multiple: int) -> tuple[NDArray[np.intp], Float32]:
    """Cut each tent of an axis of `size` pixels out of the zeros around it, for the kernel.

    Returns:
        (64,) first pixel of each, and its weights (64, n), n a multiple of `multiple`. They reach
        past the end of the axis only where n was rounded up, and are zero there.
    """
    rows = tents(size)
    used = [np.flatnonzero(tent) for tent in rows]
    longest = max(int(places[-1] - places[0]) + 1 for places in used)
    n_weights = -(-longest // multiple) * multiple
    firsts = np.minimum([places[0] for places in used], max(0, size - longest)).astype(np.intp)
    weights = np.zeros((SIDE, n_weights), np.float32)
    for line, tent, first in zip(weights, rows, firsts, strict=True):
        span = tent[first : first + n_weights]
        line[: len(span)] = span
    return firsts, weights


@lru_cache(maxsize=_N_SIZES)
def tents(size: int) -> Float32:
    """Fold two box passes and the decimation along `size` pixels: (64, size), rows sum to 1."""
    outer = _boxes_around(centres(size), size)
    inner = _boxes_around(outer, size)
    is_in = (outer[..., None] >= 0) & (inner >= 0)
    n_averaged = np.count_nonzero(outer >= 0, axis=1)[:, None] * np.count_nonzero(is_in, axis=2)
    tent, place, step = np.nonzero(is_in)
    pixels = tent * size + inner[tent, place, step]
    places = np.bincount(pixels, 1 / n_averaged[tent, place], SIDE * size).reshape(SIDE, size)
    folded = places.astype(np.float32)
    folded.flags.writeable = False
    return folded


def _boxes_around(places: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """List the pixels that one box pass averages into each pixel, along one more axis; -1: none."""
    window = window_of(size)
    box = places[..., None] + np.arange(window) + (window + 2) // 2 - window
    box[(box < 0) | (box >= size)] = -1
    return box


_DCT: Float32 = dct_matrix().astype(np.float32)
