"""What goes into a bank and what is told of it: entries, their terms, the bank's settings.

Rule: values only, checked where they are made; what holds them is the bank's.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from streamguard.core.errors import BankError
from streamguard.core.types import HASH_BYTES, NO_LIMITS, Limits, Role

MAX_NAME_BYTES = 128
"""Longest entry name, bytes of UTF-8."""

MAX_POLICY_BYTES = 64
"""Longest policy code."""

Kind = Literal["video", "image"]
"""What an entry was made of: an image has no timeline to align with."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_POLICY = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One curated signal on its way into a bank.

    name:        unique in its bank; 1..128 bytes of UTF-8 without control characters.
    policy:      policy code, UPPER-KEBAB, 1..64 characters.
    duration_us: length of the video; 0 for an image.
    hashes:      (n, 32) uint8, at least one.
    offsets_us:  (n,) int64, time of each hash within the entry, 0 or more.
    variants:    (n,) uint8, how the picture was cut or turned before it was hashed; 0 is not at
                 all, streamguard.core.variants names the others.
    limits:      what a match with this entry must keep beyond the bank's and the policy's bounds.
    """

    name: str
    policy: str
    kind: Kind
    duration_us: int
    hashes: NDArray[np.uint8]
    offsets_us: NDArray[np.int64]
    variants: NDArray[np.uint8]
    limits: Limits | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        check_policy(self.policy)
        n_hashes = len(self.hashes)
        if n_hashes == 0:
            raise BankError(f"entry {self.name!r} has no picture that can be matched; leave it out")
        shapes = (self.hashes.shape, self.offsets_us.shape, self.variants.shape)
        if shapes != ((n_hashes, HASH_BYTES), (n_hashes,), (n_hashes,)):
            raise BankError(f"entry {self.name!r} needs 32 bytes, an offset and a variant a hash")
        if self.duration_us < 0 or self.offsets_us.min() < 0:
            raise BankError(f"entry {self.name!r} has a negative time; count from its start")


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """What a bank knows of one of its entries.

    limits:         the entry's own, before they are joined with the bank's.
    is_quarantined: set aside: it is in the bank, and matches nothing.
    """

    policy: str
    kind: Kind
    duration_us: int
    limits: Limits = NO_LIMITS
    is_quarantined: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """The hashes of one entry around one time, in the order of time.

    hashes:     (n, 32) uint8.
    offsets_us: (n,) int64, time of each within the entry.
    variants:   (n,) uint8.
    """

    hashes: NDArray[np.uint8]
    offsets_us: NDArray[np.int64]
    variants: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.hashes)


@dataclass(frozen=True, slots=True)
class BankSettings:
    """What holds for all entries of a bank.

    variants: names of the recipes that are applied to a video when it is added.
    """

    role: Role = "known"
    limits: Limits = NO_LIMITS
    variants: tuple[str, ...] = ()


def check_name(name: str) -> None:
    """Raise BankError where this cannot be the name of an entry."""
    if not 1 <= len(name.encode(errors="replace")) <= MAX_NAME_BYTES or not name.isprintable():
        raise BankError(f"an entry's name is 1 to {MAX_NAME_BYTES} bytes of printable text")


def check_policy(policy: str) -> None:
    """Raise BankError where this cannot be a policy code."""
    if len(policy) > MAX_POLICY_BYTES or not _POLICY.fullmatch(policy):
        raise BankError(
            f"a policy code is UPPER-KEBAB, up to {MAX_POLICY_BYTES} characters, as in TVEC-VIDEO"
        )
