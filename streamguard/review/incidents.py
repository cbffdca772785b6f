"""Incidents: what everybody at the console has to know while it lasts.

Such as an attack elsewhere whose recordings are being shared.

Rule: an incident changes nothing by itself: it says what is done differently meanwhile, ends by
itself within two days, and who declared and who ended it is on record.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

from pydantic import Field

from streamguard.core.audit import Deed
from streamguard.core.decision_data import Note
from streamguard.core.errors import DecisionRefused
from streamguard.core.event_values import Name, Value
from streamguard.core.people import Person
from streamguard.review.desk import Desk

MAX_HOURS = 48
"""Whatever still holds then is declared anew, by somebody who looked (our choice)."""

MAX_ACTIVE = 8
"""More at a time nobody reads."""

_ACTIVE = """
SELECT incident_id, name, differs, declared_by, declared_s, expires_s FROM incidents
WHERE expires_s > ? ORDER BY declared_s
"""


class Declared(Value):
    """What somebody declares."""

    name: Name
    """What it is called."""
    differs: Note
    """What is done differently meanwhile."""
    hours: Annotated[int, Field(ge=1, le=MAX_HOURS)]
    """How long it lasts, unless somebody ends it before."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One that goes on; instants in seconds since 1970 UTC."""

    incident_id: str
    name: str
    differs: str
    declared_by: str
    declared_s: float
    expires_s: float


class Incidents:
    """The incidents of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def active(self) -> list[Incident]:
        """Give those that go on, the oldest first."""
        return [Incident(*row) for row in self._desk.file.rows(_ACTIVE, (self._desk.wall(),))]

    def in_force(self) -> str | None:
        """Give the id of the one that was declared last of those that go on."""
        active = self.active()
        return active[-1].incident_id if active else None

    def declare(self, person: Person, said: Declared) -> Incident:
        """Begin one.

        Raises:
            DecisionRefused: there are as many as anybody reads.
        """
        desk, now_s = self._desk, self._desk.wall()
        with desk.file.transaction() as connection:
            if len(self.active()) >= MAX_ACTIVE:
                raise DecisionRefused("end another incident first: nobody reads more of them")
            expires_s = now_s + said.hours * 3_600
            made = Incident(
                str(uuid4()), said.name, said.differs, person.account_id, now_s, expires_s
            )
            values = (made.incident_id, made.name, made.differs, made.declared_by, now_s, expires_s)
            connection.execute("INSERT INTO incidents VALUES (?, ?, ?, ?, ?, ?)", values)
            details: dict[str, str | int] = said.model_dump()
            deed = Deed(person.account_id, "incident.declared", None, made.incident_id, details)
            desk.trail.note(deed)
        return made

    def end(self, person: Person, incident_id: str) -> None:
        """End one; one that is over stays so.

        Raises:
            DecisionRefused: none of this id goes on.
        """
        desk = self._desk
        with desk.file.transaction() as connection:
            known = [one for one in self.active() if one.incident_id == incident_id]
            if not known:
                raise DecisionRefused("no such incident goes on")
            ends = "UPDATE incidents SET expires_s = ? WHERE incident_id = ?"
            connection.execute(ends, (desk.wall(), incident_id))
            desk.trail.note(Deed(person.account_id, "incident.ended", None, incident_id))
