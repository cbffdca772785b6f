"""Chooses which of many near hashes answer a query.

Rule: a picture that stands still is near itself at thousands of offsets; it answers a few times,
and crowds out no other entry.
"""

import numpy as np
from numpy.typing import NDArray

OFFSET_BUCKET_MS = 250
"""Hashes of one entry that fall into the same bucket of its timeline answer as one match."""

MAX_MATCHES = 256
"""Most matches of one query and bank: static content is near itself at thousands of offsets."""


def answering(
    entry: NDArray[np.intp], offset_ms: NDArray[np.uint32], bits: NDArray[np.uint16]
) -> NDArray[np.intp]:
    """Choose the rows that answer, by the rule of `Bank.query`, nearest first."""
    bucket = offset_ms // OFFSET_BUCKET_MS
    order = np.lexsort((offset_ms, bits, bucket, entry))
    best = order[_is_first(entry[order], bucket[order])]
    order = best[np.lexsort((offset_ms[best], bits[best], entry[best]))]
    starts = np.flatnonzero(_is_first(entry[order]))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    fair = order[np.lexsort((bits[order], rank))][:MAX_MATCHES]
    return fair[np.lexsort((offset_ms[fair], entry[fair], bits[fair]))]


def _is_first(*keys: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Mark each row of sorted columns that differs from the row before it."""
    is_first = np.ones(len(keys[0]), np.bool_)
    is_first[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return is_first
