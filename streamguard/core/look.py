"""One look at a picture: the hashes of all of it, and of the parts that may hold a clip.

Rule: the full view comes first and is always there; matching relies on it. Contents (between bars)
follow, then insets (pictures within the picture), then the halves of those that come near to
mirroring themselves; bars always do, so that where there are any the content alone is folded.
"""

from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from streamguard.core.halves import MAX_HALVES, hash_halves, may_mirror
from streamguard.core.pdq import hash_luma, hash_thumbnail, thumbnail
from streamguard.core.pdq_reference import MIN_SIDE
from streamguard.core.region_memory import MAX_REGIONS, RegionMemory
from streamguard.core.regions import content_rectangle
from streamguard.core.sides import sides_of
from streamguard.core.types import MIN_QUALITY, Region, View

MAX_VIEWS = (1 + MAX_REGIONS) * (1 + MAX_HALVES)
"""Most views of one picture; more than 1 + MAX_REGIONS only where it mirrors itself."""


def views_of(
    luma: NDArray[np.uint8], *, full_range: bool, memory: RegionMemory | None = None
) -> tuple[View, ...]:
    """Hash a luma plane, (H, W) uint8 with rows that may be padded, region by region.

    memory: what the stream has shown before, updated here; without it the picture stands alone, as
        in a bank, and has no insets.
    """
    if memory is not None:
        regions = memory.regions_of(luma)
    else:
        content = content_rectangle(luma)
        regions = (("content", content),) if content else ()
    has_bars = any(region == "content" for region, _ in regions)
    looks = [_look("full", luma, full_range=full_range, has_halves=not has_bars)]
    for region, part in regions:
        looks.append(_look(region, part.of(luma), full_range=full_range))
    wholes, halves = zip(*looks, strict=True)
    return (*wholes, *chain(*halves))


def _look(
    region: Region, luma: NDArray[np.uint8], *, full_range: bool, has_halves: bool = True
) -> tuple[View, tuple[View, ...]]:
    """Hash one part of a picture, and its halves where it comes near to mirroring itself."""
    if min(luma.shape) < MIN_SIDE:
        pdq = hash_luma(luma, full_range=full_range)
        return View(region, pdq.bits, pdq.quality, pdq.is_stable), ()
    thumb = thumbnail(luma)
    pdq = hash_thumbnail(thumb, full_range=full_range)
    sides = partial(sides_of, thumb, region, full_range=full_range)
    view = View(region, pdq.bits, pdq.quality, pdq.is_stable, sides)
    if not has_halves or pdq.quality < MIN_QUALITY or not may_mirror(pdq.odd):
        return view, ()
    return view, tuple(
        View(region, bits, pdq.quality, bool(is_stable))
        for bits, is_stable in zip(*hash_halves(thumb, pdq.odd), strict=True)
    )
