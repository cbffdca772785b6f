"""Where long straight edges run through a stream's pictures: between which rows and columns.

Rule: what is marked is a step that is sharp and stands alone, as the border of a window in a
picture does and as texture hardly does. Edges of a layout stay where those of what it shows move.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

N_BLOCKS = 16
"""Stretches that a line is cut into; how densely each is marked is all that is kept."""

MAX_ROWS, MAX_COLUMNS = 270, 480
"""Lines looked at across each axis, evenly spread: every fourth of 1080p, every other one of 360p.
360 x 640 of them find no more insets and cost 0.04 ms more, 216 x 384 as many, less precisely."""

N_SAMPLES = 64
"""Pixels looked at along a line, evenly spread; a few more where that does not come out even."""

MIN_STEP = 7
"""Least step that is marked, luma steps; what an encoder adds to flat ground stays below."""

MEMORY_PICTURES = 4
"""Pictures after which the first ones fade: two keyframes of a new layout are half of the mean."""

MIN_MARKED_SHARE = 0.001
"""A picture with fewer marks, a black one, tells nothing of the layout; share of its pixels."""

MAX_BLANKS = 4
"""So many such pictures in a row are passed over; those that follow tell that it is gone."""

_MARGIN = 2  # lines at both ends that lack a neighbour to be compared with

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """How densely the lines across one axis of a picture are marked, block by block.

    density: (N_BLOCKS, n) float32, 0..1; along each line, from the left or the top.
    step:    pixels from one line to the next.
    """

    density: Float32
    step: int

    def place_of(self, line: int) -> int:
        """Give the row (or column) of pixels that a line lies before: true to half a step."""
        return (line + _MARGIN + 1) * self.step


class LineMemory:
    """The lines across one axis of the pictures of one stream, all of one size."""

    def __init__(self) -> None:
        self._mean: Float32 | None = None
        self._n_seen = self._n_blanks = 0

    def join(self, lines: Lines) -> Lines:
        """Take the next picture's lines.

        Returns:
            Each block as dense as it is now or was in the last pictures on the whole, whichever is
            more: a new layout shows at once, and a known one through pictures that hide it.
        """
        is_blank = lines.density.sum() < MIN_MARKED_SHARE * lines.density.size
        self._n_blanks = self._n_blanks + 1 if is_blank else 0
        if self._mean is None:
            self._mean = lines.density.copy()
            self._n_seen = 1
        elif not 0 < self._n_blanks <= MAX_BLANKS:
            self._n_seen = min(self._n_seen + 1, MEMORY_PICTURES)
            self._mean += (lines.density - self._mean) / self._n_seen
        return Lines(np.maximum(self._mean, lines.density), lines.step)


def lines_between_rows(luma: NDArray[np.uint8]) -> Lines:
    """Mark where a (H, W) plane, rows may be padded, changes from one row to the next."""
    return _lines(luma, MAX_ROWS)


def lines_between_columns(luma: NDArray[np.uint8]) -> Lines:
    """Mark where a (H, W) plane, rows may be padded, changes from one column to the next."""
    return _lines(luma.T, MAX_COLUMNS)


def _lines(luma: NDArray[np.uint8], most: int) -> Lines:
    """Mark the lines between the sampled rows; a picture below 16 pixels either way has none."""
    length, width = luma.shape
    step, along = -(-length // most), max(1, width // N_SAMPLES)
    if min(length // step, width) < N_BLOCKS:
        return Lines(np.zeros((N_BLOCKS, 0), np.float32), step)
    marks = _marks(luma[step // 2 :: step, along // 2 :: along].copy("K"))
    return Lines(_blocks(marks.shape[1]) @ marks.T, step)


def _marks(pixels: NDArray[np.uint8]) -> Float32:
    """Mark the steps along axis 0 that are as large as their neighbours and stand alone.

    Returns:
        (n - 1 - 2 * _MARGIN, k) float32 of 0 and 1 for (n, k) pixels. A step is marked that is at
        least as large as the ones before and after it and as twice those two lines away: with
        these the densest line of footage is marked over 23 % of its length (median), without over
        40 %, and the border of an inset over three quarters in either case.
    """
    steps = np.maximum(pixels[1:], pixels[:-1])
    steps -= np.minimum(pixels[1:], pixels[:-1])
    least = np.maximum(steps[:-4], steps[4:])
    np.minimum(least, 127, out=least)
    least += least
    np.maximum(least, steps[1:-3], out=least)
    np.maximum(least, steps[3:-1], out=least)
    np.maximum(least, MIN_STEP, out=least)
    return (steps[_MARGIN:-_MARGIN] >= least).astype(np.float32)


@lru_cache(maxsize=8)
def _blocks(n_samples: int) -> Float32:
    """Average the samples along a line by block: (N_BLOCKS, n_samples) float32."""
    block_of = np.arange(n_samples) * N_BLOCKS // n_samples
    weights: Float32 = (np.arange(N_BLOCKS)[:, None] == block_of).astype(np.float32)
    weights /= weights.sum(axis=1, keepdims=True)
    weights.flags.writeable = False
    return weights
