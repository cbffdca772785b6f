"""One look at a picture: the hashes of all of it, and of the parts that may hold a clip.

Rule: the full view comes first and is always there; matching relies on it. Contents (between bars)
follow, then insets (pictures within the picture).
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamguard.core.pdq import hash_luma, hash_thumbnail, thumbnail
from streamguard.core.pdq_reference import MIN_SIDE
from streamguard.core.region_memory import MAX_REGIONS, RegionMemory
from streamguard.core.regions import content_rectangle
from streamguard.core.sides import sides_of
from streamguard.core.types import Region, View

MAX_VIEWS = 1 + MAX_REGIONS
"""Most views of one picture."""


def views_of(
    luma: NDArray[np.uint8], *, full_range: bool, memory: RegionMemory | None = None
) -> tuple[View, ...]:
    """Hash a luma plane, (H, W) uint8 with rows that may be padded, region by region.

    memory: what the stream has shown before, updated here; without it the picture stands alone, as
        in a bank, and has no insets.
    """
    full = _view("full", luma, full_range=full_range)
    if memory is not None:
        regions = memory.regions_of(luma)
    else:
        content = content_rectangle(luma)
        regions = (("content", content),) if content else ()
    parts = (_view(region, part.of(luma), full_range=full_range) for region, part in regions)
    return (full, *parts)


def _view(region: Region, luma: NDArray[np.uint8], *, full_range: bool) -> View:
    if min(luma.shape) < MIN_SIDE:
        pdq = hash_luma(luma, full_range=full_range)
        return View(region, pdq.bits, pdq.quality, pdq.is_stable)
    thumb = thumbnail(luma)
    pdq = hash_thumbnail(thumb, full_range=full_range)
    sides = partial(sides_of, thumb, region, full_range=full_range)
    return View(region, pdq.bits, pdq.quality, pdq.is_stable, sides)
