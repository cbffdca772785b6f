"""Banks that follow their files: whoever asks gets the newest snapshot.

Rule: a bank that cannot be read any more stays in force as it was last read, and says so. Asking is
cheap: the files are looked at 100 times a second at most.
"""

import time
from collections.abc import Callable
from pathlib import Path

from streamguard.adapters.bank_reader import BankReader
from streamguard.core.bank import Bank
from streamguard.core.errors import BankError

LOOK_EVERY_S = 0.01
"""Least seconds between two looks at the files, of 3 us each: an edit, which takes 2 to 10 ms to be
written, is seen well within the promised 50 ms."""

RETRY_EVERY_S = 1.0
"""Least seconds to the next look where the last one failed: a damaged file is read each time."""


class LiveBank:
    """One bank that follows its files; one thread asks.

    problem: why what is newest cannot be read; None while all is well.
    """

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Open a bank.

        Raises:
            BankError: there is none, it cannot be read, or it is damaged.
        """
        self.name = directory.resolve().name
        self._clock = clock
        self._reader = BankReader(directory)
        self._snapshot = self._reader.newest()[0].editor.snapshot()
        self.problem: str | None = None
        self._look_at_s = 0.0

    def current(self) -> Bank:
        """Give the newest snapshot; the same object as before while the files stay as they are."""
        now_s = self._clock()
        if now_s >= self._look_at_s:
            self._look(now_s)
        return self._snapshot

    def _look(self, now_s: float) -> None:
        try:
            opened, is_new = self._reader.newest()
        except BankError as error:
            self.problem = str(error)
            self._look_at_s = now_s + RETRY_EVERY_S
            return
        self.problem = None
        self._look_at_s = now_s + LOOK_EVERY_S
        if is_new:
            self._snapshot = opened.editor.snapshot()


def open_bank(directory: Path) -> Bank:
    """Give the newest snapshot of a bank.

    Raises:
        BankError: there is none, it cannot be read, or it is damaged.
    """
    return BankReader(directory).newest()[0].editor.snapshot()
