"""PDQ in the reference's own float32 operation order: slow, exact, the yardstick of the fast form.

Rule: every sum runs in the order of the reference, in float32, for bit-exactness hangs on it.
Source: facebook/ThreatExchange, pdq/cpp: downscaling, hashing and torben.
"""

import numpy as np
from numpy.typing import NDArray

MIN_SIDE = 5
"""Shortest side of a picture that can be hashed, pixels. Source: reference, MIN_HASHABLE_DIM."""

SIDE = 64
"""Side of the thumbnail that is hashed, pixels. Source: reference."""

N_FREQUENCIES = 16
"""DCT frequencies kept in each direction, from 1 on: the constant term is left out."""

Float32 = NDArray[np.float32]


def luma_of_rgb(rgb: NDArray[np.uint8]) -> Float32:
    """Turn RGB into full-range luma.

    Args:
        rgb: (H, W, 3) uint8, RGB order.

    Returns:
        (H, W) float32, 0..255.
    """
    red, green, blue = (rgb[:, :, i].astype(np.float32) for i in range(3))
    luma: Float32 = red * np.float32(0.299) + green * np.float32(0.587) + blue * np.float32(0.114)
    return luma


def reference_pdq(luma: Float32) -> tuple[NDArray[np.uint8], int]:
    """Hash one picture as the reference does, to the bit.

    Args:
        luma: (H, W) float32, 0..255.

    Returns:
        (32,) uint8, packed, most significant bit first, and the quality, 0..100.
        A picture with a side below MIN_SIDE hashes to zero with quality 0.
    """
    height, width = luma.shape
    if min(height, width) < MIN_SIDE:
        return np.zeros(32, np.uint8), 0
    thumb = luma if luma.shape == (SIDE, SIDE) else _shrink(luma)
    terms = _dct(thumb)
    median = np.partition(terms.ravel(), 127)[127]  # Torben's median is the lower of the two
    bits = terms.ravel() > median
    return np.packbits(bits[::-1]), quality_of(thumb)


def _shrink(luma: Float32) -> Float32:
    """Filter (H, W) float32 twice with a box in each direction and keep (64, 64) centres."""
    height, width = luma.shape
    filtered = luma
    for _ in range(2):
        filtered = _box(filtered.T, window_of(width)).T
        filtered = _box(filtered, window_of(height))
    return filtered[np.ix_(centres(height), centres(width))]


def window_of(size: int) -> int:
    """Width of one box pass over an axis of `size` pixels; two passes make a tent."""
    return (size + 2 * SIDE - 1) // (2 * SIDE)


def centres(size: int) -> NDArray[np.intp]:
    """Positions on an axis of `size` pixels that the thumbnail's 64 pixels are taken from."""
    return (((np.arange(SIDE) + 0.5) * size) / SIDE).astype(np.intp)


def _box(rows: Float32, window: int) -> Float32:
    """Average a running window along axis 0, with shorter windows at both ends.

    The window is one float32 sum, added to on the right and then subtracted from on the left.
    """
    size = len(rows)
    half = (window + 2) // 2
    out = np.empty_like(rows)
    total = np.zeros_like(rows[0])
    n_summed = 0
    for i in range(size + half - 1):
        if i < size:
            total = total + rows[i]
            n_summed += 1
        if i >= window:
            total = total - rows[i - window]
            n_summed -= 1
        if i >= half - 1:
            out[i - half + 1] = total / np.float32(n_summed)
    return out


def _dct(thumb: Float32) -> Float32:
    """Transform (64, 64) into the (16, 16) float32 terms of frequencies 1..16."""
    matrix = dct_matrix().astype(np.float32)
    return _product(_product(matrix, thumb), matrix.T)


def dct_matrix(step: int = 1) -> NDArray[np.float64]:
    """Build the (16, 64) float64 DCT matrix; its scale is a float32 number, as in the reference.

    step: 2 takes every second frequency, the even ones: the reference has 1.
    """
    frequency = step * np.arange(1, N_FREQUENCIES + 1)[:, None]
    place = 2 * np.arange(SIDE)[None, :] + 1
    scale = np.float64(np.float32(np.sqrt(2.0 / SIDE)))
    matrix: NDArray[np.float64] = scale * np.cos((np.pi / 2 / SIDE) * frequency * place)
    return matrix


def _product(left: Float32, right: Float32) -> Float32:
    """Multiply matrices by adding up one inner index after the other, in float32."""
    total = np.zeros((left.shape[0], right.shape[1]), np.float32)
    for k in range(left.shape[1]):
        total += left[:, k, None] * right[None, k]
    return total


def quality_of(thumb: Float32, luma_span: int = 255) -> int:
    """Measure how much is in a (64, 64) thumbnail: 0 is flat, 100 is busy enough.

    luma_span is white minus black: 255, or 219 for a limited-range luma plane.
    """
    total = 0
    for axis in (0, 1):
        percent = np.diff(thumb, axis=axis) * np.float32(100) / np.float32(luma_span)
        total += int(np.abs(percent.astype(np.int32)).sum())
    return min(100, total // 90)
