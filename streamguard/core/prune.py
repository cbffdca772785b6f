"""Thins the hashes of a video before they go into a bank: what hardly moves need not be kept twice.

Rule: a dropped hash lies within 10 bits of a kept one before it, so whatever is near it is near
that one too, 10 bits further at most; a kept hash carries the time of the first frame it stands
for.
"""

from collections.abc import Iterable

import numpy as np

from streamguard.core.types import Region, View

PRUNE_DISTANCE_BITS = 10
"""Inclusive distance to the last kept hash at which a hash is dropped: what came within 21 bits of
the dropped one still matches the kept one, and re-encoding moves a hash by 2 to 24."""


def prune(views: Iterable[tuple[int, View]]) -> list[tuple[int, View]]:
    """Keep the matchable views that differ from the last one kept of the same region.

    Args:
        views: (offset_us, view) in the order of time; any regions, mixed or not.

    Returns:
        What is kept, in the same order.
    """
    kept: list[tuple[int, View]] = []
    last: dict[Region, View] = {}
    for offset_us, view in views:
        if not view.is_matchable:
            continue
        before = last.get(view.region)
        if before is None or _distance_bits(before, view) > PRUNE_DISTANCE_BITS:
            last[view.region] = view
            kept.append((offset_us, view))
    return kept


def _distance_bits(one: View, other: View) -> int:
    return int(np.bitwise_count(one.pdq ^ other.pdq).sum())
