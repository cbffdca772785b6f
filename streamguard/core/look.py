"""One look at a picture: the hashes of all of it and of what lies between its bars.

Rule: the full view comes first and is always there; matching relies on it.
"""

import numpy as np
from numpy.typing import NDArray

from streamguard.core.pdq import hash_luma
from streamguard.core.regions import content_rectangle
from streamguard.core.types import Region, View


def views_of(luma: NDArray[np.uint8], *, full_range: bool) -> tuple[View, ...]:
    """Hash a luma plane, (H, W) uint8 with rows that may be padded, region by region."""
    full = _view("full", luma, full_range=full_range)
    content = content_rectangle(luma)
    if content is None:
        return (full,)
    return (full, _view("content", content.of(luma), full_range=full_range))


def _view(region: Region, luma: NDArray[np.uint8], *, full_range: bool) -> View:
    pdq = hash_luma(luma, full_range=full_range)
    return View(region, pdq.bits, pdq.quality, pdq.is_stable)
