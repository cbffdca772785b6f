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

APPLICATION_ID = 0x53675276
"""Kept in the file ("SgRv"), so that no other database is taken for one of these."""

SCHEMA_VERSION = 2
"""2 added when somebody passed a case on, and when they last did something with one."""

_TO_2 = """
ALTER TABLE skips ADD COLUMN at_s REAL NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN active_s REAL NOT NULL DEFAULT 0;
"""

BUSY_TIMEOUT_MS = 5_000
"""How long to wait for another console that is writing."""

OPENING_TIMEOUT_MS = 60_000
"""How long whoever starts waits: others that write all the while keep no console from starting."""

FROM_LOG = """
CREATE TABLE IF NOT EXISTS place (next_offset INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS cases (
    case_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    policy TEXT NOT NULL,
    stage TEXT NOT NULL,
    urgency INTEGER NOT NULL,
    opened_s REAL NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS cases_by_session ON cases (session_id, policy, opened_s);
CREATE INDEX IF NOT EXISTS cases_waiting ON cases (urgency) WHERE stage <> 'decided';
CREATE TABLE IF NOT EXISTS case_flags (
    flag_id TEXT PRIMARY KEY, case_id TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS flags_by_case ON case_flags (case_id);
CREATE TABLE IF NOT EXISTS live_sessions (
    session_id TEXT PRIMARY KEY, is_live INTEGER NOT NULL, n_viewers INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decisions (
    decision_id TEXT PRIMARY KEY, case_id TEXT NOT NULL, decided_s REAL NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS decisions_by_case ON decisions (case_id, decided_s);
CREATE INDEX IF NOT EXISTS decisions_by_time ON decisions (decided_s);
CREATE INDEX IF NOT EXISTS decisions_off_air ON decisions (decided_s)
WHERE json_extract(body, '$.action') IN ('hold', 'cut', 'cut_and_suspend');
CREATE INDEX IF NOT EXISTS decisions_by_stream
ON decisions (json_extract(body, '$.stream.stream_id'));
CREATE INDEX IF NOT EXISTS decisions_by_end ON decisions (json_extract(body, '$.expires_at'));
CREATE TABLE IF NOT EXISTS actions (
    action_id TEXT PRIMARY KEY,
    decision_id TEXT NOT NULL,
    act TEXT NOT NULL,
    scope TEXT NOT NULL,
    state TEXT NOT NULL,
    how TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS actions_by_decision ON actions (decision_id);
CREATE TABLE IF NOT EXISTS referrals (
    referral_id TEXT PRIMARY KEY, case_id TEXT NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS referrals_by_case ON referrals (case_id);
CREATE TABLE IF NOT EXISTS skips (
    case_id TEXT NOT NULL, account_id TEXT NOT NULL, at_s REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (case_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS skips_by_time ON skips (at_s);
CREATE TABLE IF NOT EXISTS gaps (
    number INTEGER PRIMARY KEY, session_id TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS gaps_by_session ON gaps (session_id, number);
CREATE TABLE IF NOT EXISTS appeals (
    appeal_id TEXT PRIMARY KEY,
    case_id TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    policy TEXT NOT NULL,
    received_s REAL NOT NULL,
    body TEXT NOT NULL,
    resolved TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS appeals_waiting ON appeals (received_s) WHERE resolved IS NULL;
CREATE TABLE IF NOT EXISTS bankings (
    case_id TEXT PRIMARY KEY,
    decision_id TEXT NOT NULL,
    act TEXT NOT NULL,
    bank TEXT NOT NULL,
    n_hashes INTEGER,
    why TEXT,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bankings_by_decision ON bankings (decision_id);
CREATE INDEX IF NOT EXISTS bankings_by_outcome ON bankings (why IS NULL, at DESC);
"""
"""What `projection` keeps."""

_OF_THE_DESK = """
CREATE TABLE IF NOT EXISTS leases (
    thing_id TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    claimed_s REAL NOT NULL,
    expires_s REAL NOT NULL,
    first_view_s REAL,
    active_s REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS leases_by_holder ON leases (holder);
CREATE TABLE IF NOT EXISTS accounts (
    account_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    clearance TEXT NOT NULL,
    password_hash TEXT,
    is_active INTEGER NOT NULL,
    made_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS web_sessions (
    token_sha256 BLOB PRIMARY KEY,
    account_id TEXT NOT NULL,
    csrf TEXT NOT NULL,
    made_s REAL NOT NULL,
    seen_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS oidc_tries (
    state_sha256 BLOB PRIMARY KEY,
    browser_sha256 BLOB NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    made_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (who TEXT NOT NULL, at_s REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS failures_by_who ON failures (who, at_s);
CREATE INDEX IF NOT EXISTS failures_by_time ON failures (at_s);
CREATE TABLE IF NOT EXISTS known_browsers (
    token_sha256 BLOB PRIMARY KEY, account_id TEXT NOT NULL, made_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS oidc_subjects (
    account_id TEXT PRIMARY KEY, issuer TEXT NOT NULL, subject TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS exposure (
    account_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    at_s REAL NOT NULL,
    stills INTEGER NOT NULL,
    clip_ms INTEGER NOT NULL,
    unblurred_ms INTEGER NOT NULL,
    audio_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS audience (
    session_id TEXT NOT NULL,
    at_s REAL NOT NULL,
    n_viewers INTEGER NOT NULL,
    PRIMARY KEY (session_id, at_s)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS audience_by_time ON audience (at_s);
CREATE INDEX IF NOT EXISTS exposure_by_account ON exposure (account_id, at_s);
CREATE INDEX IF NOT EXISTS exposure_by_time ON exposure (at_s);
CREATE TABLE IF NOT EXISTS strain (
    account_id TEXT NOT NULL, at_s REAL NOT NULL, strain_s REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS strain_by_time ON strain (at_s, account_id);
CREATE TABLE IF NOT EXISTS paged (at_s REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS incidents (
    incident_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    differs TEXT NOT NULL,
    declared_by TEXT NOT NULL,
    declared_s REAL NOT NULL,
    expires_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""

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
            if version == 1:
                connection.execute(_TO_2).fetchall()
            connection.execute(FROM_LOG).fetchall()
            connection.execute(_OF_THE_DESK).fetchall()
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
