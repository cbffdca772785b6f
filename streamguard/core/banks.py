"""Several banks that are queried as one.

Rule: snapshots, as each of them is; whoever wants the newest asks for new ones.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank import Bank
from streamguard.core.bank_values import EMPTY_STRETCH, Stretch
from streamguard.core.types import Match, Region


@dataclass(frozen=True, slots=True)
class Banks:
    """Several banks that are queried as one."""

    banks: tuple[Bank, ...]

    def query(self, pdq: NDArray[np.uint8], region: Region) -> list[Match]:
        """Find what is near one hash in any bank, nearest first; see Bank.query."""
        matches = [match for bank in self.banks for match in bank.query(pdq, region)]
        return sorted(matches, key=lambda match: match.distance_bits)

    def near(self, bank: str, entry: str, at_us: int, within_us: int) -> Stretch:
        """Give the hashes of one bank's entry around a time; see Bank.near."""
        for held in self.banks:
            if held.name == bank:
                return held.near(entry, at_us, within_us)
        return EMPTY_STRETCH

    @property
    def names(self) -> tuple[str, ...]:
        """Name the banks, in their order."""
        return tuple(bank.name for bank in self.banks)

    def only(self, names: Collection[str]) -> "Banks":
        """Give those of these names; the snapshots stay the same."""
        return Banks(tuple(bank for bank in self.banks if bank.name in names))

    @property
    def revision(self) -> tuple[int, ...]:
        """Tell the revision of each bank: what was asked before an edit may be asked anew."""
        return tuple(bank.revision for bank in self.banks)
