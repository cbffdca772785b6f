"""What goes into a bank and what is told of it: entries, their terms, the bank's settings.

Rule: values only, checked where they are made; what holds them is the bank's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from streamguard.core.errors import BankError
from streamguard.core.types import HASH_BYTES, NO_LIMITS, Limits, Role
from streamguard.core.variants import DEFAULT_RECIPES

MAX_NAME_BYTES = 128
"""Longest entry name, bytes of UTF-8."""

MAX_POLICY_BYTES = 64
"""Longest policy code."""

Kind = Literal["video", "image"]
"""What an entry was made of: an image has no timeline to align with."""

KINDS: tuple[Kind, ...] = get_args(Kind)

MAX_OFFSET_US = (2**32 - 1) * 1000
"""Latest time within an entry that a bank can hold, 49 days: it keeps 32 bits of milliseconds."""

MAX_REASON_CHARS = 200
"""Longest reason for setting an entry aside."""

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
    quarantine:  why it is set aside from the start; None where it is not.
    """

    name: str
    policy: str
    kind: Kind
    duration_us: int
    hashes: NDArray[np.uint8]
    offsets_us: NDArray[np.int64]
    variants: NDArray[np.uint8]
    limits: Limits | None = None
    quarantine: str | None = None

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
        if max(self.duration_us, int(self.offsets_us.max())) > MAX_OFFSET_US:
            raise BankError(f"entry {self.name!r} is longer than 49 days; cut it into several")
        check_reason(self.quarantine)

    @property
    def terms(self) -> "Terms":
        """Tell on what terms it goes into the bank."""
        return Terms(self.policy, self.kind, self.limits or NO_LIMITS, self.quarantine)


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms an entry is in a bank; many entries share the same.

    limits:     the entry's own, before they are joined with the bank's.
    quarantine: why it is set aside and matches nothing; None where it is not.
    """

    policy: str
    kind: Kind
    limits: Limits = NO_LIMITS
    quarantine: str | None = None


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """What a bank knows of one of its entries.

    limits:     the entry's own, before they are joined with the bank's.
    quarantine: why it is set aside and matches nothing; None where it is not.
    """

    policy: str
    kind: Kind
    duration_us: int
    n_hashes: int
    limits: Limits = NO_LIMITS
    quarantine: str | None = None

    @property
    def is_quarantined(self) -> bool:
        """Say whether it is set aside: it is in the bank, and matches nothing."""
        return self.quarantine is not None


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


EMPTY_STRETCH = Stretch(
    np.empty((0, HASH_BYTES), np.uint8), np.empty(0, np.int64), np.empty(0, np.uint8)
)


@dataclass(frozen=True, slots=True)
class BankSettings:
    """What holds for all entries of a bank.

    variants: recipes of streamguard.core.variants that are applied to what is added from now on.
    """

    role: Role = "known"
    limits: Limits = NO_LIMITS
    variants: tuple[str, ...] = DEFAULT_RECIPES


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What a bank remembers beside its entries.

    notes:     short texts of whoever fills the bank, by name: where a list was read up to, say.
    removed:   the revision at which a name was removed, of names that were.
    forgotten: removals up to this revision may have been forgotten.
    came:      the revision at which an entry of the base came, of the newest ones, in their order.
    """

    settings: BankSettings = field(default_factory=BankSettings)
    notes: Mapping[str, str] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)
    forgotten: int = 0
    came: Mapping[str, int] = field(default_factory=dict)


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


def check_reason(reason: str | None) -> None:
    """Raise BankError where this cannot be why an entry is set aside."""
    if reason is not None and not (1 <= len(reason) <= MAX_REASON_CHARS and reason.isprintable()):
        raise BankError(f"a reason is one line of 1 to {MAX_REASON_CHARS} characters")
