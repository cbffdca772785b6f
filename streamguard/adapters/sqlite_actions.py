"""What the enforcer must not forget: its actions, whom it keeps out, what it holds; an SQLite file.

Rule: a step is on disk before it is taken, so that after a crash it is known what may have been
done. The file holds paths of streams, which may be their keys: only its owner can read it.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import apsw

from streamguard.adapters.failpoint import reach
from streamguard.adapters.sqlite_action_tables import make_action_tables
from streamguard.adapters.sqlite_file import BUSY_TIMEOUT_MS, translated
from streamguard.core.denials import Denial, Place
from streamguard.core.enforcing import Stage
from streamguard.core.errors import ConfigError, LogUnavailable
from streamguard.core.orders import Order, supersedes

_LOCK = (os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
"""Held as long as the file is open: two enforcers would act twice."""

_TAKE = """
INSERT INTO actions
(action_id, decision_id, case_id, stream_id, scope, act, is_automatic, taken_s, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (action_id) DO NOTHING RETURNING number
"""
_OPEN = "SELECT body, stage, path, n_attempts FROM actions WHERE outcome IS NULL ORDER BY number"
_LATER = """
SELECT body FROM actions WHERE stream_id = ?1 AND scope = ?2 AND number > (
    SELECT number FROM actions WHERE action_id = ?3
)
"""
_NOTE = "UPDATE actions SET stage = ?, path = ?, n_attempts = ? WHERE action_id = ?"
_FINISH = "UPDATE actions SET outcome = ? WHERE action_id = ?"
_N_AUTOMATIC = """
SELECT count(*) FROM actions WHERE is_automatic AND taken_s > ? AND number < (
    SELECT number FROM actions WHERE action_id = ?
) AND act = 'hold' AND (outcome IS NULL OR outcome = 'done')
"""
_DENY = "INSERT OR REPLACE INTO denials VALUES (?, ?, ?, ?, ?, ?)"
_ALLOW = "DELETE FROM denials WHERE stream_id = ? AND kind = ? AND case_id = ?"
_HOLD = "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_END_HOLD = "UPDATE holds SET is_ending = 1 WHERE stream_id = ? AND case_id = ?"
_LET_GO = "DELETE FROM holds WHERE stream_id = ? AND (case_id = ? OR is_ending)"
_DENIED_BY_CASE = "DELETE FROM denials WHERE stream_id = ? AND case_id = ?"


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
    """A stream that is kept from its viewers for one case; for another it may be as well.

    path:       where its publisher thinks that it is.
    name:       the name that it was given instead, and moved_path where it therefore is.
    until_s:    when it ends by itself, seconds since 1970 UTC; None where it does not.
    is_ending:  it was taken back: nobody is moved there any more, its publisher may still be there.
    """

    stream_id: str
    case_id: str
    server: str
    path: str = field(repr=False)
    name: str
    moved_path: str = field(repr=False)
    decision_id: str
    until_s: float | None = None
    is_ending: bool = False


class ActionStore:
    """The file, over one connection; threads take turns. Methods may raise LogUnavailable."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make it where there is none.

        Raises:
            ConfigError: another process works with it, or another version of streamguard did.
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
                make_action_tables(self._connection, self._path)
        except (LogUnavailable, ConfigError):
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

    def is_superseded(self, order: Order, *, by_others: bool) -> bool:
        """Say whether a later order for the same scope of the same stream takes its place.

        by_others: orders of other cases count as well.
        """
        values = (order.stream_id, order.scope, order.action_id)
        with self._turn, translated(self._path):
            rows: list[Any] = self._connection.execute(_LATER, values).fetchall()
        later = [_order(body) for (body,) in rows]
        return any(
            supersedes(one, order) for one in later if by_others or one.case_id == order.case_id
        )

    def note(self, kept: Kept, denial: Denial | None = None, hold: Hold | None = None) -> None:
        """Keep how far an action has come, and with it whom it keeps out or holds."""
        with self._transaction() as connection:
            connection.execute(_NOTE, _note_row(kept))
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

    def allow(self, place: Place) -> None:
        """Take an entry from the deny list."""
        with self._transaction() as connection:
            connection.execute(_ALLOW, place)

    def holds(self) -> list[Hold]:
        """Give what is held."""
        with self._turn, translated(self._path):
            rows: list[Any] = self._connection.execute("SELECT * FROM holds").fetchall()
        return [replace(Hold(*row), is_ending=bool(row[-1])) for row in rows]

    def release(self, kept: Kept) -> None:
        """Keep how far a restore has come, and that its case keeps the stream from nobody."""
        values = (kept.order.stream_id, kept.order.case_id)
        with self._transaction() as connection:
            connection.execute(_NOTE, _note_row(kept))
            connection.execute(_DENIED_BY_CASE, values)
            connection.execute(_END_HOLD, values)
        reach(f"action_{kept.stage}")

    def let_go(self, stream_id: str, case_id: str) -> None:
        """Forget that a stream is held for a case, and all holds of it that are ending."""
        with self._transaction() as connection:
            connection.execute(_LET_GO, (stream_id, case_id))

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
        order.decision_id,
        order.case_id,
        order.stream_id,
        order.scope,
        order.act,
        int(order.is_automatic),
        order.taken_s,
        json.dumps(asdict(order)),
    )


def _order(body: str) -> Order:
    return Order(**json.loads(body))


def _note_row(kept: Kept) -> tuple[str | int | None, ...]:
    return kept.stage, kept.path, kept.n_attempts, kept.order.action_id


def _denial_row(one: Denial) -> tuple[str | float | None, ...]:
    return *one.place, one.decision_id, one.since_s, one.until_s


def _hold_row(one: Hold) -> tuple[str | float | None, ...]:
    where = (one.stream_id, one.case_id, one.server, one.path, one.name, one.moved_path)
    return *where, one.decision_id, one.until_s, int(one.is_ending)
