"""Says that a large bank is being put in order, for whoever waits at a terminal.

Rule: it is said before the wait, on stderr, and only where there is one.
"""

import sys

from streamguard.core.bank import Bank

TOLD_FROM_HASHES = 500_000
"""Below, a bank is in order within a second."""

HASHES_A_SECOND = 500_000
"""Measured: ten million hashes take 21 s on one core of an AMD EPYC, disk and slots included."""


def tell_compaction(bank: Bank) -> None:
    """Say what takes so long; called after the edit, before the bank is put in order."""
    if bank.n_hashes >= TOLD_FROM_HASHES:
        about_s = round(bank.n_hashes / HASHES_A_SECOND)
        print(
            f"{bank.name}: the edit is in force; {bank.n_hashes} hashes are being put in order,"
            f" about {about_s} s, which may be broken off; others go on editing and matching",
            file=sys.stderr,
        )
