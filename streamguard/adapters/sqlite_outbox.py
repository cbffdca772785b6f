"""The event log as the outbox of a broker: what is to be sent, and how far it was acknowledged.

Rule: a topic's place moves on only after the broker has acknowledged everything before it; what the
broker will never take is kept with its reason and never pruned.
"""

import json
from pathlib import Path

from streamguard.adapters.sqlite_file import LogFile
from streamguard.core.record import Position, Record

_POSITION = "SELECT next_offset, broker_offsets FROM delivery WHERE topic = ?"
_READ = """
SELECT offset, topic, key, id, type, recorded_s, body FROM events
WHERE topic = ? AND offset >= ? ORDER BY offset LIMIT ?
"""
_ACKNOWLEDGE = """
INSERT INTO delivery (topic, next_offset, broker_offsets) VALUES (?, ?, ?)
ON CONFLICT (topic) DO UPDATE
SET next_offset = excluded.next_offset, broker_offsets = excluded.broker_offsets
"""
_BURY = """
INSERT INTO dead (offset, id, topic, problem, buried_s, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (offset) DO NOTHING
"""
_BACKLOG = """
SELECT count(*) FROM events WHERE topic = ?1
AND offset >= ifnull((SELECT next_offset FROM delivery WHERE topic = ?1), 1)
"""
_DEAD = "SELECT id, problem, body FROM dead ORDER BY offset"


class SqliteOutbox:
    """A log that exists, over a connection of its own; every method may raise LogUnavailable."""

    def __init__(self, path: Path) -> None:
        """Open the log at `path`.

        Raises:
            ConfigError: there is none.
            LogUnavailable: it cannot be opened, or a newer streamguard wrote it.
        """
        self._file = LogFile(path)

    def position(self, topic: str) -> Position:
        """Give how far a topic was acknowledged; the beginning for one never delivered."""
        for next_offset, broker_offsets in self._file.rows(_POSITION, (topic,)):
            offsets = json.loads(broker_offsets)
            return Position(next_offset, {int(part): at for part, at in offsets.items()})
        return Position()

    def read(self, topic: str, offset: int, limit: int) -> list[Record]:
        """Give the records of a topic from `offset` on, in order, at most `limit`."""
        return [Record(*row) for row in self._file.rows(_READ, (topic, offset, limit))]

    def acknowledge(self, topic: str, position: Position) -> None:
        """Keep durably how far a topic was acknowledged; it may also go back."""
        values = (topic, position.next_offset, json.dumps(dict(position.broker_offsets)))
        with self._file.transaction() as connection:
            connection.execute(_ACKNOWLEDGE, values)

    def bury(self, record: Record, problem: str, now_s: float) -> None:
        """Keep durably a record that the broker will never take, and why; the first reason stays.

        now_s: seconds since 1970 UTC.
        """
        values = (record.offset, record.id, record.topic, problem, now_s, record.body)
        with self._file.transaction() as connection:
            connection.execute(_BURY, values)

    def backlog(self, topic: str) -> int:
        """Count the records of a topic that are not acknowledged."""
        ((count,),) = self._file.rows(_BACKLOG, (topic,))
        return int(count)

    def dead(self) -> list[tuple[str, str, str]]:
        """Give id, reason and body of each record that the broker never took, in order."""
        return [(str(name), str(why), str(body)) for name, why, body in self._file.rows(_DEAD)]

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        self._file.close()
