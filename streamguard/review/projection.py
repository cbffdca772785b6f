"""Cases as they follow from the log, kept where they can be asked for quickly.

Rule: events in, rows out, in one transaction with the place in the log; who reads the same log
anew gets the same rows. A case that nobody has decided stays, also when the log has forgotten it.
"""

from collections.abc import Callable
from typing import Protocol

import apsw

from streamguard.adapters.told import event_of
from streamguard.core.cases import with_stream
from streamguard.core.events import Topic
from streamguard.core.record import Record
from streamguard.review.desk_file import FORGET, FROM_LOG, DeskFile
from streamguard.review.folding import cases_by, fold, put_case
from streamguard.review.history import forget_audiences, keep_audience

GROUP = "review"
"""The consumer group whose place in the log keeps records from being pruned unread."""

NOTE_EVERY_S = 60.0
"""How often that place is noted."""

SKIPPED = '"action":"case.skipped"'
"""Marks the only audit records that say something of cases that no decision says."""

_CASE = "SELECT body FROM cases WHERE case_id = ?"
_UNDECIDED = "SELECT body FROM cases WHERE stage <> 'decided'"
_WAITING_OF = "SELECT body FROM cases WHERE session_id = ? AND stage <> 'decided'"


class ReadLog(Protocol):
    """The log, as far as it is read here."""

    def read(self, offset: int, topic: str | None = None, limit: int = 1_000) -> list[Record]:
        """Give records from an offset on."""
        ...

    def commit(self, group: str, offset: int, now_s: float) -> None:
        """Note what the group reads next."""
        ...


class Projection:
    """The tables of one file that follow from one log."""

    def __init__(self, file: DeskFile, log: ReadLog, wall: Callable[[], float]) -> None:
        """wall: tells the time, seconds since 1970 UTC."""
        self._file = file
        self._log = log
        self._wall = wall
        self._noted_s = 0.0

    def catch_up(self) -> int:
        """Take all that is new in the log; give how many records that were."""
        n_taken = 0
        while records := self._log.read(self.place()):
            with self._file.transaction() as connection:
                n_taken += self._take(connection, records)
        if n_taken and self._wall() - self._noted_s > NOTE_EVERY_S:
            self._noted_s = self._wall()
            self._log.commit(GROUP, self.place(), self._noted_s)
        return n_taken

    def place(self) -> int:
        """Give the offset that is read next."""
        rows = self._file.rows("SELECT next_offset FROM place")
        return int(rows[0][0]) if rows else 1

    def rebuild(self) -> int:
        """Throw the tables away and make them anew from the log; give how many cases there are.

        Others see the old ones until all is done. Cases that wait and that the log, pruned
        meanwhile, does not tell of any more are taken over.
        """
        with self._file.transaction() as connection:
            waiting = cases_by(connection, _UNDECIDED, ())
            connection.execute(FORGET).fetchall()
            connection.execute(FROM_LOG).fetchall()
            while records := self._log.read(self.place()):
                self._take(connection, records)
            for case in waiting:
                if not connection.execute(_CASE, (case.case_id,)).fetchall():
                    put_case(connection, case)
            return int(connection.execute("SELECT count(*) FROM cases").get)

    def _take(self, connection: apsw.Connection, records: list[Record]) -> int:
        """Take records that no other console has taken meanwhile."""
        place = self.place()
        new = [record for record in records if record.offset >= place]
        for record in new:
            if record.topic != Topic.AUDIT or SKIPPED in record.body:
                event = event_of(record)
                if event is not None:
                    fold(connection, event)
        if new:
            connection.execute("DELETE FROM place")
            connection.execute("INSERT INTO place VALUES (?)", (new[-1].offset + 1,))
        return len(new)


def note_audience(file: DeskFile, viewers: dict[str, int], at_s: float) -> None:
    """Note how many watch each session; it is told by the supervisor, not by the log.

    at_s: when that was, seconds since 1970 UTC.
    """
    with file.transaction() as connection:
        for session_id, n_viewers in viewers.items():
            for case in cases_by(connection, _WAITING_OF, (session_id,)):
                if case.n_viewers != n_viewers:
                    put_case(
                        connection, with_stream(case, is_live=case.is_live, n_viewers=n_viewers)
                    )
                    keep_audience(connection, session_id, at_s, n_viewers)
        forget_audiences(connection, at_s)
