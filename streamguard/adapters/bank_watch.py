"""Checks every byte of the banks in force, in a thread of its own, while they are in use.

Rule: a large bank is in use from its first second; damage in it is told when it is found. The
thread takes a quarter of one core at most, and reads nothing twice.
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from streamguard.adapters.bank_base import base_damage
from streamguard.adapters.bank_dir import map_file, read_current
from streamguard.adapters.bank_layout import Damaged
from streamguard.core.errors import BankError

LOOK_EVERY_S = 60.0
"""How often it is looked for new bases, which compactions make."""

_REST = 3.0
"""Rests so many times as long as it worked: 4 MiB take 1 ms, so 10 million entries take 1 s."""


class BankWatch:
    """The thread, as a context manager.

    on_damage: is told of each damaged file once, in that thread: the bank's directory and what is
        wrong.
    """

    def __init__(self, directories: Sequence[Path], on_damage: Callable[[Path, str], None]) -> None:
        self._directories = directories
        self._on_damage = on_damage
        self._checked: dict[Path, int] = {}  # directory: number of the base
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bank-watch", daemon=True)
        self.damaged: frozenset[Path] = frozenset()
        """Directories of the banks whose bases are damaged."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            for directory in self._directories:
                self._look(directory)
            self._stop.wait(LOOK_EVERY_S)

    def _look(self, directory: Path) -> None:
        """Check the base of a bank that was not checked yet."""
        try:
            current = read_current(directory)
            if self._checked.get(directory) == current.base:
                return
            raw = map_file(directory / current.base_file)
        except (BankError, FileNotFoundError):
            return  # who follows the bank says so; the next look may find it again
        problem = self._problem(raw)
        if self._stop.is_set():
            return
        self._checked[directory] = current.base
        self.damaged -= {directory}
        if problem is not None:
            self.damaged |= {directory}
            self._on_damage(directory, f"{current.base_file}: {problem}")

    def _problem(self, raw: memoryview) -> str | None:
        """Find the first thing that is wrong with a base, slowly."""
        started_s = time.monotonic()
        try:
            for problem in base_damage(raw):
                if problem is not None:
                    return problem
                if self._stop.wait(_REST * (time.monotonic() - started_s)):
                    return None
                started_s = time.monotonic()
        except Damaged as damaged:
            return str(damaged)
        return None
