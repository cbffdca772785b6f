"""Which parts of a stream's pictures are hashed beside the whole, remembered from frame to frame.

Rule: what one frame alone shows is always among them. Memory adds rectangles, within the budget of
MAX_REGIONS; it takes away none.
"""

from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from streamguard.core.regions import Rectangle, content_rectangle, count_bars
from streamguard.core.types import Region

MAX_REGIONS = 3
"""Most regions a frame beside the whole picture: each costs a hash and a needle in every bank."""

SAME_SHARE = 0.006
"""Two edges are the same one when they lie no further apart, share of the height or width. Bars of
1 % at both sides move a hash by 14 to 18 bits, half of that by less than 10."""

MAX_DOUBTS = 4
"""Frames in a row that may disagree with what is remembered before it is given up."""


class RegionMemory:
    """What the last pictures of one stream have shown; one a lane, in the order of time.

    It begins anew by itself when the size of the picture changes; begin a new epoch with a new one.
    """

    def __init__(self) -> None:
        self._shape = (0, 0)
        self._content: Rectangle | None = None
        self._doubts = 0

    def regions_of(self, luma: NDArray[np.uint8]) -> tuple[tuple[Region, Rectangle], ...]:
        """Find what to hash beside the whole of the next picture: (H, W) uint8, rows maybe padded.

        Returns:
            MAX_REGIONS at most, none of them twice; contents come before insets.
        """
        if luma.shape != self._shape:
            self._shape = luma.shape[0], luma.shape[1]
            self._content, self._doubts = None, 0
        return tuple(("content", rectangle) for rectangle in self._contents(luma))

    def _contents(self, luma: NDArray[np.uint8]) -> tuple[Rectangle, ...]:
        """Give the remembered content, and the one of this frame where they disagree."""
        found, known = content_rectangle(luma), self._content
        if known is None or (found and is_same(found, known, self._shape)):
            self._content, self._doubts = known or found, 0
            return (self._content,) if self._content else ()
        self._doubts = self._doubts + 1 if count_bars(luma, known) else MAX_DOUBTS
        if self._doubts < MAX_DOUBTS:
            return (known, found) if found else (known,)
        self._content, self._doubts = found, 0
        return (found,) if found else ()


def is_same(one: Rectangle, other: Rectangle, shape: tuple[int, int]) -> bool:
    """Say whether all four edges lie within SAME_SHARE of each other in a picture (H, W)."""
    slack = (SAME_SHARE * shape[0],) * 2 + (SAME_SHARE * shape[1],) * 2
    ends = zip(astuple(one), astuple(other), slack, strict=True)
    return all(abs(a - b) <= max(1.0, most) for a, b, most in ends)
