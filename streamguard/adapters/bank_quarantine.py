"""Sets entries of banks aside, and lets them in again, in the files of the banks.

Rule: who runs it may write the banks; where that is not so, the error says it and nothing changes.
"""

from collections.abc import Sequence
from pathlib import Path

from streamguard.adapters.bank_file import amend_entry
from streamguard.core.hubs import Key, reason_until


class BankQuarantine:
    """The banks of some directories, by name."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = {directory.resolve().name: directory for directory in directories}

    def set_aside(self, key: Key, until_s: float) -> None:
        """Let an entry match nothing until an instant, seconds since 1970 UTC.

        Raises:
            BankError: the bank cannot be written, or has no such entry.
        """
        bank, entry = key
        reason = reason_until(until_s)
        amend_entry(self._directories[bank], entry, quarantined=True, reason=reason)

    def let_in(self, key: Key) -> None:
        """Let an entry match again.

        Raises:
            BankError: the bank cannot be written, or has no such entry.
        """
        bank, entry = key
        amend_entry(self._directories[bank], entry, quarantined=False)
