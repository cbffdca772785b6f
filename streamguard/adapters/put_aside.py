"""What the receiver of a consumer group refused for good, or a person took out of its way.

Rule: it is kept whole, for longer than the log keeps the event, until a person says what becomes of
it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from streamguard.adapters.sqlite_file import LogFile
from streamguard.core.record import Record

PUT_ASIDE = """
INSERT INTO put_aside (
    group_name, offset, topic, key, id, type, recorded_s, body, problem, aside_s
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
WHY_ASIDE = "SELECT problem FROM put_aside WHERE group_name = ? AND offset = ?"
_ALL = """
SELECT offset, topic, key, id, type, recorded_s, body, problem, aside_s FROM put_aside
WHERE group_name = ? ORDER BY offset
"""
_COUNT = "SELECT count(*) FROM put_aside WHERE group_name = ?"
_REMOVE = "DELETE FROM put_aside WHERE group_name = ? AND offset = ?"


@dataclass(frozen=True, slots=True)
class Aside:
    """An event that the receiver would not take.

    problem: why.
    aside_s: when it was put aside, seconds since 1970 UTC.
    """

    record: Record
    problem: str
    aside_s: float


class PutAside:
    """Those of a group in a log that exists, also while it is forwarded.

    Every method may raise LogUnavailable.
    """

    def __init__(self, path: Path, group: str) -> None:
        """Open the log at `path`.

        Raises:
            ConfigError: there is none.
            LogUnavailable: it cannot be opened, or a newer streamguard wrote it.
        """
        self._file = LogFile(path)
        self._group = group

    def all(self) -> list[Aside]:
        """Give them in the order of the log."""
        rows = self._file.rows(_ALL, (self._group,))
        return [Aside(Record(*row[:-2]), *row[-2:]) for row in rows]

    def count(self) -> int:
        """Say how many there are."""
        ((count,),) = self._file.rows(_COUNT, (self._group,))
        return int(count)

    def remove(self, offsets: Collection[int]) -> None:
        """Let some of them go; one that is gone already is no mistake."""
        with self._file.transaction() as connection:
            connection.executemany(_REMOVE, [(self._group, offset) for offset in offsets])

    def close(self) -> None:
        """Release the file; closing twice is harmless."""
        self._file.close()
