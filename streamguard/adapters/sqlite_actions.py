"""What the enforcer must not forget: its actions, whom it keeps out, what it holds; an SQLite file.

Rule: a step is on disk before it is taken, so that after a crash it is known what may have been
done. The file holds paths of streams, which may be their keys: only its owner can read it.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import apsw

from streamguard.adapters.failpoint import reach
from streamguard.adapters.sqlite_file import BUSY_TIMEOUT_MS, translated
from streamguard.core.denials import Denial, Kind
from streamguard.core.enforcing import Stage
from streamguard.core.errors import ConfigError, LogUnavailable
from streamguard.core.orders import Order

_TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS actions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    action_id TEXT NOT NULL UNIQUE,
    stream_id TEXT NOT NULL,
    scope TEXT NOT NULL,
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
CREATE TABLE IF NOT EXISTS denials (
    stream_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    since_s REAL NOT NULL,
    until_s REAL,
    PRIMARY KEY (stream_id, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holds (
    stream_id TEXT PRIMARY KEY,
    server TEXT NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    moved_path TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    until_s REAL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decisions (
    decision_id TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
_LOCK = (os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
"""Held as long as the file is open: two enforcers would act twice."""

_TAKE = """
INSERT INTO actions (action_id, stream_id, scope, is_automatic, taken_s, body)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (action_id) DO NOTHING RETURNING number
"""
_OPEN = "SELECT body, stage, path, n_attempts FROM actions WHERE outcome IS NULL ORDER BY number"
_NEWER = """
SELECT 1 FROM actions WHERE stream_id = ?1 AND scope = ?2 AND number > (
    SELECT number FROM actions WHERE action_id = ?3
) LIMIT 1
"""
_NOTE = "UPDATE actions SET stage = ?, path = ?, n_attempts = ? WHERE action_id = ?"
_FINISH = "UPDATE actions SET outcome = ? WHERE action_id = ?"
_N_AUTOMATIC = """
SELECT count(*) FROM actions WHERE is_automatic AND taken_s > ? AND number < (
    SELECT number FROM actions WHERE action_id = ?
) AND json_extract(body, '$.act') = 'hold' AND (outcome IS NULL OR outcome = 'done')
"""
_DENY = "INSERT OR REPLACE INTO denials VALUES (?, ?, ?, ?, ?)"
_ALLOW = "DELETE FROM denials WHERE stream_id = ? AND kind = ?"
_HOLD = "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Kept:
    """An action that is not over.

    path: where its stream is published; None while nobody looked.
    """

    order: Order
    stage: Stage = "taken"
    path: str | None = field(default=None, repr=False)
    n_attempts: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """A stream that is kept from its viewers.

    path:       where its publisher thinks that it is.
    name:       the name that it was given instead, and moved_path where it therefore is.
    until_s:    when it ends by itself, seconds since 1970 UTC; None where it does not.
    """

    stream_id: str
    server: str
    path: str = field(repr=False)
    name: str
    moved_path: str = field(repr=False)
    decision_id: str
    until_s: float | None = None


class ActionStore:
    """The file, over one connection; threads take turns. Methods may raise LogUnavailable."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make it where there is none.

        Raises:
            ConfigError: another process works with it.
            LogUnavailable: it cannot be opened or made.
        """
        self._path = path.absolute()
        self._turn = Lock()
        with translated(self._path):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
            self._lock = os.open(self._path.with_name(f"{self._path.name}.lock"), *_LOCK)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ConfigError(f"{self._path}: another enforcer works with it: end that") from None
        try:
            with translated(self._path):
                self._connection = apsw.Connection(str(self._path))
                self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
                self._connection.execute(_TABLES).fetchall()
        except LogUnavailable:
            os.close(self._lock)
            raise

    def take(self, orders: Sequence[Order], decision: str) -> list[Order]:
        """Take orders up, and keep the decision that they carry out; give those that are new."""
        with self._transaction() as connection:
            new = [one for one in orders if connection.execute(_TAKE, _row(one)).fetchall()]
            if new:
                values = (new[0].decision_id, decision)
                connection.execute("INSERT OR IGNORE INTO decisions VALUES (?, ?)", values)
        reach("action_taken")
        return new

    def decision(self, decision_id: str) -> str | None:
        """Give a decision that was taken up, as it was told."""
        with self._turn, translated(self._path):
            found = self._connection.execute(
                "SELECT body FROM decisions WHERE decision_id = ?", (decision_id,)
            ).fetchall()
        return str(found[0][0]) if found else None

    def open_actions(self) -> list[Kept]:
        """Give the actions that are not over, in the order in which they were taken."""
        with self._turn, translated(self._path):
            rows: list[Any] = self._connection.execute(_OPEN).fetchall()
        return [Kept(_order(body), stage, path, n) for body, stage, path, n in rows]

    def is_superseded(self, order: Order) -> bool:
        """Say whether a later action is there for the same scope of the same stream."""
        values = (order.stream_id, order.scope, order.action_id)
        with self._turn, translated(self._path):
            return bool(self._connection.execute(_NEWER, values).fetchall())

    def note(self, kept: Kept, denial: Denial | None = None, hold: Hold | None = None) -> None:
        """Keep how far an action has come, and with it whom it keeps out or holds."""
        values = (kept.stage, kept.path, kept.n_attempts, kept.order.action_id)
        with self._transaction() as connection:
            connection.execute(_NOTE, values)
            if denial is not None:
                connection.execute(_DENY, _denial_row(denial))
            if hold is not None:
                connection.execute(_HOLD, _hold_row(hold))
        reach(f"action_{kept.stage}")

    def finish(self, order: Order, outcome: str) -> None:
        """Let an action be over."""
        with self._transaction() as connection:
            connection.execute(_FINISH, (outcome, order.action_id))
        reach("action_finished")

    def n_automatic(self, since_s: float, before: Order) -> int:
        """Count the holds by rules since an instant, seconds since 1970 UTC, before this one."""
        values = (since_s, before.action_id)
        with self._turn, translated(self._path):
            ((count,),) = self._connection.execute(_N_AUTOMATIC, values).fetchall()
        return int(str(count))

    def denials(self) -> list[Denial]:
        """Give whom the list keeps out."""
        with self._turn, translated(self._path):
            return [Denial(*row) for row in self._connection.execute("SELECT * FROM denials")]

    def allow(self, stream_id: str, kinds: Sequence[Kind] = ("publish", "play")) -> None:
        """Take a stream from the deny list."""
        with self._transaction() as connection:
            for kind in kinds:
                connection.execute(_ALLOW, (stream_id, kind))

    def holds(self) -> list[Hold]:
        """Give what is held."""
        with self._turn, translated(self._path):
            return [Hold(*row) for row in self._connection.execute("SELECT * FROM holds")]

    def let_go(self, stream_id: str) -> None:
        """Forget that a stream is held."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM holds WHERE stream_id = ?", (stream_id,))

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        with self._turn, translated(self._path):
            self._connection.close()
            if self._lock >= 0:
                os.close(self._lock)
            self._lock = -1

    @contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        with self._turn, translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")


def _row(order: Order) -> tuple[str | float, ...]:
    return (
        order.action_id,
        order.stream_id,
        order.scope,
        int(order.is_automatic),
        order.taken_s,
        json.dumps(asdict(order)),
    )


def _order(body: str) -> Order:
    return Order(**json.loads(body))


def _denial_row(one: Denial) -> tuple[str | float | None, ...]:
    return one.stream_id, one.kind, one.decision_id, one.since_s, one.until_s


def _hold_row(one: Hold) -> tuple[str | float | None, ...]:
    where = (one.stream_id, one.server, one.path, one.name, one.moved_path)
    return *where, one.decision_id, one.until_s
