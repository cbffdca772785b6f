"""The tables of the enforcer's file.

Rule: a file of another version is left as it is, and refused.
"""

from pathlib import Path
from typing import Any

import apsw

from streamguard.core.errors import ConfigError

SCHEMA_VERSION = 1
"""Kept in the file as `user_version`."""

_SETTINGS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
_TABLES = """
CREATE TABLE IF NOT EXISTS actions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    action_id TEXT NOT NULL UNIQUE,
    decision_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    stream_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    act TEXT NOT NULL,
    is_automatic INTEGER NOT NULL,
    taken_s REAL NOT NULL,
    body TEXT NOT NULL,
    stage TEXT NOT NULL DEFAULT 'taken',
    path TEXT,
    n_attempts INTEGER NOT NULL DEFAULT 0,
    outcome TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS actions_open ON actions (number) WHERE outcome IS NULL;
CREATE INDEX IF NOT EXISTS actions_by_stream ON actions (stream_id, scope, number);
CREATE INDEX IF NOT EXISTS actions_automatic ON actions (taken_s) WHERE is_automatic;
CREATE INDEX IF NOT EXISTS actions_by_case ON actions (case_id, number);
CREATE INDEX IF NOT EXISTS actions_restores ON actions (taken_s) WHERE act = 'restore';
CREATE TABLE IF NOT EXISTS denials (
    stream_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    case_id TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    since_s REAL NOT NULL,
    until_s REAL,
    PRIMARY KEY (stream_id, kind, case_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holds (
    stream_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    server TEXT NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    moved_path TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    until_s REAL,
    is_ending INTEGER NOT NULL,
    PRIMARY KEY (stream_id, case_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ending (
    decision_id TEXT PRIMARY KEY,
    until_s REAL NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS breaker (
    open_until_s REAL NOT NULL
) STRICT;
"""
_VERSION = "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version"


def make_action_tables(connection: apsw.Connection, path: Path) -> None:
    """Make what is not there.

    Raises:
        ConfigError: another version of streamguard wrote the file.
    """
    rows: list[Any] = connection.execute(_VERSION).fetchall()
    ((version, n_tables),) = rows
    if n_tables and version != SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: another version of streamguard wrote it: move it away, and decide anew whom"
            " it kept out"
        )
    connection.execute(_SETTINGS).fetchall()
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_TABLES).fetchall()
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}").fetchall()
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
