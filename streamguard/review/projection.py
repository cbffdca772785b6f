"""Cases as they follow from the log, kept where they can be asked for quickly.

Rule: events in, rows out, in one transaction with the place in the log; who reads the same log
anew gets the same rows. A case that nobody has decided stays, also when the log has forgotten it.
"""

from collections.abc import Callable
from typing import Any, Protocol

import apsw
import msgspec

from streamguard.core.appeal_data import AppealReceivedData, AppealResolvedData
from streamguard.core.audit_data import AuditData
from streamguard.core.cases import (
    Case,
    first_case,
    is_news,
    with_decision,
    with_flag,
    with_stream,
)
from streamguard.core.coverage_data import GapData, StreamEndedData, StreamStartedData
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.core.events import Event, Topic
from streamguard.core.priority import urgency_class
from streamguard.core.record import Record
from streamguard.review.desk_file import FORGET, FROM_LOG, DeskFile
from streamguard.review.history import end_session, keep_audience, keep_gap

GROUP = "review"
"""The consumer group whose place in the log keeps records from being pruned unread."""

NOTE_EVERY_S = 60.0
"""How often that place is noted."""

SKIPPED = '"action":"case.skipped"'
"""Marks the only audit records that say something of cases that no decision says."""

_PUT = """
INSERT INTO cases (case_id, session_id, policy, stage, urgency, opened_s, body)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (case_id) DO UPDATE SET
stage = excluded.stage, urgency = excluded.urgency, body = excluded.body
"""
_LATEST = """
SELECT body FROM cases WHERE session_id = ? AND policy = ? ORDER BY opened_s DESC, case_id LIMIT 1
"""
_OF_SESSION = "SELECT body FROM cases WHERE session_id = ? AND stage <> 'decided'"
_CASE = "SELECT body FROM cases WHERE case_id = ?"
_CASE_OF_FLAG = """
SELECT cases.body FROM cases JOIN case_flags USING (case_id) WHERE flag_id = ?
"""
_ENDED = "SELECT 1 FROM live_sessions WHERE session_id = ? AND NOT is_live"
_PUT_FLAG = """
INSERT INTO case_flags (flag_id, case_id, revision, body) VALUES (?, ?, ?, ?)
ON CONFLICT (flag_id) DO UPDATE
SET case_id = excluded.case_id, revision = excluded.revision, body = excluded.body
WHERE excluded.revision >= revision
"""
_PUT_SESSION = """
INSERT INTO live_sessions (session_id, is_live) VALUES (?, ?)
ON CONFLICT (session_id) DO UPDATE SET is_live = excluded.is_live
"""
_PUT_DECISION = """
INSERT INTO decisions (decision_id, case_id, decided_s, body) VALUES (?, ?, ?, ?)
ON CONFLICT (decision_id) DO NOTHING
"""
_PUT_APPEAL = """
INSERT INTO appeals (appeal_id, case_id, decision_id, policy, received_s, body)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (appeal_id) DO NOTHING
"""
_RESOLVE = "UPDATE appeals SET resolved = ? WHERE appeal_id = ?"
_PUT_SKIP = "INSERT INTO skips (case_id, account_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
_UNDECIDED = "SELECT body FROM cases WHERE stage <> 'decided'"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Case).decode


class ReadLog(Protocol):
    """The log, as far as it is read here."""

    def read(self, offset: int, topic: str | None = None, limit: int = 1_000) -> list[Record]:
        """Give records from an offset on."""
        ...

    def commit(self, group: str, offset: int, now_s: float) -> None:
        """Note what the group reads next."""
        ...


def read_case(body: bytes) -> Case:
    """Read a case as the table keeps it."""
    return _decode(body)


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
            waiting = _cases(connection, _UNDECIDED, ())
            connection.execute(FORGET).fetchall()
            connection.execute(FROM_LOG).fetchall()
            while records := self._log.read(self.place()):
                self._take(connection, records)
            for case in waiting:
                if not connection.execute(_CASE, (case.case_id,)).fetchall():
                    _put(connection, case)
            return int(connection.execute("SELECT count(*) FROM cases").get)

    def _take(self, connection: apsw.Connection, records: list[Record]) -> int:
        """Take records that no other console has taken meanwhile."""
        place = self.place()
        new = [record for record in records if record.offset >= place]
        for record in new:
            if record.topic != Topic.AUDIT or SKIPPED in record.body:
                _fold(connection, Event.model_validate_json(record.body))
        if new:
            connection.execute("DELETE FROM place")
            connection.execute("INSERT INTO place VALUES (?)", (new[-1].offset + 1,))
        return len(new)


