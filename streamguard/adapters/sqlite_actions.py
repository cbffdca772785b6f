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

from streamguard.adapters import sqlite_action_statements as sql
from streamguard.adapters.failpoint import reach
from streamguard.adapters.sqlite_action_tables import make_action_tables
from streamguard.adapters.sqlite_file import BUSY_TIMEOUT_MS, translated
from streamguard.core.denials import Denial, Place
from streamguard.core.enforcing import Stage
from streamguard.core.errors import ConfigError, LogUnavailable
from streamguard.core.orders import Order, is_outdated, supersedes

_LOCK = (os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
"""Held as long as the file is open: two enforcers would act twice."""


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
        self._version = -1
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
        """Take orders up; give those that are new.

        decision: what they carry out; it is kept where what it does ends by itself.
        """
        with self._transaction() as connection:
            new = [one for one in orders if connection.execute(sql.TAKE, _row(one)).fetchall()]
            for one in new[:1]:
                if one.until_s is not None:
                    values = (one.decision_id, one.until_s, decision)
                    connection.execute("INSERT OR IGNORE INTO ending VALUES (?, ?, ?)", values)
        reach("action_taken")
        return new

    def over(self, now_s: float) -> list[tuple[str, str]]:
        """Give the decisions whose time has passed, as they were told, by their ids."""
        return self._rows(sql.OVER, (now_s,))

    def by_rules(self, now_s: float) -> list[tuple[str, str]]:
        """Give the decisions of rules whose time has not passed, as they were told, by their id."""
        return self._rows(sql.BY_RULES, (now_s,))

    def forget_ending(self, decision_id: str) -> None:
        """Forget that what a decision did ends by itself."""
        self._execute("DELETE FROM ending WHERE decision_id = ?", (decision_id,))

    def forget_actions(self, before_s: float) -> None:
        """Forget the actions that are over and were taken up before, seconds since 1970 UTC.

        Those of a case that still keeps somebody out stay: an old restore of it may come again.
        """
        self._execute(sql.FORGET, (before_s,))

    def open_actions(self) -> list[Kept]:
        """Give the actions that are not over, in the order in which they were taken."""
        return [Kept(_order(body), stage, path, n) for body, stage, path, n in self._rows(sql.OPEN)]

    def is_superseded(self, order: Order, *, by_others: bool) -> bool:
        """Say whether a later order for the same scope of the same stream takes its place.

        by_others: orders of other cases count as well.
        """
        rows = self._rows(sql.OTHERS, (order.stream_id, order.scope, order.action_id))
        others = [(_order(body), bool(came_after)) for body, came_after in rows]
        return any(
            supersedes(one, order) if came_after else is_outdated(order, one)
            for one, came_after in others
            if by_others or one.case_id == order.case_id
        )

    def is_platforms(self, order: Order) -> bool:
        """Say whether the platform did something in the case and scope of a restore before it."""
        values = (order.case_id, order.scope, order.action_id)
        return bool(self._rows(sql.BY_PLATFORM, values))

    def note(self, kept: Kept, denial: Denial | None = None, hold: Hold | None = None) -> None:
        """Keep how far an action has come, and with it whom it keeps out or holds."""
        with self._transaction() as connection:
            connection.execute(sql.NOTE, _note_row(kept))
            if denial is not None:
                connection.execute(sql.DENY, _denial_row(denial))
            if hold is not None:
                connection.execute(sql.HOLD, _hold_row(hold))
        reach(f"action_{kept.stage}")

    def finish(self, order: Order, outcome: str) -> None:
        """Let an action be over.

        outcome: `done`, `answer` where the platform did it, or why not.
        """
        self._execute(sql.FINISH, (outcome, order.action_id))
        reach("action_finished")

    def n_automatic(self, since_s: float, before: Order) -> tuple[int, int]:
        """Count the holds by rules since an instant, seconds since 1970 UTC, before this one.

        Returns:
            How many were asked for, and of them how many were done or may be yet.
        """
        ((n_asked, n_done),) = self._rows(sql.N_AUTOMATIC, (since_s, before.action_id))
        return n_asked, n_done

    def n_overturned(self, since_s: float) -> int:
        """Count the decisions of people since an instant that took back what a rule had done."""
        ((count,),) = self._rows(sql.N_OVERTURNED, (since_s,))
        return int(count)

    def breaker_until(self) -> float:
        """Say until when no rule may hold anything, seconds since 1970 UTC; 0 at first."""
        ((until_s,),) = self._rows("SELECT coalesce(max(open_until_s), 0) FROM breaker")
        return float(until_s)

    def open_breaker(self, until_s: float) -> None:
        """Let no rule hold anything until an instant, seconds since 1970 UTC."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM breaker")
            connection.execute("INSERT INTO breaker VALUES (?)", (until_s,))

    def denials(self) -> list[Denial]:
        """Give whom the list keeps out."""
        return [Denial(*row) for row in self._rows(sql.DENIALS)]

    def is_changed(self) -> bool:
        """Say whether somebody else has changed the file since this was asked last."""
        ((version,),) = self._rows(sql.VERSION)
        before, self._version = self._version, version
        return bool(version != before)

    def allow(self, place: Place) -> None:
        """Take an entry from the deny list."""
        self._execute(sql.ALLOW, place)

    def holds(self) -> list[Hold]:
        """Give what is held."""
        rows = self._rows("SELECT * FROM holds")
        return [replace(Hold(*row), is_ending=bool(row[-1])) for row in rows]

    def release(self, kept: Kept) -> None:
        """Keep how far a restore has come, and that its case keeps the stream from nobody."""
        values = (kept.order.stream_id, kept.order.case_id)
        with self._transaction() as connection:
            connection.execute(sql.NOTE, _note_row(kept))
            connection.execute(sql.DENIED_BY_CASE, values)
            connection.execute(sql.END_HOLD, values)
        reach(f"action_{kept.stage}")

    def let_go(self, stream_id: str, case_id: str) -> None:
        """Forget that a stream is held for a case, and all holds of it that are ending."""
        self._execute(sql.LET_GO, (stream_id, case_id))

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        with self._turn, translated(self._path):
            self._connection.close()
            if self._lock >= 0:
                os.close(self._lock)
            self._lock = -1

    def _rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._turn, translated(self._path):
            return self._connection.execute(statement, values).fetchall()

    def _execute(self, statement: str, values: tuple[Any, ...]) -> None:
        with self._transaction() as connection:
            connection.execute(statement, values)

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
