"""The file that reviewers work with: what follows from the log, and what only they know.

Rule: the tables of the first kind can be thrown away at any time, for they are made anew from the
log; those of the second kind hold accounts, sessions, leases and what people looked at. Of the
deciding nothing is here that is not in the log first.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import apsw

from streamguard.core.errors import DeskUnavailable
from streamguard.review.desk_tables import FROM_LOG, OF_THE_DESK, SCHEMA_VERSION, TO_2, TO_3

APPLICATION_ID = 0x53675276
"""Kept in the file ("SgRv"), so that no other database is taken for one of these."""

BUSY_TIMEOUT_MS = 5_000
"""How long to wait for another console that is writing."""

OPENING_TIMEOUT_MS = 60_000
"""How long whoever starts waits: others that write all the while keep no console from starting."""

_SETTINGS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
_VERSIONS = "SELECT * FROM pragma_application_id, pragma_user_version"


class DeskFile:
    """One connection to the file; threads take turns, consoles wait for one another."""

    def __init__(self, path: Path) -> None:
        """Open it, and make it private and empty where there is none.

        Raises:
            DeskUnavailable: it cannot be, or it is something else.
        """
        self.path = path.absolute()
        self._turn = RLock()
        with self._translated():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self.connection = apsw.Connection(str(self.path))
            self.connection.set_busy_timeout(OPENING_TIMEOUT_MS)
            self._make_tables()
            self.connection.set_busy_timeout(BUSY_TIMEOUT_MS)

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Read at once."""
        with self._turn, self._translated():
            return self.connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """Commit on success, roll back on any error; nobody else writes meanwhile.

        One within another is part of it.
        """
        with self._turn, self._translated():
            if self._is_changing():
                yield self.connection
                return
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            finally:
                if self._is_changing():
                    self.connection.execute("ROLLBACK")

    @contextmanager
    def attached(self, path: Path) -> Iterator[apsw.Connection]:
        """Do the same while another file of this kind can be read as `anew`."""
        with self._turn, self._translated():
            self.connection.execute("ATTACH ? AS anew", (str(path),)).fetchall()
            try:
                with self.transaction() as connection:
                    yield connection
            finally:
                self.connection.execute("DETACH anew").fetchall()

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        with self._turn, self._translated():
            self.connection.close()

    def _is_changing(self) -> bool:
        return bool(self.connection.in_transaction)

    def _make_tables(self) -> None:
        versions: list[Any] = self.connection.execute(_VERSIONS).fetchall()
        ((application, version),) = versions
        if application not in {0, APPLICATION_ID} or version > SCHEMA_VERSION:
            raise DeskUnavailable(f"{self.path}: this is no desk of this version of streamguard")
        self.connection.execute(_SETTINGS).fetchall()
        with self.transaction() as connection:
            version = connection.execute("PRAGMA user_version").get  # another may have changed it
            for before, change in ((1, TO_2), (2, TO_3)):
                if 0 < version <= before:
                    connection.execute(change).fetchall()
            connection.execute(FROM_LOG).fetchall()
            connection.execute(OF_THE_DESK).fetchall()
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}").fetchall()
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}").fetchall()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what the world does to the file into DeskUnavailable."""
        try:
            yield
        except (
            apsw.FullError,
            apsw.IOError,
            apsw.ReadOnlyError,
            apsw.CantOpenError,
            apsw.PermissionsError,
            apsw.NotADBError,
            apsw.CorruptError,
            apsw.BusyError,
        ) as error:
            said = type(error).__name__.removesuffix("Error").lower()
            raise DeskUnavailable(f"{self.path}: cannot be used ({said})") from None
        except OSError as error:
            raise DeskUnavailable(f"{self.path}: {error.strerror}") from None
