"""The file `records.db` in a bank's directory: the records that the bank's imported entries follow.

Rule: what is committed here decides; the bank is its projection, and `entries` says how far the
bank has followed. One process at a time takes in records (`records.lock`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import apsw

from streamguard.core.errors import RecordsUnavailable

RECORDS_FILE = "records.db"
LOCK_FILE = "records.lock"
"""Held by whoever takes records in."""

SCHEMA_VERSION = 2
"""Kept in the file as `user_version`."""

APPLICATION_ID = 0x53675263
"""Kept in the file ("SgRc"), so that no other SQLite database is taken for records."""

BUSY_TIMEOUT_MS = 5_000
"""How long to wait for another process that is writing."""

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS records (
    source TEXT NOT NULL,
    record_id TEXT NOT NULL,
    body TEXT NOT NULL,              -- the record, one line of JSON
    generation INTEGER NOT NULL,     -- the whole list of its source in which it was last seen
    updated_us INTEGER,              -- microseconds since 1970 UTC, as its source says
    expires_us INTEGER,
    is_deleted INTEGER NOT NULL,
    problem TEXT,                    -- why it is set aside
    is_let_in INTEGER NOT NULL,      -- a person let it in, whatever the problem
    entry TEXT,                      -- key of its bank entry while it is live, else null
    pdq BLOB,
    offset_ms INTEGER,               -- within its video; null for a still image
    variant INTEGER NOT NULL,
    policy TEXT,
    max_distance INTEGER,
    is_seed INTEGER NOT NULL,        -- nobody has confirmed it: it is matched in the shadow
    PRIMARY KEY (source, record_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS records_by_entry ON records (entry) WHERE entry IS NOT NULL;
CREATE INDEX IF NOT EXISTS live_records ON records (source) WHERE entry IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_by_expiry ON records (expires_us)
    WHERE entry IS NOT NULL AND expires_us IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_set_aside ON records (source) WHERE problem IS NOT NULL;
CREATE TABLE IF NOT EXISTS entries (
    name TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    digest BLOB,                     -- of what the bank should hold; null where nothing
    is_applied INTEGER NOT NULL      -- the bank has followed
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_key ON entries (key);
CREATE INDEX IF NOT EXISTS entries_to_apply ON entries (name) WHERE is_applied = 0;
CREATE TABLE IF NOT EXISTS holds (
    key TEXT PRIMARY KEY,            -- a person took this entry out: it stays out
    name TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS limits (
    name TEXT PRIMARY KEY,           -- a person set limits for this entry: they stay
    key TEXT NOT NULL,
    given TEXT NOT NULL              -- JSON: core.types.Limits, what was set of it
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS limits_by_key ON limits (key);
CREATE TABLE IF NOT EXISTS sources (
    source TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,     -- counts its whole lists
    cursor TEXT,                     -- where its exchange goes on
    is_open INTEGER NOT NULL,        -- a sync has begun that has not come to its end
    is_refetching INTEGER NOT NULL,  -- a whole list is coming, page by page
    started_us INTEGER NOT NULL,     -- of the sync that runs, or ran last
    completed_us INTEGER,            -- start of the last sync that came to its end
    settings TEXT NOT NULL           -- digest of the settings by which its records were made
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS staged (
    source TEXT NOT NULL,            -- what came of a list whose rest is to come
    record_id TEXT NOT NULL,
    updated_us INTEGER,
    item TEXT NOT NULL,              -- the record, one line of JSON, or why it can be none
    is_usable INTEGER NOT NULL,
    PRIMARY KEY (source, record_id)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT
"""
_VERSIONS = "SELECT * FROM pragma_application_id, pragma_user_version"

_AGAIN = "move it away, and import the lists again"
_NO_RECORDS = f"this is no file of records: {_AGAIN}"
_NO_RIGHT = "this user may not write it: give the right to write the file and its directory"
_REMEDIES = {
    apsw.FullError: "the disk is full: free some space, then try again",
    apsw.IOError: "reading or writing failed: check the disk and its free space",
    apsw.ReadOnlyError: _NO_RIGHT,
    apsw.CantOpenError: _NO_RIGHT,
    apsw.PermissionsError: _NO_RIGHT,
    apsw.NotADBError: _NO_RECORDS,
    apsw.CorruptError: f"it is damaged: {_AGAIN}",
    apsw.BusyError: "another process is writing it: try again when that is done",
}


class RecordsFile:
    """One connection to the records behind a bank; one thread."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self._path, self._connection = path, connection

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Connect to the records of a bank; file and directory are made where missing.

        Raises:
            RecordsUnavailable: they cannot be made or read, or another version wrote them.
        """
        path = directory / RECORDS_FILE
        with translated(path):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            return cls(path, _connected(path))

    @classmethod
    def copy_of(cls, directory: Path) -> Self:
        """Connect to a private copy, which nobody sees and which goes with the connection."""
        path = directory / RECORDS_FILE
        with translated(path):
            copy = apsw.Connection("")
            if path.exists():
                original = _connected(path, apsw.SQLITE_OPEN_READONLY)
                with copy.backup("main", original, "main") as backup:
                    backup.step()
                original.close()
            _prepare(path, copy)
        return cls(path, copy)

    @classmethod
    def look_at(cls, directory: Path) -> Self:
        """Connect for reading alone; where there are no records, to none.

        Raises:
            RecordsUnavailable: they cannot be read, or another version wrote them.
        """
        path = directory / RECORDS_FILE
        if not path.exists():
            return cls.copy_of(directory)
        with translated(path):
            return cls(path, _connected(path, apsw.SQLITE_OPEN_READONLY))

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Read all rows at once."""
        with translated(self._path):
            return self._connection.execute(statement, values).fetchall()

    def each(self, statement: str, values: tuple[Any, ...] = ()) -> Iterator[Any]:
        """Read row by row; nothing may be written meanwhile."""
        with translated(self._path):
            yield from self._connection.execute(statement, values)

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """Commit on success, roll back on any error."""
        with translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        self._connection.close()


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the world does to the file into RecordsUnavailable; mistakes of ours pass."""
    try:
        yield
    except tuple(_REMEDIES) as error:
        raise RecordsUnavailable(f"records {path}: {_REMEDIES[type(error)]}") from None
    except OSError as error:
        raise RecordsUnavailable(f"records {path}: {error.strerror}: {_NO_RIGHT}") from None


def _connected(path: Path, flags: int = apsw.SQLITE_OPEN_READWRITE) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute("PRAGMA synchronous = FULL").fetchall()
    _prepare(path, connection)
    return connection


def _prepare(path: Path, connection: apsw.Connection) -> None:
    """Make the tables in an empty file; refuse what is no file of records, or of a later one."""
    found: list[Any] = connection.execute(_VERSIONS).fetchall()
    ((application, version),) = found
    if (application, version) == (0, 0) and not connection.execute(
        "SELECT 1 FROM sqlite_schema LIMIT 1"
    ).fetchall():
        connection.execute(_SCHEMA).fetchall()
    elif application != APPLICATION_ID:
        raise RecordsUnavailable(f"records {path}: {_NO_RECORDS}")
    elif version != SCHEMA_VERSION:
        remedy = "upgrade streamguard" if version > SCHEMA_VERSION else _AGAIN
        raise RecordsUnavailable(
            f"records {path}: another version of streamguard wrote it (schema {version}, this one"
            f" has {SCHEMA_VERSION}): {remedy}"
        )
