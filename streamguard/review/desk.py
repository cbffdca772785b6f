"""What all that reviewers do stands on: one file, one log, one clock.

Rule: whoever changes something first takes the file's turn, then writes to the log, and tells
nobody before both are done. A crash in between leaves what the log says, which is taken up again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import apsw

from streamguard.core.audit import Deed
from streamguard.core.cases import MAX_TOLD, Case
from streamguard.core.choosing import Rules
from streamguard.core.decision_data import DecisionData
from streamguard.core.errors import CaseTaken, DecisionRefused, NoSuchCase
from streamguard.core.event_data import FlagData
from streamguard.core.people import Person
from streamguard.review.by_clock import as_it_waits
from streamguard.review.desk_file import DeskFile
from streamguard.review.folding import FLAGS_OF_CASE, read_case
from streamguard.review.leases import Lease, drop, held, put, require
from streamguard.review.projection import Projection, ReadLog
from streamguard.review.trail import ClaimedLog, Trail

LEASE_S = 60.0
"""How long a case stays in the hands of somebody who is not heard of, seconds: short, for a live
stream waits meanwhile, and renewed by a heartbeat while somebody looks."""


_FLAGS = f"""
SELECT body FROM {FLAGS_OF_CASE} ORDER BY json_extract(body, '$.window.start_time') DESC LIMIT ?2
"""  # noqa: S608  # text of ours


class DeskLog(ReadLog, ClaimedLog, Protocol):
    """The log, as reviewers use it."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts.

    source:  `/streamguard/<deployment>`.
    wall:    tells the time, seconds since 1970 UTC, the same in all consoles of one file.
    lease_s: how long a lease lasts, seconds.
    """

    file: DeskFile
    projection: Projection
    trail: Trail
    source: str
    wall: Callable[[], float]
    rules: Rules = field(default_factory=Rules)
    lease_s: float = LEASE_S

    @contextmanager
    def turn(self) -> Iterator[apsw.Connection]:
        """Take all that the log says, then let nobody else change anything."""
        self.projection.catch_up()
        with self.file.transaction() as connection:
            self.projection.catch_up()  # what came while we waited for the turn
            yield connection

    def case(self, person: Person, case_id: str) -> Case:
        """Give a case that somebody may know of, as it waits.

        Raises:
            NoSuchCase: there is none of this id for this person.
        """
        rows: list[Any] = self.file.rows("SELECT body FROM cases WHERE case_id = ?", (case_id,))
        case = read_case(rows[0][0]) if rows else None
        if case is None or not person.is_cleared(case.policy):
            raise NoSuchCase("there is no such case")
        return as_it_waits(self.file, case, self.wall(), self.rules)

    @contextmanager
    def on_record(self, person: Person, action: str, case_id: str) -> Iterator[None]:
        """Have on record what was refused as well."""
        try:
            yield
        except (CaseTaken, DecisionRefused) as error:
            known = self.file.rows("SELECT 1 FROM cases WHERE case_id = ?", (case_id,))
            why = {"why": str(error)}
            on = case_id if known else None
            deed = Deed(person.account_id, action, on, details=why, is_refused=True)
            self.trail.note(deed)
            raise

    def flags(self, case_id: str) -> list[FlagData]:
        """Give the flags that are looked at with a case, as they are now; of very many the last.

        They are those of the case and of what it took in or follows, the oldest first.
        """
        rows = self.file.rows(_FLAGS, (case_id, MAX_TOLD))
        flags = [FlagData.model_validate_json(body) for (body,) in rows]
        return sorted(flags, key=lambda flag: (flag.window.start_time, flag.flag_id))

    def decision(self, decision_id: str) -> DecisionData | None:
        """Give a decision by its id; None where it is not here."""
        rows = self.file.rows("SELECT body FROM decisions WHERE decision_id = ?", (decision_id,))
        return DecisionData.model_validate_json(rows[0][0]) if rows else None

    def renew(self, person: Person, thing_id: str, token: int, *, is_active: bool = True) -> Lease:
        """Keep a case or an appeal in hand for another while.

        is_active: somebody did something since the last time; a page that is left open does not.

        Raises:
            CaseTaken: it is not in this person's hands, or no longer, or they have left it.
        """
        with self.file.transaction() as connection:
            now_s = self.wall()
            lease = require(connection, thing_id, person.account_id, token, now_s)
            active_s = now_s if is_active else lease.active_s
            renewed = replace(lease, expires_s=now_s + self.lease_s, active_s=active_s)
            if renewed.is_left(now_s):
                drop(connection, thing_id)
            else:
                put(connection, renewed)
        if renewed.is_left(now_s):
            raise CaseTaken("you did nothing for a while, and others can take it now")
        return renewed

    def held(self) -> dict[str, Lease]:
        """Give who has what in hand now, by case: presence."""
        return held(self.file, self.wall())

    def view(self, connection: apsw.Connection, lease: Lease) -> Lease:
        """Note that evidence is shown under a lease: the first time counts."""
        now_s = self.wall()
        seen = replace(lease, first_view_s=lease.first_view_s or now_s, active_s=now_s)
        put(connection, seen)
        return seen


def make_desk(
    file: DeskFile,
    log: DeskLog,
    source: str,
    wall: Callable[[], float],
    rules: Rules | None = None,
    lease_s: float = LEASE_S,
) -> Desk:
    """Put the parts together."""
    projection, trail = Projection(file, log, wall), Trail(log, source, wall)
    return Desk(file, projection, trail, source, wall, rules or Rules(), lease_s)


def cases_where(file: DeskFile, condition: str, values: tuple[str | int, ...] = ()) -> list[Case]:
    """Read the cases for which a condition of our own over the table's columns holds."""
    rows = file.rows(f"SELECT body FROM cases WHERE {condition}", values)  # noqa: S608  # see above
    return [read_case(body) for (body,) in rows]
