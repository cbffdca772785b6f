"""What the broker refused for good: to be looked at, then sent again or dropped.

Rule: a record leaves the dead because a person says so: to the end of the log, under the same id,
so that whoever has it already knows it; or for good, and then it counts as acknowledged, by them.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from streamguard.adapters.failpoint import reach
from streamguard.adapters.sqlite_file import LogFile
from streamguard.adapters.sqlite_tally import ADD_ACKNOWLEDGED

_ALL = "SELECT id, topic, problem, buried_s, body FROM dead ORDER BY offset"
# One that the publisher has just refused waits until it has moved on: both would count it.
_PASSED = """
SELECT offset FROM dead WHERE id IN (SELECT value FROM json_each(?))
AND offset < ifnull((SELECT next_offset FROM delivery WHERE delivery.topic = dead.topic), 1)
AND NOT EXISTS (SELECT 1 FROM events WHERE events.id = dead.id AND events.offset > dead.offset)
ORDER BY offset
"""
_MAKE_ROOM = "DELETE FROM events WHERE offset = ?"
_APPEND = """
INSERT INTO events (id, topic, key, type, recorded_s, body, severity)
SELECT id, topic, json_extract(body, '$.partitionkey'), json_extract(body, '$.type'), ?2, body,
    json_extract(body, '$.data.policy.severity')
FROM dead WHERE offset = ?1
"""
_RAISE = "DELETE FROM dead WHERE offset = ? RETURNING topic"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that the broker would not take.

    problem:  why.
    buried_s: when that was, seconds since 1970 UTC.
    body:     the event, as JSON.
    """

    id: str
    topic: str
    problem: str
    buried_s: float
    body: str


class DeadLetters:
    """Those of a log that exists, also while it is published; a method may raise LogUnavailable."""

    def __init__(self, path: Path) -> None:
        """Open the log at `path`.

        Raises:
            ConfigError: there is none.
            LogUnavailable: it cannot be opened, or a newer streamguard wrote it.
        """
        self._file = LogFile(path)

    def all(self) -> list[DeadLetter]:
        """Give them in the order of the log."""
        return [DeadLetter(*row) for row in self._file.rows(_ALL)]

    def send_again(self, ids: Collection[str], now_s: float) -> int:
        """Put some of them at the end of the log, to be sent as they are; give how many.

        One that the publisher refused just now, and has not moved on from, is left out.

        Args:
            ids: of which.
            now_s: seconds since 1970 UTC; from then on they are kept for the time of their topic.
        """
        with self._file.transaction() as connection:
            passed = connection.execute(_PASSED, (json.dumps(sorted(ids)),)).fetchall()
            for (offset,) in passed:
                connection.execute(_MAKE_ROOM, (offset,))
                connection.execute(_APPEND, (offset, now_s))
                connection.execute(_RAISE, (offset,)).fetchall()
            reach("again_written")
        reach("again_committed")
        return len(passed)

    def drop(self, ids: Collection[str]) -> int:
        """Let some of them go for good; give how many. The log keeps what it still has of them.

        One that the publisher refused just now, and has not moved on from, is left out.
        """
        with self._file.transaction() as connection:
            passed = connection.execute(_PASSED, (json.dumps(sorted(ids)),)).fetchall()
            for (offset,) in passed:
                topic = connection.execute(_RAISE, (offset,)).get
                connection.execute(ADD_ACKNOWLEDGED, (topic, 1))
            reach("drop_written")
        reach("drop_committed")
        return len(passed)

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        self._file.close()
