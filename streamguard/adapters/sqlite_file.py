"""The file of the event log: its tables, how it is made, opened and shared, what its errors mean.

Rule: nobody ever sees half of a log; it is made aside and linked into place, once. Nothing is
committed behind what a sync may have lost.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import apsw

from streamguard.adapters.sqlite_schema import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    bring_up,
    make_tables,
)
from streamguard.core.errors import ConfigError, LogUnavailable

BUSY_TIMEOUT_MS = 5_000
"""How long to wait for another process that is writing."""

WAL_KEPT_BYTES = 16 * 1024 * 1024
"""What a burst leaves of the write-ahead log once it is checkpointed; usually it is 4 MB."""

CHECKPOINT_PAGES = 1_000
"""Of 4 KiB in the write-ahead log, from which on they are brought into the file: SQLite's own."""

LATE_CHECKPOINT_PAGES = 3_000
"""From which on a commit does it, where nobody does it beside: it takes 10 to 30 ms (measured)."""

_SETTINGS = (
    f"PRAGMA synchronous = FULL; PRAGMA journal_size_limit = {WAL_KEPT_BYTES};"
    f" PRAGMA wal_autocheckpoint = {LATE_CHECKPOINT_PAGES}"
)
_LAZY = "PRAGMA synchronous = NORMAL"
_VERSIONS = "SELECT * FROM pragma_application_id, pragma_user_version"

_NO_LOG = "this is no event log: move it away, and a new one will be made"
_NO_RIGHT = "this user may not write it: give the right to write the file and its directory"
_REMEDIES = {
    apsw.FullError: "the disk is full: free some space, and it goes on",
    apsw.IOError: "reading or writing failed: check the disk, its free space and file size limits",
    apsw.ReadOnlyError: _NO_RIGHT,
    apsw.CantOpenError: _NO_RIGHT,
    apsw.PermissionsError: _NO_RIGHT,
    apsw.NotADBError: _NO_LOG,
    apsw.CorruptError: "it is damaged: move it away with its -wal file, a new one will be made",
    apsw.BusyError: "another process has been writing for 5 s: find out which, or try again",
    apsw.ProtocolError: "other processes hold its locks: find out which, or try again",
}

_FAILED_SYNCS = frozenset({apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC})
"""After one of these the kernel takes what it could not write for written: the next sync of the
same descriptor succeeds. Source: https://wiki.postgresql.org/wiki/Fsync_Errors"""


def make_if_missing(path: Path) -> None:
    """Make an empty log, readable by this user alone, unless there is one.

    The link reaches the disk with the first commit: SQLite syncs the directory of a new -wal file.
    """
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=".new-log-") as folder:
        fresh = Path(folder, "log")
        fresh.touch(mode=0o600)  # the -wal and -shm files take the mode of this one
        connection = apsw.Connection(str(fresh))
        make_tables(connection)
        connection.close()
        with suppress(FileExistsError):  # another process was first
            os.link(fresh, path)


class LogFile:
    """One connection to a log; threads take turns on it."""

    def __init__(
        self, path: Path, *, make: bool = False, read_only: bool = False, is_lazy: bool = False
    ) -> None:
        """Connect, and make the file first where there is none and `make` says so.

        is_lazy: commits of this connection wait for no disk. A power cut may undo the last of them,
            in order, and never one of another connection that waited: its sync takes these along.

        Raises:
            ConfigError: there is none and none is to be made.
            LogUnavailable: it cannot be made or opened, or another version wrote it.
        """
        self._path = path.absolute()
        self._turn = Lock()
        self._is_read_only, self._is_lazy = read_only, is_lazy
        self._has_lost_sync = False
        with translated(self._path):
            if make:
                make_if_missing(self._path)
            self.connection = self._connect()

    def rows(self, statement: str, values: tuple[str | int, ...] = ()) -> list[Any]:
        """Read at once, so that no open statement keeps the write-ahead log from shrinking."""
        with self._trusted() as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """Commit on success, roll back on any error; waits for other writers at its start.

        Not `with connection`, which keeps all other threads from running while it waits (measured).
        """
        with self._trusted() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file, where that is worth it; waits for nobody.

        Raises:
            LogUnavailable: that failed.
        """
        with self._trusted() as connection:
            n_pages, n_done = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
            if n_pages - n_done >= CHECKPOINT_PAGES:
                with suppress(apsw.BusyError):  # somebody else is at it
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    @contextmanager
    def _trusted(self) -> Iterator[apsw.Connection]:
        """Give a turn on the connection; on a new one where a sync of the last one failed.

        What the write-ahead log holds is brought into the file before anything follows it: a
        recovery stops at the first page of it that did not reach the disk.
        """
        with self._turn, translated(self._path):
            if self._has_lost_sync:
                self._renew()
            try:
                yield self.connection
            except apsw.IOError as error:
                self._has_lost_sync = getattr(error, "extendedresult", 0) in _FAILED_SYNCS
                raise

    def _renew(self) -> None:
        """Go on with a new connection; the old one stays until that has made all good.

        Without it what a failed commit left in the write-ahead log would be taken for committed.
        """
        fresh = self._connect()
        with ExitStack() as undo:
            undo.callback(fresh.close)
            fresh.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            undo.pop_all()
        old, self.connection, self._has_lost_sync = self.connection, fresh, False
        old.close()

    def _connect(self) -> apsw.Connection:
        connection = connect(self._path, read_only=self._is_read_only)
        if self._is_lazy:
            connection.execute(_LAZY)
        return connection

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        with self._turn, translated(self._path):
            self.connection.close()


def connect(path: Path, *, read_only: bool) -> apsw.Connection:
    """Connect to a log that exists; one of an older version is brought up to this one.

    Raises:
        ConfigError: there is none.
        LogUnavailable: it is no log, or a newer streamguard wrote it.
    """
    if not path.exists():
        raise ConfigError(f"no event log at {path}: start `streamguard run` first")
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute(_SETTINGS).fetchall()
    versions: list[Any] = connection.execute(_VERSIONS).fetchall()
    ((application, version),) = versions
    if application != APPLICATION_ID:
        raise LogUnavailable(f"event log {path}: {_NO_LOG}")
    if not 1 <= version <= SCHEMA_VERSION:
        raise LogUnavailable(
            f"event log {path}: another version of streamguard wrote it (schema {version}, this"
            f" one has {SCHEMA_VERSION}): upgrade streamguard"
        )
    if version < SCHEMA_VERSION and not read_only:
        bring_up(connection)
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the world does to the file into LogUnavailable; mistakes of ours pass unchanged."""
    try:
        yield
    except tuple(_REMEDIES) as error:
        raise LogUnavailable(f"event log {path}: {_REMEDIES[type(error)]}") from None
    except OSError as error:
        raise LogUnavailable(
            f"event log {path}: {error.strerror}: let this user make files in its directory"
        ) from None
