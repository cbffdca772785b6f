"""What is known of a session beside its flags: what was not screened, and who watched.

Rule: the latest alone is kept, so that neither a stream that stutters for days nor a large audience
fills the file.
"""

import apsw

from streamguard.core.coverage_data import GapData
from streamguard.review.desk_file import DeskFile

MAX_GAPS = 64
"""Gaps of one session, the latest: more cannot be told apart on a timeline."""

MAX_SAMPLES = 900
"""Audiences of one session, the latest: half an hour of one that changes every 2 seconds."""

KEPT_S = 172_800.0
"""How long the audience of a session is kept, seconds: two days, in which a case is decided."""

_PUT_GAP = "INSERT INTO gaps (session_id, body) VALUES (?, ?)"
_FEWER_GAPS = """
DELETE FROM gaps WHERE session_id = ?1 AND number <= (
    SELECT number FROM gaps WHERE session_id = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2
)
"""
_NOTE_SESSION = "UPDATE live_sessions SET at_s = ? WHERE session_id = ?"
_NO_CASE = """
DELETE FROM gaps WHERE session_id = ?1
AND NOT EXISTS (SELECT 1 FROM cases WHERE session_id = ?1)
"""
_GAPS = "SELECT body FROM gaps WHERE session_id = ? ORDER BY number"
_PUT_AUDIENCE = "INSERT OR REPLACE INTO audience VALUES (?, ?, ?)"
_FEWER_AUDIENCES = """
DELETE FROM audience WHERE session_id = ?1 AND at_s <= (
    SELECT at_s FROM audience WHERE session_id = ?1 ORDER BY at_s DESC LIMIT 1 OFFSET ?2
)
"""
_OLD_AUDIENCES = "DELETE FROM audience WHERE at_s < ?"
_AUDIENCE = "SELECT at_s, n_viewers FROM audience WHERE session_id = ? ORDER BY at_s"


def keep_gap(connection: apsw.Connection, gap: GapData) -> None:
    """Keep a stretch that was not screened."""
    session_id = gap.stream.session_id
    connection.execute(_PUT_GAP, (session_id, gap.model_dump_json(exclude_none=True)))
    connection.execute(_FEWER_GAPS, (session_id, MAX_GAPS))


def note_session(connection: apsw.Connection, session_id: str, at_s: float) -> None:
    """Note when a session began or ended, seconds since 1970 UTC."""
    connection.execute(_NOTE_SESSION, (at_s, session_id))


def end_session(connection: apsw.Connection, session_id: str) -> None:
    """Forget the gaps of a session that has ended, where nothing was flagged in it."""
    connection.execute(_NO_CASE, (session_id,))


def keep_audience(
    connection: apsw.Connection, session_id: str, at_s: float, n_viewers: int
) -> None:
    """Keep how many watched a session at an instant, seconds since 1970 UTC."""
    connection.execute(_PUT_AUDIENCE, (session_id, at_s, n_viewers))
    connection.execute(_FEWER_AUDIENCES, (session_id, MAX_SAMPLES))


def forget_audiences(connection: apsw.Connection, now_s: float) -> None:
    """Forget who watched more than two days before an instant, seconds since 1970 UTC."""
    connection.execute(_OLD_AUDIENCES, (now_s - KEPT_S,))


def gaps_of(file: DeskFile, session_id: str) -> list[GapData]:
    """Give the gaps of a session, the oldest first."""
    return [GapData.model_validate_json(body) for (body,) in file.rows(_GAPS, (session_id,))]


def audience_of(file: DeskFile, session_id: str) -> list[tuple[float, int]]:
    """Give who watched a session since when, seconds since 1970 UTC, the oldest first."""
    return [(at_s, n_viewers) for at_s, n_viewers in file.rows(_AUDIENCE, (session_id,))]
