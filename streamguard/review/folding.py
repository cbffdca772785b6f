"""How an event changes the tables of cases.

Rule: events in, rows out, within the caller's transaction; the same events give the same rows.
"""

from typing import Any

import apsw
import msgspec

from streamguard.core.action_data import ActionFailedData, ActionRequestedData, ActionVerifiedData
from streamguard.core.appeal_data import AppealReceivedData, AppealResolvedData
from streamguard.core.audit_data import AuditData
from streamguard.core.case_fold import fold_case
from streamguard.core.cases import Case
from streamguard.core.coverage_data import GapData, StreamEndedData, StreamStartedData
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.core.events import Event
from streamguard.core.priority import urgency_class
from streamguard.core.referral_data import ReferralData
from streamguard.review.actions import keep_action
from streamguard.review.history import end_session, keep_gap, note_session
from streamguard.review.referral_table import keep_referral

_PUT = """
INSERT INTO cases (case_id, session_id, policy, stage, urgency, opened_s, body)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (case_id) DO UPDATE SET
stage = excluded.stage, urgency = excluded.urgency, body = excluded.body
"""
_OF_SESSION = "SELECT body FROM cases WHERE session_id = ? ORDER BY opened_s, case_id"
_CASE = "SELECT body FROM cases WHERE case_id = ?"
_CASE_OF_FLAG = """
SELECT cases.body FROM cases JOIN case_flags USING (case_id) WHERE flag_id = ?
"""
_CASE_OF_DECISION = """
SELECT cases.body FROM cases JOIN decisions USING (case_id) WHERE decision_id = ?
"""
_ENDED = "SELECT 1 FROM live_sessions WHERE session_id = ? AND NOT is_live"
_PUT_FLAG = """
INSERT INTO case_flags (flag_id, case_id, revision, body) VALUES (?, ?, ?, ?)
ON CONFLICT (flag_id) DO UPDATE
SET case_id = excluded.case_id, revision = excluded.revision, body = excluded.body
WHERE excluded.revision >= revision
"""
_PUT_PUBLISH = """
INSERT INTO publishes (stream_id, session_id, started_s) VALUES (?, ?, ?)
ON CONFLICT (stream_id) DO UPDATE
SET session_id = excluded.session_id, started_s = excluded.started_s
WHERE excluded.started_s >= started_s
"""
_ON_AIR = """
SELECT session_id FROM publishes WHERE stream_id = ?
AND NOT EXISTS (
    SELECT 1 FROM live_sessions WHERE session_id = publishes.session_id AND NOT is_live
)
"""
_MISSED = """
SELECT body FROM cases WHERE case_id IN (
    SELECT case_id FROM decisions WHERE json_extract(body, '$.stream.stream_id') = ?
) AND json_extract(CAST(body AS TEXT), '$.missed_s') IS NOT NULL ORDER BY opened_s, case_id
"""
_PUT_SESSION = """
INSERT INTO live_sessions (session_id, is_live) VALUES (?, ?)
ON CONFLICT (session_id) DO UPDATE SET is_live = excluded.is_live
"""
FLAGS_OF_CASE = """
case_flags WHERE case_id IN (
    SELECT ?1 UNION ALL
    SELECT value FROM cases, json_each(CAST(cases.body AS TEXT), '$.also') WHERE cases.case_id = ?1
)
"""
"""The flags of a case, and of what is looked at with it; the parameter is its id."""

