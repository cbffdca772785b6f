"""A disk whose syncs fail when a test says so.

Rule: all else is SQLite's usual way to the disk.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

FAILS = apsw.SQLITE_IOERR_FSYNC


class FailingDisk(apsw.VFS):
    """All files as usual, but for syncs.

    n_good:   so many more syncs succeed; None for all of them.
    n_opened: how often a write-ahead log was opened.
    """

    def __init__(self) -> None:
        self.usual = apsw.vfs_names()[0]
        super().__init__("failing", self.usual, makedefault=True)
        self.n_good: int | None = None
        self.n_opened = 0

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  # SQLite's name
        self.n_opened += bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        return FailingFile(name, flags, self)


class FailingFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], disk: FailingDisk) -> None:
        super().__init__(disk.usual, name, flags)
        self._disk = disk

    def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name
        if self._disk.n_good is not None:
            self._disk.n_good -= 1
            if self._disk.n_good < 0:
                raise apsw.exception_for(FAILS)
        super().xSync(flags)


@contextmanager
def failing_disk() -> Iterator[FailingDisk]:
    """Have all that is opened meanwhile go by it; open nothing for reading alone."""
    failing = FailingDisk()
    try:
        yield failing
    finally:
        apsw.set_default_vfs(failing.usual)
        failing.unregister()
