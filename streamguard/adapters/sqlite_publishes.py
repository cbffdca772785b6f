"""Tells what the event log knows of one stream: which publish a session was, and its cases.

Rule: it only reads.
"""

from collections.abc import Sequence
from pathlib import Path

from streamguard.adapters.sqlite_file import LogFile
from streamguard.core.events import EventType, Topic, flag_event_id
from streamguard.core.record import Record

_PUBLISH = """
SELECT json_extract(body, '$.data.stream.publish') AS publish
FROM events INDEXED BY events_by_key WHERE topic = ? AND key = ?
AND json_extract(body, '$.data.stream.session_id') = ? AND publish IS NOT NULL
ORDER BY offset DESC LIMIT 1
"""

_RECORDED = "SELECT recorded_s FROM events WHERE id = ?"

_TOLD = """
SELECT offset, topic, key, id, type, recorded_s, body FROM events INDEXED BY events_by_key
WHERE topic IN (?, ?, ?, ?) AND key = ? AND offset >= ?
AND type <> ? ORDER BY offset
"""


class SqlitePublishes:
    """A log that exists, over a connection of its own; may raise LogUnavailable."""

    def __init__(self, path: Path) -> None:
        self._file = LogFile(path, read_only=True)

    def publish_of(self, stream_id: str, session_id: str) -> str | None:
        """Name the publish of a session; None where no event says so."""
        for topic in (Topic.FLAGS, Topic.COVERAGE):
            rows = self._file.rows(_PUBLISH, (topic, stream_id, session_id))
            if rows:
                return str(rows[0][0])
        return None

    def flagged_s(self, flag_ids: Sequence[str]) -> float | None:
        """Say when the first of these flags that the log has opened, seconds since 1970 UTC."""
        for flag_id in flag_ids:
            rows = self._file.rows(_RECORDED, (str(flag_event_id(flag_id, 0)),))
            if rows:
                return float(rows[0][0])
        return None

    def told_of(self, stream_id: str, offset: int) -> list[Record]:
        """Give what is told of a stream that its cases follow from, from an offset on, in order."""
        topics = (Topic.FLAGS, Topic.DECISIONS, Topic.COVERAGE, Topic.ACTIONS)
        values = (*topics, stream_id, offset, EventType.COVERAGE_GAP)
        return [Record(*row) for row in self._file.rows(_TOLD, values)]

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        self._file.close()