_DECISIONS_OF = "SELECT body FROM decisions WHERE case_id = ? ORDER BY decided_s, decision_id"
_PUT_DECISION = """
INSERT INTO decisions (decision_id, case_id, decided_s, body) VALUES (?, ?, ?, ?)
ON CONFLICT (decision_id) DO NOTHING
"""
_PUT_APPEAL = """
INSERT INTO appeals (appeal_id, case_id, decision_id, policy, received_s, body)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (appeal_id) DO NOTHING
"""
_RESOLVE = "UPDATE appeals SET resolved = ? WHERE appeal_id = ?"
_PUT_BANKING = """
INSERT INTO bankings (case_id, decision_id, act, bank, n_hashes, why, at)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (case_id) DO UPDATE SET
n_hashes = CASE
    WHEN excluded.why IS NOT NULL AND (excluded.decision_id, excluded.act) = (decision_id, act)
    THEN n_hashes ELSE excluded.n_hashes
END,
decision_id = excluded.decision_id, act = excluded.act, bank = excluded.bank,
why = excluded.why, at = excluded.at
"""
_DROP_LEASE = "DELETE FROM leases WHERE thing_id = ?"
_END_LEASE = "DELETE FROM leases WHERE thing_id = ? AND holder = ? AND token < ?"
"""With what was done under it, also where the console ended in between; a later one has a higher
token, and stays."""
_PUT_SKIP = """
INSERT INTO skips (case_id, account_id, at_s) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET at_s = excluded.at_s
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Case).decode


def read_case(body: bytes) -> Case:
    """Read a case as the table keeps it."""
    return _decode(body)


def cases_by(connection: apsw.Connection, statement: str, values: tuple[str, ...]) -> list[Case]:
    """Read the cases whose bodies a statement of our own selects."""
    rows: list[Any] = connection.execute(statement, values).fetchall()
    return [read_case(body) for (body,) in rows]


def put_case(connection: apsw.Connection, case: Case) -> None:
    """Write a case, over what was there."""
    of = (case.case_id, case.session_id, case.policy, case.stage, urgency_class(case))
    connection.execute(_PUT, (*of, case.opened_s, _encode(case)))


class SqlBook:
    """The tables as a `CaseBook`, within a transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def case(self, case_id: str) -> Case | None:
        """Give a case by its id."""
        return self._one(_CASE, case_id)

    def of_flag(self, flag_id: str) -> Case | None:
        """Give the case under which a flag is kept."""
        return self._one(_CASE_OF_FLAG, flag_id)

    def of_decision(self, decision_id: str) -> Case | None:
        """Give the case that a decision is about."""
        return self._one(_CASE_OF_DECISION, decision_id)

    def of_session(self, session_id: str) -> list[Case]:
        """Give all cases of a session, the oldest first."""
        return cases_by(self._connection, _OF_SESSION, (session_id,))

    def decisions(self, case_id: str) -> list[DecisionData]:
        """Give the decisions about a case, also where they came before it."""
        rows: list[Any] = self._connection.execute(_DECISIONS_OF, (case_id,)).fetchall()
        return [DecisionData.model_validate_json(body) for (body,) in rows]

    def has_ended(self, session_id: str) -> bool:
        """Say whether a session is known to be over."""
        return bool(self._connection.execute(_ENDED, (session_id,)).fetchall())

    def put(self, case: Case) -> None:
        """Keep a case, over what was there."""
        put_case(self._connection, case)

    def put_flag(self, flag: FlagData, case_id: str) -> None:
        """Keep a flag under a case; what is older than what is there changes nothing."""
        values = (flag.flag_id, case_id, flag.revision, flag.model_dump_json(exclude_none=True))
        self._connection.execute(_PUT_FLAG, values)

    def put_decision(self, decision: DecisionData) -> None:
        """Keep a decision, and that it ends the lease under which it was made."""
        body = decision.model_dump_json(exclude_none=True)
        decided_s = utc_seconds(decision.decided_at)
        values = (decision.decision_id, decision.case_id, decided_s, body)
        self._connection.execute(_PUT_DECISION, values)
        if decision.reviewer is not None:
            token = decision.reviewer.lease_token
            self._connection.execute(_END_LEASE, (decision.case_id, decision.actor, token + 1))

    def put_session(self, session_id: str, *, is_live: bool) -> None:
        """Keep whether a session goes on."""
        self._connection.execute(_PUT_SESSION, (session_id, is_live))

    def put_publish(self, stream_id: str, session_id: str, started_s: float) -> None:
        """Keep which session of a stream began last, and when, seconds since 1970 UTC."""
        self._connection.execute(_PUT_PUBLISH, (stream_id, session_id, started_s))

    def on_air(self, stream_id: str) -> str | None:
        """Give the session of a stream that began last, where it is not over."""
        rows: list[Any] = self._connection.execute(_ON_AIR, (stream_id,)).fetchall()
        return str(rows[0][0]) if rows else None

    def missed(self, stream_id: str) -> list[Case]:
        """Give the cases of a stream whose action found the publish gone."""
        return cases_by(self._connection, _MISSED, (stream_id,))

    def drop_lease(self, case_id: str) -> None:
        """Take a case out of the hands that it is in, where it is in any."""
        self._connection.execute(_DROP_LEASE, (case_id,))

    def _one(self, statement: str, value: str) -> Case | None:
        return next(iter(cases_by(self._connection, statement, (value,))), None)


def fold(connection: apsw.Connection, event: Event) -> None:
    """Take an event into the tables."""
    fold_case(SqlBook(connection), event)
    match event.data:
        case StreamStartedData():
            note_session(connection, event.data.stream.session_id, utc_seconds(event.time))
        case StreamEndedData():
            note_session(connection, event.data.stream.session_id, utc_seconds(event.time))
            end_session(connection, event.data.stream.session_id)
        case GapData():
            keep_gap(connection, event.data)
        case ActionRequestedData() | ActionVerifiedData() | ActionFailedData():
            keep_action(connection, event.data)
        case ReferralData():
            keep_referral(connection, event.data)
        case AppealReceivedData() | AppealResolvedData():
            _fold_appeal(connection, event.data)
        case AuditData():
            _fold_audit(connection, event.data)


def _fold_appeal(
    connection: apsw.Connection, appeal: AppealReceivedData | AppealResolvedData
) -> None:
    if isinstance(appeal, AppealResolvedData):
        connection.execute(_RESOLVE, (appeal.model_dump_json(), appeal.appeal_id))
        return
    of = (appeal.appeal_id, appeal.case_id, appeal.decision_id, appeal.policy.code)
    values = (*of, utc_seconds(appeal.received_at), appeal.model_dump_json())
    connection.execute(_PUT_APPEAL, values)


def _fold_audit(connection: apsw.Connection, record: AuditData) -> None:
    if record.action in {"bank.added", "bank.removed"}:
        _fold_banking(connection, record)
        return
    thing_id = record.about or record.case_id
    connection.execute(_PUT_SKIP, (thing_id, record.actor, utc_seconds(record.at)))
    connection.execute(_END_LEASE, (thing_id, record.actor, record.seq))


def _fold_banking(connection: apsw.Connection, record: AuditData) -> None:
    """Keep what became of a banking; what is in stays in where only more of it failed."""
    said = {one.name: one.value for one in record.details}
    act = record.action.removeprefix("bank.")
    n_hashes = int(said["n_hashes"]) if said.get("n_hashes", "").isdecimal() else None
    why = said.get("why", "") or "nobody says why" if record.is_refused else None
    of = (record.case_id, record.about, act, said.get("bank", ""))
    if record.case_id is not None and record.about is not None:
        connection.execute(_PUT_BANKING, (*of, n_hashes, why, record.at))
