"""Who decides a case, and how things are then: what each decision of a person has on record.

Rule: it is read at the moment of the decision, within the turn in which that is made.
"""

from streamguard.core.cases import Case
from streamguard.core.choosing import Decider
from streamguard.core.people import Person
from streamguard.review.desk import Desk
from streamguard.review.incidents import Incidents


def decider_of(
    desk: Desk,
    person: Person,
    case: Case,
    lease: tuple[int, float],
    first_view_s: float | None = None,
) -> Decider:
    """Say who decides a case, and how things are then.

    lease: its token, and when it was taken, seconds since 1970 UTC.
    """
    return Decider(
        person.account_id,
        person.role,
        *lease,
        first_view_s,
        clearance=person.clearance_for(case.policy),
        incident_id=Incidents(desk).in_force(),
    )
