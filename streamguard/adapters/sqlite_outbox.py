"""The event log as the outbox of a broker: what is to be sent, and what was acknowledged.

Rule: a record counts as acknowledged only after the broker said so; what the broker will never take
is kept with its reason and never pruned. What is written here waits for no disk: a power cut may
undo the last of it, and then something is sent twice.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from streamguard.adapters.failpoint import reach
from streamguard.adapters.sqlite_file import LogFile
from streamguard.adapters.sqlite_tally import ADD_ACKNOWLEDGED, TALLY, TallyRow
from streamguard.core.delivery_ports import Tally, Urgent
from streamguard.core.record import Position, Record

_POSITION = "SELECT next_offset, broker_offsets FROM delivery WHERE topic = ?"
# A key is ahead of its topic where all its records before an offset of its own are acknowledged.
_READ = """
SELECT offset, topic, key, id, type, recorded_s, body FROM events
WHERE topic = ?1 AND offset >= ?2 AND NOT EXISTS (
    SELECT 1 FROM ahead WHERE topic = ?1 AND ahead.key = events.key AND next_offset > events.offset
) ORDER BY offset LIMIT ?3
"""
_URGENT = """
SELECT offset, key FROM events INDEXED BY events_urgent
WHERE topic = ?1 AND severity = 'P0' AND offset >= ?2 AND offset < ?3 AND NOT EXISTS (
    SELECT 1 FROM ahead WHERE topic = ?1 AND ahead.key = events.key AND next_offset > events.offset
) ORDER BY offset DESC LIMIT ?4
"""
_READ_KEY = """
SELECT offset, topic, key, id, type, recorded_s, body FROM events INDEXED BY events_by_key
WHERE topic = ?1 AND key = ?2 AND offset <= ?4 AND offset >= max(
    ?3, ifnull((SELECT next_offset FROM ahead WHERE topic = ?1 AND key = ?2), 1)
) ORDER BY offset LIMIT ?5
"""
_END = "SELECT ifnull(max(offset), 0) + 1 FROM events WHERE topic = ?"
_MOVE = """
INSERT INTO delivery (topic, next_offset, broker_offsets) VALUES (?, ?, ?)
ON CONFLICT (topic) DO UPDATE
SET next_offset = max(next_offset, excluded.next_offset), broker_offsets = excluded.broker_offsets
"""
_MOVE_BACK = """
INSERT INTO delivery (topic, next_offset, broker_offsets) VALUES (?, 1, '{}')
ON CONFLICT (topic) DO UPDATE SET next_offset = 1, broker_offsets = '{}'
"""
PUT_AHEAD = """
INSERT INTO ahead (topic, key, next_offset) VALUES (?, ?, ?)
ON CONFLICT (topic, key) DO UPDATE SET next_offset = max(next_offset, excluded.next_offset)
"""
_FORGET_PASSED = "DELETE FROM ahead WHERE topic = ? AND next_offset <= ?"
_AHEAD = "SELECT key, next_offset FROM ahead WHERE topic = ?"
_N_DEAD_OF = "SELECT count(*) FROM dead WHERE offset IN (SELECT value FROM json_each(?))"
_BURY = """
INSERT INTO dead (offset, id, topic, problem, buried_s, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (offset) DO NOTHING
"""
_BACKLOG = """
SELECT ifnull((SELECT committed - acknowledged FROM tally WHERE topic = ?1), 0)
    - (SELECT count(*) FROM dead WHERE topic = ?1)
"""
_GONE_AGAIN = """
SELECT count(*) FROM events
WHERE topic = ?1 AND offset NOT IN (SELECT offset FROM dead) AND offset < max(
    ifnull((SELECT next_offset FROM delivery WHERE topic = ?1), 1),
    ifnull((SELECT next_offset FROM ahead WHERE topic = ?1 AND ahead.key = events.key), 1)
)
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
        self._file = LogFile(path, is_lazy=True)

    def position(self, topic: str) -> Position:
        """Give how far a topic was acknowledged; the beginning for one never delivered."""
        for next_offset, broker_offsets in self._file.rows(_POSITION, (topic,)):
            offsets = json.loads(broker_offsets)
            return Position(next_offset, {int(part): at for part, at in offsets.items()})
        return Position()

    def end_offset(self, topic: str) -> int:
        """Give the offset after the last record of a topic; 1 where it has none."""
        ((end,),) = self._file.rows(_END, (topic,))
        return int(end)

    def read(self, topic: str, offset: int, limit: int) -> list[Record]:
        """Give the records from `offset` on, in order, but for those acknowledged ahead."""
        records = [Record(*row) for row in self._file.rows(_READ, (topic, offset, limit))]
        reach("window_read")
        return records

    def urgent(self, topic: str, position: Position, among: range, limit: int) -> Urgent | None:
        """Give the newest urgent flags among some offsets, each after all that waits of its stream.

        Streams share the limit, so that none of them waits for the backlog of another.
        """
        asked = (topic, max(among.start, position.next_offset), among.stop, limit)
        found = [(int(at), str(key)) for at, key in self._file.rows(_URGENT, asked)]
        if not found:
            return None
        last_of = {key: offset for offset, key in reversed(found)}
        share = max(1, limit // len(last_of))
        rows = [
            row
            for key, last in last_of.items()
            for row in self._file.rows(_READ_KEY, (topic, key, position.next_offset, last, share))
        ]
        records = sorted((Record(*row) for row in rows), key=lambda record: record.offset)
        return Urgent(tuple(records), found[0][0])

    def acknowledge(self, topic: str, position: Position, records: Sequence[Record]) -> None:
        """Keep how far a topic was acknowledged.

        Args:
            topic: which one.
            position: how far all of it is; it never goes back.
            records: those that now are. One that lies at the position or after it puts its key
                ahead: nothing before it waits of that key.
        """
        reach("broker_acknowledged")
        place = (topic, position.next_offset, json.dumps(dict(position.broker_offsets)))
        offsets = [record.offset for record in records]
        ahead = [
            (topic, record.key, record.offset + 1)
            for record in records
            if record.offset >= position.next_offset
        ]
        with self._file.transaction() as connection:
            connection.execute(_MOVE, place)
            connection.executemany(PUT_AHEAD, ahead)
            connection.execute(_FORGET_PASSED, (topic, position.next_offset))
            n_dead = int(connection.execute(_N_DEAD_OF, (json.dumps(offsets),)).get)
            connection.execute(ADD_ACKNOWLEDGED, (topic, len(offsets) - n_dead))
            reach("acknowledge_written")
        reach("acknowledge_committed")

    def begin_anew(self, topic: str) -> Mapping[str, int]:
        """Let all that the log holds of a topic wait again.

        Returns:
            By key, the offset before which all was acknowledged, of keys that were ahead.
        """
        with self._file.transaction() as connection:
            ahead = {str(key): int(place) for key, place in connection.execute(_AHEAD, (topic,))}
            n_again = int(connection.execute(_GONE_AGAIN, (topic,)).get)
            connection.execute(_MOVE_BACK, (topic,))
            connection.execute("DELETE FROM ahead WHERE topic = ?", (topic,))
            connection.execute(ADD_ACKNOWLEDGED, (topic, -n_again))
            reach("anew_written")
        reach("anew_committed")
        return ahead

    def bury(self, record: Record, problem: str, now_s: float) -> None:
        """Keep a record that the broker will never take, and why; the first reason stays.

        now_s: seconds since 1970 UTC.
        """
        values = (record.offset, record.id, record.topic, problem, now_s, record.body)
        with self._file.transaction() as connection:
            connection.execute(_BURY, values)
            reach("bury_written")
        reach("bury_committed")

    def backlog(self, topic: str) -> int:
        """Tell by the account how many records of a topic are neither acknowledged nor dead.

        It takes microseconds, however many there are; `tally` counts them.
        """
        ((count,),) = self._file.rows(_BACKLOG, (topic,))
        return int(count)

    def tally(self, topic: str) -> Tally:
        """Count the records of a topic by what became of them, all at one moment."""
        rows: list[TallyRow] = self._file.rows(TALLY, (topic,))
        return Tally(*rows[0])

    def dead(self) -> list[tuple[str, str, str]]:
        """Give id, reason and body of each record that the broker never took, in order."""
        return [(str(name), str(why), str(body)) for name, why, body in self._file.rows(_DEAD)]

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        self._file.close()
