"""Says which pictures a model looks at together, and in batches of which size.

Rule: sizes are few and fixed, for a model prepares itself for each; the earliest deadline goes
first, and of equals whoever asked first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 0.010
"""How long the first picture of a batch waits for others: a 50th of the p99 that is promised."""


def sizes_up_to(max_batch: int) -> tuple[int, ...]:
    """Give the sizes of batches, ascending: 1, 2, 4... and the largest, 1 or more."""
    doubled = [1 << power for power in range(max_batch.bit_length()) if 1 << power < max_batch]
    return (*doubled, max_batch)


def padded(pictures: Sequence[NDArray[np.uint8]], sizes: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Fill a batch up to the smallest size that holds it; what is added is black.

    Args:
        pictures: all of one shape; one at least, at most the largest size.
        sizes: as `sizes_up_to` gives them.
    """
    size = next(size for size in sizes if size >= len(pictures))
    return [*pictures, *[np.zeros_like(pictures[0])] * (size - len(pictures))]


def earliest(deadlines_s: Sequence[float]) -> list[int]:
    """Give the places of these deadlines, the earliest first."""
    return sorted(range(len(deadlines_s)), key=deadlines_s.__getitem__)
