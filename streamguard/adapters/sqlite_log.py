"""The durable log of events: one SQLite file that several processes append to and read.

Rule: an offset is always that of the next record to read. Offsets begin at 1, grow in the order of
commit, are never used twice and may skip; a reader goes on at `records[-1].offset + 1`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import apsw

from streamguard.adapters.failpoint import reach
from streamguard.adapters.put_aside import PUT_ASIDE, WHY_ASIDE
from streamguard.adapters.sqlite_file import LogFile
from streamguard.adapters.sqlite_groups import (
    COMMIT,
    DROP_SILENT,
    DROPPED,
    FORGET,
    LOWEST_POSITION,
    POSITION,
)
from streamguard.adapters.sqlite_search import search
from streamguard.adapters.sqlite_sessions import (
    OPEN_FLAGS,
    SESSIONS,
    flag_of,
    keep_sessions,
    kept_of,
)
from streamguard.adapters.sqlite_tally import ADD_COMMITTED, IS_UNSENT
from streamguard.core.account import Account
from streamguard.core.events import Event
from streamguard.core.record import Record, Row, RowOf, row_of
from streamguard.core.settling import LeftOver

Access = Literal["create", "write", "read"]
"""`create` makes a log where there is none; `write` and `read` need one; `read` only reads."""

SILENT_GROUP_S = 86_400
"""A group that has not committed for longer no longer keeps records from being pruned."""

PRUNE_BATCH = 5_000
"""So many of a topic's oldest records one pruning looks at, that writers wait for milliseconds."""

NO_BOUND = 2**63 - 1
"""Larger than every offset."""

