"""Tells hashes that may go into a bank from those that would match what they should not.

Rule: a hash is refused where it is none, and set aside with a reason where it is one that lies: it
stays on record, matches nothing, and a person can let it in. Nothing is dropped in silence.
"""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank import Bank
from streamguard.core.types import HASH_BYTES, MATCH_DISTANCE_BITS, MIN_QUALITY

MIN_ONES, MAX_ONES = 96, 160
"""Inclusive bounds of the one-bits in a hash of a picture.

PDQ sets the bits above a median of 256 terms: 128, and fewer only where terms tie with it. Of
14,288 hashes that Meta published of real footage every one has 128; a grey picture has 60 to 80, a
black one none. Source: the sample hashes of ThreatExchange's vpdq, and runs of its reference.
"""


class Fault(StrEnum):
    """Why a hash is not let into a bank as it is."""

    MALFORMED = "malformed"
    """It is not 32 bytes, or 64 hex digits: refused, for nothing can be made of it."""
    UNEVEN = "uneven"
    """Its one-bits are far from 128: a plain picture, or no PDQ at all."""
    LOW_QUALITY = "low_quality"
    """Its picture hardly has structure: it would match any other such picture."""
    NEAR_TIES = "near_ties"
    """Its bits are noise: so many terms tie with the median that encoding changes them."""
    NEAR_SLATE = "near_slate"
    """It lies within 31 bits of a picture that a negative bank knows as harmless."""


def parse_hash(text: str) -> NDArray[np.uint8] | None:
    """Read a PDQ of 64 hex digits, in either case, blanks around it; (32,) uint8, or None."""
    digits = text.strip()
    if len(digits) != 2 * HASH_BYTES:
        return None
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return None
    return np.frombuffer(raw, np.uint8) if len(raw) == HASH_BYTES else None


def fault_of(
    pdq: NDArray[np.uint8], quality: int | None = None, *, is_stable: bool = True
) -> Fault | None:
    """Say what is wrong with one hash by itself; None where nothing is.

    Args:
        pdq: (32,) uint8.
        quality: 0..100 where whoever made the hash told it.
        is_stable: False where its maker saw near ties; from the bits alone they do not show.
    """
    n_ones = int(np.bitwise_count(pdq).sum())
    if not MIN_ONES <= n_ones <= MAX_ONES:
        return Fault.UNEVEN
    if quality is not None and quality < MIN_QUALITY:
        return Fault.LOW_QUALITY
    return None if is_stable else Fault.NEAR_TIES


def is_near_slate(pdq: NDArray[np.uint8], negatives: Sequence[Bank]) -> bool:
    """Say whether a hash, (32,) uint8, lies within 31 bits of what a negative bank holds."""
    return any(
        match.distance_bits <= MATCH_DISTANCE_BITS
        for bank in negatives
        for match in bank.query(pdq, "full")[:1]
    )
