"""Which parts of a stream's pictures are hashed beside the whole, remembered from frame to frame.

Rule: what lies between the bars that one frame alone shows is always among them. Memory adds
rectangles, within the budget of MAX_REGIONS; it takes none of those away.
"""

from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from streamguard.core.edges import LineMemory, lines_between_columns, lines_between_rows
from streamguard.core.insets import find_insets
from streamguard.core.quad import Quad
from streamguard.core.regions import Rectangle, content_rectangle, count_bars
from streamguard.core.screen_memory import ScreenMemory
from streamguard.core.types import Region

MAX_REGIONS = 4
"""Most regions a frame beside the whole picture: each costs a hash and a needle in every bank. With
three, a slide whose flat ground passes for bars leaves too few to its insets: of the samples of
known clips beside a chat panel 82 % are matched then, with four all of them."""

MAX_INSETS = 3
"""Most insets among them. The right one of a known clip is the best in 87 % of its samples and one
of the best three in 94 %, where its four sides lie within the picture."""

SAME_SHARE = 0.006
"""Two edges are the same one when they lie no further apart, share of the height or width. Bars of
1 % at both sides move a hash by 14 to 18 bits, half of that by less than 10."""

MAX_DOUBTS = 4
"""Frames in a row that may disagree with the content that is remembered before it is given up."""


class RegionMemory:
    """What the last pictures of one stream have shown; one a lane, in the order of time.

    It begins anew by itself when the size of the picture changes; begin a new epoch with a new one.
    """

    def __init__(self) -> None:
        self._begin((0, 0))

    def regions_of(self, luma: NDArray[np.uint8]) -> tuple[tuple[Region, Rectangle | Quad], ...]:
        """Find what to hash beside the whole of the next picture: (H, W) uint8, rows maybe padded.

        Returns:
            MAX_REGIONS at most, none of them twice: one or two contents, if there are bars, the
            content once more between its leaning sides, if it is a screen filmed from aside, then
            insets. The best insets come every time, the others in turn.
        """
        height, width = luma.shape
        if (height, width) != self._shape:
            self._begin((height, width))
        contents = self._contents(luma)
        insets = [part for part in self._insets(luma) if not self._has_bars(part, contents)]
        screen = self._screens.screen_of(luma, contents[0] if contents else None)
        outlines: tuple[Rectangle | Quad, ...] = (*contents, screen) if screen else contents
        n_free = min(MAX_INSETS, MAX_REGIONS - len(outlines))
        regions: list[tuple[Region, Rectangle | Quad]] = [("content", part) for part in outlines]
        regions += [("inset", part) for part in self._in_turn(insets, n_free)]
        return tuple(regions)

    def _begin(self, shape: tuple[int, int]) -> None:
        """Forget all; the pictures to come are of this height and width."""
        self._shape = shape
        self._content: Rectangle | None = None
        self._doubts = 0
        self._screens = ScreenMemory()
        self._rows, self._columns = LineMemory(), LineMemory()
        self._turn = 0

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

    def _insets(self, luma: NDArray[np.uint8]) -> tuple[Rectangle, ...]:
        rows = self._rows.join(lines_between_rows(luma))
        columns = self._columns.join(lines_between_columns(luma))
        return find_insets(rows, columns, luma)

    def _has_bars(self, inset: Rectangle, contents: tuple[Rectangle, ...]) -> bool:
        """Say whether each side of an inset is the border of the picture or the edge of a bar."""
        borders = (0, self._shape[0], 0, self._shape[1])
        slack = _slack(self._shape)
        sides = astuple(inset)
        return any(
            all(
                abs(side - bar) <= most or side == border
                for side, bar, border, most in zip(
                    sides, astuple(content), borders, slack, strict=True
                )
            )
            for content in contents
        )

    def _in_turn(self, insets: list[Rectangle], n_free: int) -> list[Rectangle]:
        """Choose as many as are free: the best ones, and in the last place one after the other."""
        if len(insets) <= n_free:
            return insets
        best, others = insets[: n_free - 1], insets[n_free - 1 :]
        self._turn += 1
        return [*best, others[self._turn % len(others)]]


def is_same(one: Rectangle, other: Rectangle, shape: tuple[int, int]) -> bool:
    """Say whether all four edges lie within SAME_SHARE of each other in a picture (H, W)."""
    ends = zip(astuple(one), astuple(other), _slack(shape), strict=True)
    return all(abs(a - b) <= most for a, b, most in ends)


def _slack(shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """Say how far off y0, y1, x0 and x1 may be and still be the same: a pixel at least."""
    rows, columns = (max(1.0, SAME_SHARE * length) for length in shape)
    return rows, rows, columns, columns
