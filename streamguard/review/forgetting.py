"""What the desk forgets: decided cases that nobody can object to any more, and what is of nothing.

Rule: what is open, held, live or may still be objected to stays, however old; nothing goes that the
log still tells. It follows from the tables and the clock, so that a rebuild ends with the same.
"""

from typing import Any

import apsw

from streamguard.core.cases import Case
from streamguard.core.event_data import utc_text
from streamguard.core.events import RETENTION_S, Topic
from streamguard.review.folding import cases_by
from streamguard.review.history import forget_audiences
from streamguard.review.web_sessions import SHIFT_S

DECIDED_S: float = RETENTION_S[Topic.DECISIONS]
"""How long a case stays after its last flag, decision or appeal, seconds, if nothing else keeps it:
as long as the log tells of it, 90 days. Appeals may keep it longer ([review] appeal_days)."""

ENDED_S: float = RETENTION_S[Topic.FLAGS]
"""How long it is known of a session without a case that it has ended: as long as the log tells its
flags, 14 days."""

EXPOSED_S = 86_400.0
"""How long it is kept what somebody looked at, seconds: the day that is told to them."""

BATCH = 200
"""Sessions that are looked at before others get their turn: measured 17 ms where all of
them go, 30 ms at most, and 1.3 ms where none does."""

LASTING = frozenset({"hold", "limit_reach", "cut_and_suspend"})
"""What goes on until somebody takes it back; a cut was over when it was done."""

_SESSIONS = """
SELECT DISTINCT session_id FROM cases WHERE session_id > ? AND opened_s < ?
ORDER BY session_id LIMIT ?
"""
_CASES = "SELECT body FROM cases WHERE session_id = ?"
_IS_KEPT = """
SELECT 1 FROM decisions WHERE case_id = :case AND json_extract(body, '$.appeal.eligible')
AND coalesce(json_extract(body, '$.appeal.window_ends_at'), :now) >= :now
UNION ALL SELECT 1 FROM appeals WHERE case_id = :case
AND (resolved IS NULL OR json_extract(resolved, '$.resolved_at') >= :before)
"""
_FORGET_CASE = """
DELETE FROM actions WHERE decision_id IN (SELECT decision_id FROM decisions WHERE case_id = :case);
DELETE FROM skips WHERE case_id = :case
OR case_id IN (SELECT appeal_id FROM appeals WHERE case_id = :case);
DELETE FROM leases WHERE thing_id = :case
OR thing_id IN (SELECT appeal_id FROM appeals WHERE case_id = :case);
DELETE FROM decisions WHERE case_id = :case;
DELETE FROM appeals WHERE case_id = :case;
DELETE FROM referrals WHERE case_id = :case;
DELETE FROM bankings WHERE case_id = :case;
DELETE FROM case_flags WHERE case_id = :case;
DELETE FROM cases WHERE case_id = :case;
"""
_FORGET_SESSION = """
DELETE FROM gaps WHERE session_id = :session;
DELETE FROM audience WHERE session_id = :session;
DELETE FROM live_sessions WHERE session_id = :session;
"""
_OF_NO_CASE = """
DELETE FROM decisions WHERE decided_s < :before_s
AND case_id NOT IN (SELECT case_id FROM cases)
AND (
    json_extract(body, '$.appeal.eligible') IS NOT TRUE
    OR json_extract(body, '$.appeal.window_ends_at') < :now
);
DELETE FROM actions WHERE at < :before
AND decision_id NOT IN (SELECT decision_id FROM decisions);
DELETE FROM bankings WHERE at < :before AND case_id NOT IN (SELECT case_id FROM cases);
DELETE FROM referrals WHERE json_extract(body, '$.made_at') < :before
AND case_id NOT IN (SELECT case_id FROM cases);
DELETE FROM appeals WHERE json_extract(resolved, '$.resolved_at') < :before
AND case_id NOT IN (SELECT case_id FROM cases);
DELETE FROM live_sessions WHERE NOT is_live AND at_s < :ended_s
AND session_id NOT IN (SELECT session_id FROM cases);
DELETE FROM publishes WHERE session_id NOT IN (SELECT session_id FROM live_sessions);
"""
_BY_TIME = (
    ("DELETE FROM skips WHERE at_s < ?", SHIFT_S),
    ("DELETE FROM leases WHERE expires_s < ?", SHIFT_S),
    ("DELETE FROM web_sessions WHERE made_s < ?", SHIFT_S),
    ("DELETE FROM strain WHERE at_s < ?", SHIFT_S),
    ("DELETE FROM exposure WHERE at_s < ?", EXPOSED_S),
)
"""What nobody reads once it is so old, seconds."""


def forget_all(connection: apsw.Connection, now_s: float) -> int:
    """Forget all that is old at an instant, seconds since 1970 UTC; give how many cases went."""
    n_gone, after = forget_some(connection, now_s, "")
    while after:
        n_some, after = forget_some(connection, now_s, after)
        n_gone += n_some
    forget_rest(connection, now_s)
    return n_gone


def forget_some(connection: apsw.Connection, now_s: float, after: str) -> tuple[int, str]:
    """Forget the old cases of some sessions; those of one session go together.

    after: the session to go on behind; "" for the first.

    Returns:
        How many cases went, and the session to go on behind; "" where that was all.
    """
    n_gone = 0
    rows: list[Any] = connection.execute(_SESSIONS, (after, now_s - DECIDED_S, BATCH)).fetchall()
    sessions = [session_id for (session_id,) in rows]
    for session_id in sessions:
        cases = cases_by(connection, _CASES, (session_id,))
        if all(_is_over(connection, one, now_s) for one in cases):
            for case in cases:
                connection.execute(_FORGET_CASE, {"case": case.case_id}).fetchall()
            connection.execute(_FORGET_SESSION, {"session": session_id}).fetchall()
            n_gone += len(cases)
    return n_gone, sessions[-1] if len(sessions) == BATCH else ""


def forget_rest(connection: apsw.Connection, now_s: float) -> None:
    """Forget what is of no case here, and what nobody reads any more."""
    forget_audiences(connection, now_s)
    for statement, age_s in _BY_TIME:
        connection.execute(statement, (now_s - age_s,))
    before_s = now_s - DECIDED_S
    times = {"now": utc_text(now_s), "before": utc_text(before_s), "before_s": before_s}
    connection.execute(_OF_NO_CASE, times | {"ended_s": now_s - ENDED_S}).fetchall()


def _is_over(connection: apsw.Connection, case: Case, now_s: float) -> bool:
    """Say whether nobody can do anything more about a case, and nobody has for long."""
    acting, before_s = case.acting, now_s - DECIDED_S
    is_lasting = acting is not None and acting.action in LASTING
    last_s = max([case.flagged_s, *(one.decided_s for one in case.rulings)])
    if case.stage != "decided" or case.is_live or is_lasting or last_s >= before_s:
        return False
    of = {"case": case.case_id, "now": utc_text(now_s), "before": utc_text(before_s)}
    return not connection.execute(_IS_KEPT, of).fetchall()
