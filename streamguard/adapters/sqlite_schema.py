"""The tables of the event log, and how a log of an older version gets those of this one.

Rule: a step only adds, and runs whole or not at all: a crash in the middle leaves the older log.
"""

import apsw

SCHEMA_VERSION = 5
"""Kept in the file as `user_version`; 2 added the tables of delivery to a broker, 3 those of
sessions that go on, 4 what lets an urgent flag overtake, and the account of what was delivered, 5
what a webhook refused."""

APPLICATION_ID = 0x53674C67
"""Kept in the file ("SgLg"), so that no other SQLite database is taken for a log."""

_EVENTS = f"""
PRAGMA journal_mode = WAL;
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE events (
    offset INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    type TEXT NOT NULL,
    recorded_s REAL NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_topic ON events (topic, offset);
CREATE TABLE groups (
    name TEXT PRIMARY KEY,
    next_offset INTEGER NOT NULL,
    committed_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""
_DELIVERY = """
CREATE TABLE delivery (
    topic TEXT PRIMARY KEY,
    next_offset INTEGER NOT NULL,
    broker_offsets TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE dead (
    offset INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    topic TEXT NOT NULL,
    problem TEXT NOT NULL,
    buried_s REAL NOT NULL,
    body TEXT NOT NULL
) STRICT;
"""
_SESSIONS = """
CREATE TABLE sessions (
    stream_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    account BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE open_flags (
    flag_id TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
_OVERTAKING = """
ALTER TABLE events ADD COLUMN severity TEXT;
CREATE INDEX events_urgent ON events (topic, offset, key) WHERE severity = 'P0';
CREATE INDEX events_by_key ON events (topic, key, offset);
CREATE TABLE ahead (
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX ahead_by_offset ON ahead (topic, next_offset);
CREATE TABLE tally (
    topic TEXT PRIMARY KEY,
    committed INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO tally
SELECT topic,
    (SELECT count(*) FROM alive WHERE alive.topic = known.topic)
        + (SELECT count(*) FROM dead WHERE dead.topic = known.topic),
    (SELECT count(*) FROM alive WHERE alive.topic = known.topic AND offset < ifnull(
        (SELECT next_offset FROM delivery WHERE delivery.topic = known.topic), 1))
FROM (SELECT topic FROM events UNION SELECT topic FROM dead) AS known;
""".replace("alive WHERE", "events AS alive WHERE offset NOT IN (SELECT offset FROM dead) AND")
"""Flags of older versions have no severity here: those that wait go out in the log's order."""

_PUT_ASIDE = """
CREATE TABLE put_aside (
    group_name TEXT NOT NULL,
    offset INTEGER NOT NULL,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    recorded_s REAL NOT NULL,
    body TEXT NOT NULL,
    problem TEXT NOT NULL,
    aside_s REAL NOT NULL,
    PRIMARY KEY (group_name, offset)
) STRICT, WITHOUT ROWID;
"""

_STEPS = (_EVENTS, _DELIVERY, _SESSIONS, _OVERTAKING, _PUT_ASIDE)
"""Each makes the next version out of the one before; the first one makes the file."""


def make_tables(connection: apsw.Connection) -> None:
    """Make the tables of a log in an empty file."""
    connection.execute(_EVENTS).fetchall()  # a pragma's row would stop it midway
    connection.execute("PRAGMA user_version = 1").fetchall()
    bring_up(connection)


def bring_up(connection: apsw.Connection) -> None:
    """Make a log of an older version one of this version; waits for other writers."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(connection)  # another process may have done it meanwhile
        for step in _STEPS[version:]:
            connection.execute(step).fetchall()
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}").fetchall()
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def version_of(connection: apsw.Connection) -> int:
    """Read which version of these tables a log has."""
    rows = connection.execute("PRAGMA user_version").fetchall()
    return int(str(rows[0][0]))
