"""What is decided about the cases that went into another one, when that one is rejected.

Rule: what came of them is taken back in the same breath: nobody else looks at them again.
"""

from uuid import uuid4

from streamguard.core.audit import Deed
from streamguard.core.cases import Case
from streamguard.core.decision_data import DecisionData
from streamguard.core.events import Event
from streamguard.core.review_events import decision_event
from streamguard.core.taking_back import with_the_other
from streamguard.review.desk import Desk, cases_where

_OF_ID = "case_id = ?"


def decided_with(desk: Desk, made: DecisionData) -> tuple[list[Deed], list[Event]]:
    """Give what goes with a decision: that those cases are rejected too, and who did it."""
    deeds: list[Deed] = []
    events: list[Event] = []
    others = _taken_in(desk, made.case_id) if made.outcome == "rejected" else []
    for other in others:
        follows = with_the_other(other, made, str(uuid4()))
        if follows is not None:
            said = {"outcome": follows.outcome, "action": follows.action}
            about = follows.decision_id
            deed = Deed(made.actor, "case.restored", other.case_id, about=about, details=said)
            deeds.append(deed)
            events.append(decision_event(desk.source, follows, recorded_s=desk.wall()))
    return deeds, events


def _taken_in(desk: Desk, case_id: str) -> list[Case]:
    also = [one for case in cases_where(desk.file, _OF_ID, (case_id,)) for one in case.also]
    found = [case for one in also for case in cases_where(desk.file, _OF_ID, (one,))]
    return [case for case in found if case.into is not None]
