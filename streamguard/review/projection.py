"""Cases as they follow from the log, kept where they can be asked for quickly.

Rule: events in, rows out, in one transaction with the place in the log; who reads the same log
anew gets the same rows. A case that nobody has decided stays, also when the log has forgotten it.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import apsw

from streamguard.adapters.told import event_of
from streamguard.core.case_changes import with_stream
from streamguard.core.events import Topic
from streamguard.core.record import Record
from streamguard.review.desk_file import DeskFile
from streamguard.review.folding import cases_by, fold, put_case
from streamguard.review.forgetting import forget_all
from streamguard.review.history import forget_audiences, keep_audience

GROUP = "review"
"""The consumer group whose place in the log keeps records from being pruned unread."""

NOTE_EVERY_S = 60.0
"""How often that place is noted."""

NOTE_IDLE_S = 3_600.0
"""How often where nothing came: who is silent for a day is waited for no longer."""

TELLING = (
    *('"action":"case.skipped"', '"action":"appeal.skipped"'),
    *('"action":"bank.added"', '"action":"bank.removed"'),
)
"""Mark the only audit records that say something of cases that no decision says."""

_WAITING_OF = "SELECT body FROM cases WHERE session_id = ? AND stage <> 'decided'"


TAKE_OVER = """
CREATE TEMP TABLE older AS
SELECT case_id FROM main.cases WHERE case_id NOT IN (SELECT case_id FROM anew.cases);
DELETE FROM anew.cases WHERE case_id IN (
    SELECT new.case_id FROM anew.case_flags AS new JOIN main.case_flags AS old USING (flag_id)
    WHERE old.case_id IN (SELECT case_id FROM older)
);
INSERT OR REPLACE INTO main.case_flags SELECT * FROM anew.case_flags
WHERE case_id IN (SELECT case_id FROM anew.cases);
INSERT OR REPLACE INTO main.cases SELECT * FROM anew.cases;
INSERT OR REPLACE INTO main.live_sessions SELECT * FROM anew.live_sessions;
INSERT OR REPLACE INTO main.publishes SELECT * FROM anew.publishes;
INSERT OR REPLACE INTO main.decisions SELECT * FROM anew.decisions;
INSERT OR REPLACE INTO main.actions SELECT * FROM anew.actions;
INSERT OR REPLACE INTO main.referrals SELECT * FROM anew.referrals;
INSERT OR REPLACE INTO main.skips SELECT * FROM anew.skips;
INSERT OR REPLACE INTO main.appeals SELECT * FROM anew.appeals;
INSERT OR REPLACE INTO main.bankings SELECT * FROM anew.bankings;
DELETE FROM main.gaps;
INSERT INTO main.gaps SELECT * FROM anew.gaps;
DELETE FROM main.place;
INSERT INTO main.place SELECT * FROM anew.place;
DROP TABLE older;
"""
"""A case that is older than the log keeps its flags: of those that the log still tells, a case of
another id would be made, which nobody has decided."""


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
        if self._wall() - self._noted_s > (NOTE_EVERY_S if n_taken else NOTE_IDLE_S):
            self._noted_s = self._wall()
            self._log.commit(GROUP, self.place(), self._noted_s)
        return n_taken

    def place(self) -> int:
        """Give the offset that is read next."""
        rows = self._file.rows("SELECT next_offset FROM place")
        return int(rows[0][0]) if rows else 1

    def rebuild(self) -> int:
        """Make the tables anew from the log, beside the file; give how many cases there are.

        Nobody waits but for the moment in which the new ones are taken over. What the log, pruned
        meanwhile, tells no more stays as it was: what was decided stands longer than its flags.
        """
        self.catch_up()
        with TemporaryDirectory(prefix=".anew-", dir=self._file.path.parent) as folder:
            anew = DeskFile(Path(folder) / "anew")
            try:
                made = Projection(anew, self._log, self._wall)
                made.catch_up()
                with self._file.attached(anew.path) as connection:
                    made.catch_up()  # what came while we waited for the turn
                    connection.execute(TAKE_OVER).fetchall()
                    forget_all(connection, self._wall())  # what was old, the log has told again
                    return int(connection.execute("SELECT count(*) FROM cases").get)
            finally:
                anew.close()

    def _take(self, connection: apsw.Connection, records: list[Record]) -> int:
        """Take records that no other console has taken meanwhile."""
        place = self.place()
        new = [record for record in records if record.offset >= place]
        for record in new:
            if record.topic != Topic.AUDIT or any(one in record.body for one in TELLING):
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