def _fold(connection: apsw.Connection, event: Event) -> None:
    match event.data:
        case FlagData():
            _fold_flag(connection, event.data, utc_seconds(event.time))
        case StreamStartedData():
            _fold_stream(connection, event.data.stream.session_id, is_live=True)
        case StreamEndedData():
            _fold_stream(connection, event.data.stream.session_id, is_live=False)
            end_session(connection, event.data.stream.session_id)
        case GapData():
            keep_gap(connection, event.data)
        case DecisionData():
            _fold_decision(connection, event.data)
        case AppealReceivedData() as appeal:
            of = (appeal.appeal_id, appeal.case_id, appeal.decision_id, appeal.policy.code)
            values = (*of, utc_seconds(appeal.received_at), appeal.model_dump_json())
            connection.execute(_PUT_APPEAL, values)
        case AppealResolvedData() as appeal:
            connection.execute(_RESOLVE, (appeal.model_dump_json(), appeal.appeal_id))
        case AuditData(case_id=str(case_id), actor=actor):
            connection.execute(_PUT_SKIP, (case_id, actor))


def _fold_flag(connection: apsw.Connection, flag: FlagData, at_s: float) -> None:
    session_id = flag.stream.session_id
    home = _home_of(connection, flag)
    case = with_flag(home, flag, at_s) if home else first_case(flag, at_s)
    has_ended = bool(connection.execute(_ENDED, (session_id,)).fetchall())
    _put(connection, with_stream(case, is_live=not has_ended))
    values = (flag.flag_id, case.case_id, flag.revision, flag.model_dump_json(exclude_none=True))
    connection.execute(_PUT_FLAG, values)


def _home_of(connection: apsw.Connection, flag: FlagData) -> Case | None:
    """Give the case that a flag belongs to: its own, but where it brings news, the newest one."""
    own = _cases(connection, _CASE_OF_FLAG, (flag.flag_id,))
    if own and not (own[0].stage in {"decided", "check"} and is_news(own[0], flag)):
        return own[0]
    latest = _cases(connection, _LATEST, (flag.stream.session_id, flag.policy.code))
    return latest[0] if latest else None


def _fold_stream(connection: apsw.Connection, session_id: str, *, is_live: bool) -> None:
    connection.execute(_PUT_SESSION, (session_id, is_live))
    for case in _cases(connection, _OF_SESSION, (session_id,)):
        _put(connection, with_stream(case, is_live=is_live))


def _fold_decision(connection: apsw.Connection, decision: DecisionData) -> None:
    decided_s = utc_seconds(decision.decided_at)
    body = decision.model_dump_json(exclude_none=True)
    values = (decision.decision_id, decision.case_id, decided_s, body)
    connection.execute(_PUT_DECISION, values)
    for case in _cases(connection, _CASE, (decision.case_id,)):
        _put(connection, with_decision(case, decision))


def _cases(connection: apsw.Connection, statement: str, values: tuple[str, ...]) -> list[Case]:
    rows: list[Any] = connection.execute(statement, values).fetchall()
    return [read_case(body) for (body,) in rows]


def _put(connection: apsw.Connection, case: Case) -> None:
    of = (case.case_id, case.session_id, case.policy, case.stage, urgency_class(case))
    connection.execute(_PUT, (*of, case.opened_s, _encode(case)))


def note_audience(file: DeskFile, viewers: dict[str, int], at_s: float) -> None:
    """Note how many watch each session; it is told by the supervisor, not by the log.

    at_s: when that was, seconds since 1970 UTC.
    """
    with file.transaction() as connection:
        for session_id, n_viewers in viewers.items():
            for case in _cases(connection, _OF_SESSION, (session_id,)):
                if case.n_viewers != n_viewers:
                    _put(connection, with_stream(case, is_live=case.is_live, n_viewers=n_viewers))
                    keep_audience(connection, session_id, at_s, n_viewers)
