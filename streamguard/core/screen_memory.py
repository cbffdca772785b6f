"""Looks for a filmed screen in a stream's pictures, as often as is worth it, and remembers it.

Rule: only what has flat surroundings on three sides is looked at, a letterbox costs nothing; where
nothing leans, it is looked at ever more seldom.
"""

from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from streamguard.core.quad import Quad
from streamguard.core.regions import Rectangle
from streamguard.core.screens import find_screen

MIN_BARS = 3
"""Sides on which a content must have bars; a screen may touch the border of the picture with one
corner, which takes one away."""

MOST_PASSED = 15
"""Most pictures in a row that are passed over. A window box that stands upright is looked at in
pictures 1, 3, 7 and 15, and from then on in every 16th, which is 0.02 ms a picture."""


class ScreenMemory:
    """What the last pictures of one stream have shown of a screen; one a lane, in order."""

    def __init__(self) -> None:
        self._content: Rectangle | None = None
        self._screen: Quad | None = None
        self._n_passed = self._n_to_pass = 0

    def screen_of(self, luma: NDArray[np.uint8], content: Rectangle | None) -> Quad | None:
        """Find the leaning screen in the next picture: (H, W) uint8, rows may be padded.

        content: what lies between the bars of the picture, if it has any.
        """
        if content != self._content:
            self._content, self._screen = content, None
            self._n_passed = self._n_to_pass = 0
        if content is None or _n_bars(content, luma.shape) < MIN_BARS:
            return None
        if self._n_passed < self._n_to_pass:
            self._n_passed += 1
            return None
        self._screen = find_screen(luma, content, self._screen)
        self._n_passed = 0
        self._n_to_pass = 0 if self._screen else min(MOST_PASSED, 2 * self._n_to_pass + 1)
        return self._screen


def _n_bars(content: Rectangle, shape: tuple[int, ...]) -> int:
    """Count the sides of a content that are not the border of the picture (H, W)."""
    borders = (0, shape[0], 0, shape[1])
    return sum(side != border for side, border in zip(astuple(content), borders, strict=True))
