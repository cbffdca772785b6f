"""Takes items in: one transaction, in which a list, a page of one, or nothing is taken.

Rule: what is committed is whole: the records, what the bank should hold for them, and the place
from which to go on. A source that suddenly takes away much of what it held is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import apsw

from streamguard.core.errors import ListShrinks
from streamguard.exchange.account import Account
from streamguard.exchange.projection import (
    LIMITS_OF,
    ROWS_OF,
    Reference,
    given_limits,
    name_of,
    wanted,
)
from streamguard.exchange.record import Record
from streamguard.exchange.records_file import RecordsFile
from streamguard.exchange.row import (
    Item,
    Row,
    Terms,
    is_outdated,
    row_of,
    step_of,
    tombstone,
    us_of,
)

SHRINK_SHARE, SHRINK_RECORDS = 0.2, 10
"""A source may take away this share of its live records at once, or this many. A list that is
kept loses single records; an outage, a wrong file or a stolen key takes all (our choice)."""

_OLD = "SELECT * FROM records WHERE source = ? AND record_id = ?"
_PUT = f"INSERT OR REPLACE INTO records VALUES ({', '.join('?' * len(Row._fields))})"  # noqa: S608
_SEEN = "UPDATE records SET generation = ? WHERE source = ? AND record_id = ?"
_UNSEEN = "SELECT record_id, is_deleted, entry FROM records WHERE source = ? AND generation < ?"
_FORGET = "DELETE FROM records WHERE source = ? AND generation < ?"
_N_LIVE = "SELECT count(*) FROM records WHERE source = ? AND entry IS NOT NULL"
NEW_SOURCE = "INSERT OR IGNORE INTO sources VALUES (?, 0, NULL, 0, 0, 0, NULL, '')"
_GENERATION = "SELECT generation FROM sources WHERE source = ?"
_NEXT_GENERATION = "UPDATE sources SET generation = generation + 1 WHERE source = ?"
_OVER = """SELECT source, record_id, entry FROM records
    WHERE entry IS NOT NULL AND expires_us IS NOT NULL AND expires_us <= ?"""
_EXPIRE = "UPDATE records SET entry = NULL WHERE source = ? AND record_id = ?"
_HELD = "SELECT 1 FROM holds WHERE key = ?"
_NAMES = "SELECT name FROM entries WHERE key = ? AND digest IS NOT NULL"
_SET_ENTRY = """INSERT INTO entries VALUES (?1, ?2, ?3, 0) ON CONFLICT (name) DO UPDATE
    SET key = ?2, digest = ?3, is_applied = 0 WHERE digest IS NOT ?3 OR key <> ?2"""
_DROP_ENTRY = "UPDATE entries SET digest = NULL, is_applied = 0 WHERE name = ?"


@dataclass(slots=True)
class Edit:
    """An open transaction on the records; `taking` opens one.

    n_live: by source, live records at the beginning.
    n_lost: by source, how many of those are no longer.
    """

    connection: apsw.Connection
    terms: Terms
    account: Account
    n_live: dict[str, int] = field(default_factory=dict)
    n_lost: dict[str, int] = field(default_factory=dict)
    _generations: dict[str, int] = field(default_factory=dict)
    _touched: set[str] = field(default_factory=set)

    def take(self, item: Item) -> None:
        """Take in one item, in place of what was known under its id.

        Raises:
            ListInvalid: it names no policy.
        """
        self.meet(item.source)
        found = self._rows(_OLD, (item.source, item.record_id))
        old = Row(*found[0]) if found else None
        if isinstance(item, Record) and not (item.is_matched or item.deleted):
            self.account.passed_over[item.hash_type] += 1
            if old is None:
                return
            item = tombstone(item.source, item.record_id)
        elif old and not self.terms.is_whole and is_outdated(item, old):
            self.account.tell("outdated", item.name)
            return
        new = row_of(item, old, self._generations[item.source], self.terms)
        step = step_of(new, old)
        self.account.tell(step, item.name, new.problem or "")
        if old and new == old._replace(generation=new.generation):
            self.connection.execute(_SEEN, (new.generation, item.source, item.record_id))
            return
        self.connection.execute(_PUT, new)
        self._move(item.source, old.entry if old else None, new.entry)

    def meet(self, source: str) -> None:
        """Begin with a source, as its first item does."""
        if source in self.n_live:
            return
        self.connection.execute(NEW_SOURCE, (source,))
        ((self._generations[source],),) = self.connection.execute(_GENERATION, (source,))
        ((self.n_live[source],),) = self.connection.execute(_N_LIVE, (source,))
        self.n_lost[source] = 0

    def begin_whole(self, source: str) -> None:
        """Count a new whole list of this source, whose items follow."""
        self.meet(source)
        self.connection.execute(_NEXT_GENERATION, (source,))
        self._generations[source] += 1

    def end_whole(self, source: str) -> None:
        """Forget whatever of this source its whole list did not name."""
        unseen = (source, self._generations[source])
        for record_id, is_deleted, entry in self._rows(_UNSEEN, unseen):
            if not is_deleted:
                self.account.tell("removed", f"{source}:{record_id}")
            self._move(source, entry, None)
        self.connection.execute(_FORGET, unseen)

    def close(self) -> None:
        """Let expire what is over, and say what the bank should hold from now on.

        Raises:
            ListShrinks: a source takes away too much.
            ListInvalid: the frames of a video have two policies.
        """
        for source, record_id, entry in self._rows(_OVER, (us_of(self.terms.now),)):
            self.account.tell("expired", f"{source}:{record_id}")
            self.connection.execute(_EXPIRE, (source, record_id))
            self._touched.add(entry)
        for source, n_lost in self.n_lost.items():
            n_live = self.n_live[source]
            if n_lost > SHRINK_RECORDS and n_lost > SHRINK_SHARE * n_live:
                self._shrinks(source, f"{n_lost} of its {n_live} records would vanish")
        for key in sorted(self._touched):
            settle(self.connection, key)

    def _shrinks(self, source: str, how_much: str) -> None:
        if not self.terms.may_shrink:
            raise ListShrinks(
                f"{source}: {how_much}; nothing of it was taken. See with --dry-run which they are;"
                " if it is right, repeat with --allow-shrink"
            )
        self.account.shrinks[source] = how_much

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        return self.connection.execute(statement, values).fetchall()

    def _move(self, source: str, before: str | None, after: str | None) -> None:
        """Note that a record now belongs to another entry, or to none."""
        self._touched |= {key for key in (before, after) if key is not None}
        self.n_lost[source] += before is not None and after is None


@contextmanager
def taking(records: RecordsFile, terms: Terms, account: Account) -> Iterator[Edit]:
    """Open a transaction; all that is taken in it is committed at its end, or nothing.

    Raises:
        ListShrinks: a source takes away too much.
        ListInvalid: the frames of a video have two policies.
        RecordsUnavailable: the records cannot be written.
    """
    with records.transaction() as connection:
        edit = Edit(connection, terms, account)
        yield edit
        edit.close()


def settle(connection: apsw.Connection, key: str) -> None:
    """Write down what the bank should hold for one entry, by its live records.

    Raises:
        ListInvalid: the frames of a video have two policies.
    """
    rows = [Reference(*row) for row in connection.execute(ROWS_OF, (key,))]
    is_held = bool(connection.execute(_HELD, (key,)).fetchall())
    want = None
    if rows and not is_held:
        found: list[Any] = connection.execute(LIMITS_OF, (name_of(key, rows), key)).fetchall()
        want = wanted(key, rows, given_limits(found))
    for (name,) in connection.execute(_NAMES, (key,)).fetchall():
        if want is None or want.name != name:
            connection.execute(_DROP_ENTRY, (name,))
    if want:
        connection.execute(_SET_ENTRY, (want.name, key, want.digest))
