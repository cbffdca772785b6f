"""The last ten minutes of one stream, as hashes: what a new bank entry is held against.

Rule: bounded in time and in bytes; hashes and times only, nothing of a picture, and none of it ever
reaches a disk.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from streamguard.core.types import HASH_BYTES, Region, Sample, View

KEEP_S = 600.0
"""How long a sample is remembered from its reading, seconds."""

MAX_ROWS = 8_192
"""Views that are remembered: ten minutes of four samples a second with three views each, and more.
A stream of keyframes every 2 s with two views fills 600."""

FIRST_ROWS = 256

REGIONS: tuple[Region, ...] = get_args(Region)

ROW_DTYPE = np.dtype(
    [
        ("pdq", "u1", HASH_BYTES),
        ("pts_us", "<i8"),
        ("read_at_s", "<f8"),
        ("number", "<u4"),
        ("epoch", "<u4"),
        ("region", "u1"),
        ("quality", "u1"),
    ]
)
"""One view, 58 bytes: at most 475 KB a stream, 60 KB where keyframes come every 2 s."""

Rows = NDArray[np.void]
"""Views in the order in which they came, (N,) ROW_DTYPE."""


class Past:
    """The samples that one stream has shown; feed it each of them."""

    def __init__(self) -> None:
        self._rows: Rows = np.empty(FIRST_ROWS, ROW_DTYPE)
        self._n_rows = 0
        self.n_taken = 0
        """Samples taken so far; the number that the next one gets."""

    @property
    def size_bytes(self) -> int:
        """Tell how much memory is held."""
        return self._rows.nbytes

    def add(self, sample: Sample, views: Sequence[View]) -> None:
        """Remember the matchable views of a sample."""
        for view in views:
            if self._n_rows == len(self._rows):
                self._make_room(sample.read_at_s)
            self._rows[self._n_rows] = (
                view.pdq,
                sample.pts_us,
                sample.read_at_s,
                self.n_taken,
                sample.epoch,
                REGIONS.index(view.region),
                view.quality,
            )
            self._n_rows += 1
        self.n_taken += 1

    def rows(self) -> Rows:
        """Give a copy of what is remembered, of the last ten minutes before the newest sample."""
        held = self._rows[: self._n_rows]
        if not len(held):
            return held.copy()
        kept: Rows = held[held["read_at_s"] >= held["read_at_s"][-1] - KEEP_S].copy()
        return kept

    def _make_room(self, now_s: float) -> None:
        """Forget what is too old; where that is less than a quarter, grow, or forget a quarter."""
        held = self._rows
        kept = held[held["read_at_s"] >= now_s - KEEP_S]
        is_crowded = len(kept) > len(held) * 3 // 4
        if is_crowded and len(held) == MAX_ROWS:
            kept = held[MAX_ROWS // 4 :]
        self._rows = np.empty(min(2 * len(held), MAX_ROWS) if is_crowded else len(held), ROW_DTYPE)
        self._rows[: len(kept)] = kept
        self._n_rows = len(kept)


def samples_of(rows: Rows) -> Iterator[tuple[int, Sample]]:
    """Make samples of remembered views, each with its number, in the order in which they came."""
    for number, group in groupby(rows, key=lambda row: int(row["number"])):
        views = [*group]
        first = views[0]
        at_s = float(first["read_at_s"])
        yield (
            number,
            Sample(
                epoch=int(first["epoch"]),
                pts_us=int(first["pts_us"]),
                is_keyframe=False,
                read_at_s=at_s,
                hashed_at_s=at_s,
                views=tuple(
                    View(
                        REGIONS[row["region"]],
                        np.ascontiguousarray(row["pdq"]),
                        int(row["quality"]),
                        is_stable=True,
                    )
                    for row in views
                ),
            ),
        )
