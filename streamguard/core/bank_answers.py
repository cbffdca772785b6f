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


_BITS_AT, _RANK_AT = 32, 48
"""Where the distance stands in a number of 64 bits, and a rank; below them, the place of a row.
Such numbers sort in a tenth of the time that their parts take one after another."""


def answering(
    entry: NDArray[np.intp], offset_ms: NDArray[np.uint32], bits: NDArray[np.uint16]
) -> NDArray[np.int64]:
    """Choose the rows that answer, by the rule of `Bank.query`, nearest first.

    The rows, 32,767 at most, come in the order of entries and within each in that of time.
    """
    places = np.arange(len(bits))
    nearness = bits.astype(np.int64) << _BITS_AT | places
    buckets = np.flatnonzero(_is_first(entry, offset_ms // OFFSET_BUCKET_MS))
    best = _places(np.minimum.reduceat(nearness, buckets))
    numbers = np.cumsum(_is_first(entry[best]))  # best come by entry; each nearest first:
    best = _places(np.sort(numbers << _RANK_AT | nearness[best]))
    starts = np.flatnonzero(_is_first(entry[best]))
    ranks = places[: len(best)] - np.repeat(starts, np.diff(starts, append=len(best)))
    fair = _places(np.sort(ranks << _RANK_AT | nearness[best])[:MAX_MATCHES])
    return _places(np.sort(nearness[fair]))


def _places(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return numbers & ((1 << _BITS_AT) - 1)


def _is_first(*keys: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Mark each row of sorted columns that differs from the row before it."""
    is_first = np.ones(len(keys[0]), np.bool_)
    is_first[1:] = keys[0][1:] != keys[0][:-1]
    for key in keys[1:]:
        is_first[1:] |= key[1:] != key[:-1]
    return is_first
