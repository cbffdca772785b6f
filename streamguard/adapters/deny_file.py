"""The deny list in the enforcer's file, as somebody changes it by hand while the enforcer works.

Rule: one entry at a time, committed at once; the enforcer sees that the file was changed.
"""

import os
from pathlib import Path
from threading import Lock
from typing import Any

import apsw

from streamguard.adapters import sqlite_action_statements as sql
from streamguard.adapters.sqlite_action_tables import make_action_tables
from streamguard.adapters.sqlite_file import BUSY_TIMEOUT_MS, translated
from streamguard.core.denials import Denial, Place


class DenyFile:
    """The list, over a connection of its own; methods may raise LogUnavailable."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make it where there is none.

        Raises:
            ConfigError: another version of streamguard wrote it.
            LogUnavailable: it cannot be opened or made.
        """
        self._path = path.absolute()
        self._turn = Lock()
        with translated(self._path):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = apsw.Connection(str(self._path))
            self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            make_action_tables(self._connection, self._path)

    def denials(self) -> list[Denial]:
        """Give all entries, those of decisions as well, by stream."""
        with self._turn, translated(self._path):
            rows: list[Any] = self._connection.execute(sql.DENIALS).fetchall()
        return [Denial(*row) for row in rows]

    def add(self, one: Denial) -> None:
        """Put an entry in, instead of the one at its place."""
        values = (*one.place, one.decision_id, one.since_s, one.until_s)
        with self._turn, translated(self._path):
            self._connection.execute(sql.DENY, values).fetchall()

    def remove(self, place: Place) -> None:
        """Take an entry out, if it is there."""
        with self._turn, translated(self._path):
            self._connection.execute(sql.ALLOW, place).fetchall()

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        with self._turn, translated(self._path):
            self._connection.close()