_APPEND = """
INSERT INTO events (id, topic, key, type, recorded_s, body, severity)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING topic
"""
_READ = """
SELECT offset, topic, key, id, type, recorded_s, body FROM events
WHERE offset >= ? ORDER BY offset LIMIT ?
"""
_READ_TOPIC = """
SELECT offset, topic, key, id, type, recorded_s, body FROM events
WHERE topic = ? AND offset >= ? ORDER BY offset LIMIT ?
"""
_LAST_OF = """
SELECT offset, topic, key, id, type, recorded_s, body FROM events
WHERE topic = ? ORDER BY offset DESC LIMIT 1
"""
_BY_ID = "SELECT offset, topic, key, id, type, recorded_s, body FROM events WHERE id = ?"
_ANY_OF = "SELECT count(*) FROM events WHERE id IN (SELECT value FROM json_each(?))"
_LAST_OFFSET = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
_ACKNOWLEDGED = "SELECT next_offset FROM delivery WHERE topic = ?"
_PRUNE = """
DELETE FROM events WHERE offset IN (
    SELECT offset FROM (
        SELECT offset, recorded_s FROM events WHERE topic = ? AND offset < ? ORDER BY offset LIMIT ?
    ) WHERE recorded_s < ?
) RETURNING offset, key
"""


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What a pruning did.

    n_removed:      records removed; where it is not 0, the next pruning may find more.
    dropped_groups: consumer groups that were silent for too long, and are not waited for until they
                    commit again; worth an alert.
    """

    n_removed: int
    dropped_groups: tuple[str, ...]


class SqliteLog:
    """The event log over one connection; threads take turns on it.

    Every method raises LogUnavailable where the file cannot be read or written: what was committed
    before stands, and once the cause is gone the same object works again.
    """

    def __init__(self, path: Path, access: Access = "create", row: RowOf = row_of) -> None:
        """Open the log at `path`.

        Args:
            path: the file; its directory is made as well.
            access: what it is opened for.
            row: writes out what is appended.

        Raises:
            ConfigError: there is none and none is to be made.
            LogUnavailable: it cannot be made or opened, or another version wrote it.
        """
        self._file = LogFile(path, make=access == "create", read_only=access == "read")
        self._row = row

    @classmethod
    def open_reader(cls, path: Path) -> Self:
        """Open a log that exists for reading alone, as a follower without a group does."""
        return cls(path, "read")

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        """Commit events durably and in order, all or none; an id seen before is ignored.

        accounts: how far sessions have come with these events.

        Raises:
            LogUnavailable: nothing of this batch was committed; what was there before stands.
        """
        rows = [self._row(event) for event in events]
        with self._file.transaction() as connection:
            _put(connection, rows, accounts)
            reach("append_written")
        reach("append_committed")

    def append_if_new(self, events: Sequence[Event | Row], rivals: Sequence[str] = ()) -> bool:
        """Commit events as `append` does, unless one of their ids, or a rival's, is there.

        Where several processes claim one place, such as the next decision of a case, one gets it.

        Returns:
            Whether they were committed.

        Raises:
            LogUnavailable: nothing of this batch was committed; what was there before stands.
        """
        rows = [self._row(event) for event in events]
        ids = json.dumps([*(row.id for row in rows), *rivals])
        with self._file.transaction() as connection:
            if connection.execute(_ANY_OF, (ids,)).get:
                return False
            _put(connection, rows, ())
            reach("append_written")
        reach("append_committed")
        return True

    def left_over(self) -> LeftOver:
        """Give the flags that never closed, and the sessions that never ended."""
        return LeftOver(
            tuple(flag_of(*row) for row in self._file.rows(OPEN_FLAGS)),
            tuple(kept_of(*row) for row in self._file.rows(SESSIONS)),
        )

    def read(self, offset: int, topic: str | None = None, limit: int = 1_000) -> list[Record]:
        """Give the records from `offset` on, in order, of one topic or of all; at most `limit`."""
        if topic is None:
            rows = self._file.rows(_READ, (offset, limit))
        else:
            rows = self._file.rows(_READ_TOPIC, (topic, offset, limit))
        return [Record(*row) for row in rows]

    def last(self, topic: str) -> Record | None:
        """Give the newest record of a topic; None where it has none."""
        rows = self._file.rows(_LAST_OF, (topic,))
        return Record(*rows[0]) if rows else None

    def search(
        self, topic: str, said: Mapping[str, str], before: int | None = None, limit: int = 500
    ) -> tuple[list[Record], int | None]:
        """Look for the newest records of a topic whose data say certain things.

        Args:
            topic: where to look.
            said: by JSON path, such as `$.data.actor`, what must stand there.
            before: an offset; None begins at the newest.
            limit: the most records to give.

        Returns:
            The records, the newest first, of so many as are looked at at once; and the offset to
            go on before, None where there is nothing further.
        """
        return search(self._file, topic, said, NO_BOUND if before is None else before, limit)

    def event(self, event_id: str) -> Record | None:
        """Give the record of an event by its id; None where it is not there, or no longer."""
        rows = self._file.rows(_BY_ID, (event_id,))
        return Record(*rows[0]) if rows else None

    def end_offset(self) -> int:
        """Give the offset that the next record will have at the least; 1 in a new log."""
        rows = self._file.rows(_LAST_OFFSET)
        return rows[0][0] + 1 if rows else 1

    def position(self, group: str) -> int | None:
        """Give the offset that a consumer group reads next; None for a group that is not known."""
        rows = self._file.rows(POSITION, (group,))
        return rows[0][0] if rows else None

    def commit(self, group: str, offset: int, now_s: float) -> None:
        """Note that a consumer group reads `offset` next; it may also go back.

        A group is known from its first commit, and keeps what it has not read from being pruned. It
        must commit once a day, also where nothing new came; else pruning waits for it no longer,
        but it keeps its place and goes on there with what the log still holds.

        Args:
            group: name of the consumer group.
            offset: the one after the last record that it is done with.
            now_s: seconds since 1970 UTC.
        """
        with self._file.transaction() as connection:
            connection.execute(COMMIT, (group, offset, now_s))

    def put_aside(self, group: str, record: Record, problem: str, now_s: float) -> None:
        """Keep what a receiver will not take, and why; the first stays. now_s: s since 1970."""
        body = (record.key, record.id, record.type, record.recorded_s, record.body)
        values = (group, record.offset, record.topic, *body, problem, now_s)
        with self._file.transaction() as connection:
            connection.execute(PUT_ASIDE, values)

    def why_aside(self, group: str, offset: int) -> str | None:
        """Say why a record stands aside; None where it does not."""
        return next((str(why) for (why,) in self._file.rows(WHY_ASIDE, (group, offset))), None)

    def dropped_groups(self) -> list[str]:
        """Name the groups that pruning does not wait for, until they commit again."""
        return [str(name) for (name,) in self._file.rows(DROPPED)]

    def forget(self, group: str) -> bool:
        """Let a group go for good, and its place; say whether there was one of this name."""
        with self._file.transaction() as connection:
            return bool(connection.execute(FORGET, (group,)).fetchall())

    def prune(
        self, now_s: float, retention_s_by_topic: Mapping[str, float], *, has_broker: bool
    ) -> PruneReport:
        """Remove the oldest records that are past retention and that everybody has passed.

        Args:
            now_s: seconds since 1970 UTC.
            retention_s_by_topic: age at which records may go; a topic not named keeps all.
            has_broker: keep what a broker has not acknowledged yet, however long that takes.
        """
        with self._file.transaction() as connection:
            silent = connection.execute(DROP_SILENT, (now_s - SILENT_GROUP_S,)).fetchall()
            lowest = connection.execute(LOWEST_POSITION).get
            n_removed = 0
            for topic, retention_s in retention_s_by_topic.items():
                acknowledged = connection.execute(_ACKNOWLEDGED, (topic,)).get or 1
                bound = min(
                    NO_BOUND if lowest is None else lowest,
                    acknowledged if has_broker else NO_BOUND,
                )
                oldest = (topic, bound, PRUNE_BATCH, now_s - retention_s)
                removed = connection.execute(_PRUNE, oldest).fetchall()
                unsent = connection.execute(IS_UNSENT, (topic, json.dumps(removed))).get
                connection.execute(ADD_COMMITTED, (topic, -int(unsent)))
                n_removed += len(removed)
            reach("prune_written")
        reach("prune_committed")
        return PruneReport(n_removed, tuple(sorted(str(name) for (name,) in silent)))

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _put(connection: apsw.Connection, rows: Sequence[Row], accounts: Sequence[Account]) -> None:
    """Write events and what follows from them, within the caller's transaction."""
    new = Counter(topic for (topic,) in connection.executemany(_APPEND, map(_values, rows)))
    connection.executemany(ADD_COMMITTED, [(str(topic), n) for topic, n in new.items()])
    keep_sessions(connection, rows, accounts)


def _values(row: Row) -> tuple[str | float | None, ...]:
    severity = None if row.severity is None else str(row.severity)
    return row.id, row.topic, row.key, row.type, row.recorded_s, row.body, severity
