"""Who has which case in hand, and until when.

Rule: a thing has one holder at a time. A lease that has ended is nobody's; its token is the place
of the claim in the audit, so that a later claim has a higher one, whatever becomes of this table.
"""

from dataclasses import dataclass
from typing import Any

import apsw

from streamguard.core.errors import CaseTaken
from streamguard.review.desk_file import DeskFile

LEFT_S = 300.0
"""Who does nothing with a case for five minutes has left it (our choice): five times what the
slowest of urgent decisions should take, and an urgent case waits no longer for nobody."""

_PUT = """
INSERT INTO leases (thing_id, holder, token, claimed_s, expires_s, first_view_s, active_s)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (thing_id) DO UPDATE SET
holder = excluded.holder, token = excluded.token, claimed_s = excluded.claimed_s,
expires_s = excluded.expires_s, first_view_s = excluded.first_view_s,
active_s = excluded.active_s
"""
_COLUMNS = """
SELECT thing_id, holder, token, claimed_s, expires_s, first_view_s, active_s FROM leases
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """One thing in one pair of hands.

    thing_id:     a case or an appeal.
    token:        higher than that of every lease before it.
    claimed_s, expires_s, first_view_s: seconds since 1970 UTC; first_view_s is None until evidence
        is shown.
    active_s:     when whoever holds it was last known to do something; 0 where only the claim was.
    """

    thing_id: str
    holder: str
    token: int
    claimed_s: float
    expires_s: float
    first_view_s: float | None = None
    active_s: float = 0.0

    def is_left(self, now_s: float) -> bool:
        """Say whether whoever holds it has done nothing for so long that they have gone."""
        return now_s - max(self.claimed_s, self.active_s) > LEFT_S


def put(connection: apsw.Connection, lease: Lease) -> None:
    """Write a lease, over whatever was there."""
    of = (lease.thing_id, lease.holder, lease.token)
    times = (lease.claimed_s, lease.expires_s, lease.first_view_s, lease.active_s)
    connection.execute(_PUT, (*of, *times))


def drop(connection: apsw.Connection, thing_id: str) -> None:
    """End a lease."""
    connection.execute("DELETE FROM leases WHERE thing_id = ?", (thing_id,))


def held(file: DeskFile, now_s: float) -> dict[str, Lease]:
    """Give the leases that have not ended, by what they are of."""
    rows = file.rows(f"{_COLUMNS} WHERE expires_s > ?", (now_s,))
    return {row[0]: Lease(*row) for row in rows}


def require(
    connection: apsw.Connection, thing_id: str, holder: str, token: int, now_s: float
) -> Lease:
    """Give a lease that somebody says to have.

    Raises:
        CaseTaken: it has ended, or it is another one.
    """
    rows: list[Any] = connection.execute(f"{_COLUMNS} WHERE thing_id = ?", (thing_id,)).fetchall()
    lease = Lease(*rows[0]) if rows else None
    if lease is None or (lease.holder, lease.token) != (holder, token):
        raise CaseTaken("the case is not in your hands, or no longer")
    if lease.expires_s <= now_s:
        raise CaseTaken("the lease has ended: take the case again")
    return lease
