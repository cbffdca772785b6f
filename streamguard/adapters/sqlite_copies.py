"""Takes into a log what others published: events that came by a broker, and need not go back there.

Rule: a copy counts as acknowledged as it is committed, unless something of our own waits before it
in its stream: then it goes out behind that once more, and who reads it knows its id. What came cut
down gives way to the whole of it.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import apsw

from streamguard.adapters.sqlite_file import LogFile
from streamguard.adapters.sqlite_outbox import PUT_AHEAD
from streamguard.adapters.sqlite_tally import ADD_ACKNOWLEDGED, ADD_COMMITTED, IS_UNSENT
from streamguard.core.record import Record

_PUT = """
INSERT INTO events (id, topic, key, type, recorded_s, body, severity)
VALUES (?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (id) DO NOTHING RETURNING offset
"""
_STUB = """
SELECT offset FROM events WHERE id = ? AND json_extract(body, '$.reduced') IS NOT NULL
"""
_LET_GO = "DELETE FROM events WHERE offset = ?"
_PLACE = "SELECT next_offset FROM delivery WHERE topic = ?"
_WAITS_OF_KEY = """
SELECT 1 FROM events INDEXED BY events_by_key
WHERE topic = ?1 AND key = ?2 AND offset < ?3 AND offset >= max(
    ?4, ifnull((SELECT next_offset FROM ahead WHERE topic = ?1 AND key = ?2), 1)
) LIMIT 1
"""
_WAITS = """
SELECT 1 FROM events WHERE topic = ?1 AND offset >= ?2 AND NOT EXISTS (
    SELECT 1 FROM ahead WHERE topic = ?1 AND ahead.key = events.key AND next_offset > events.offset
) LIMIT 1
"""
_END = "SELECT ifnull(max(offset), 0) + 1 FROM events WHERE topic = ?"
_MOVE_ON = """
INSERT INTO delivery (topic, next_offset, broker_offsets) VALUES (?, ?, '{}')
ON CONFLICT (topic) DO UPDATE SET next_offset = max(next_offset, excluded.next_offset)
"""
_FORGET_PASSED = """
DELETE FROM ahead
WHERE next_offset <= (SELECT next_offset FROM delivery WHERE delivery.topic = ahead.topic)
"""


class SqliteCopies:
    """A log that exists, over a connection of its own; every method may raise LogUnavailable.

    Open it before the log is delivered: what is ahead of a topic that has moved on is forgotten.
    """

    def __init__(self, path: Path) -> None:
        """Open the log at `path`.

        Raises:
            ConfigError: there is none.
            LogUnavailable: it cannot be opened, or a newer streamguard wrote it.
        """
        self._file = LogFile(path)
        with self._file.transaction() as connection:
            connection.execute(_FORGET_PASSED)

    def take(self, records: Sequence[Record]) -> int:
        """Commit what came, in its order; what is there already, and whole, is left alone.

        records: their offsets are those of the broker, and are not kept.

        Returns:
            How many were new.
        """
        n_new = 0
        with self._file.transaction() as connection:
            for record in records:
                n_new += _take(connection, record)
            for topic in {record.topic for record in records}:
                _move_on(connection, topic)
        return n_new

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        self._file.close()


def _take(connection: apsw.Connection, record: Record) -> bool:
    """Commit a copy; say whether it was new."""
    _let_stub_go(connection, record)
    values = (record.id, record.topic, record.key, record.type, record.recorded_s, record.body)
    offset = connection.execute(_PUT, values).get
    if offset is None:
        return False
    connection.execute(ADD_COMMITTED, (record.topic, 1))
    of_key = (record.topic, record.key, offset, _place(connection, record.topic))
    if connection.execute(_WAITS_OF_KEY, of_key).get is None:
        connection.execute(PUT_AHEAD, (record.topic, record.key, int(offset) + 1))
        connection.execute(ADD_ACKNOWLEDGED, (record.topic, 1))
    return True


def _let_stub_go(connection: apsw.Connection, record: Record) -> None:
    """Make room for a whole event where it came cut down before."""
    offset = connection.execute(_STUB, (record.id,)).get
    if offset is None or "reduced" in json.loads(record.body):
        return
    stub = json.dumps([[offset, record.key]])
    was_waiting = bool(connection.execute(IS_UNSENT, (record.topic, stub)).get)
    connection.execute(_LET_GO, (offset,))
    connection.execute(ADD_COMMITTED, (record.topic, -1))
    connection.execute(ADD_ACKNOWLEDGED, (record.topic, was_waiting - 1))


def _move_on(connection: apsw.Connection, topic: str) -> None:
    """Have the place of a topic follow, where nothing of it waits: else it could not be pruned."""
    if connection.execute(_WAITS, (topic, _place(connection, topic))).get is None:
        connection.execute(_MOVE_ON, (topic, int(connection.execute(_END, (topic,)).get)))


def _place(connection: apsw.Connection, topic: str) -> int:
    return int(connection.execute(_PLACE, (topic,)).get or 1)
