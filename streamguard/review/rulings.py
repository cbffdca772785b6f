"""Decisions as they are made, taken back and restored.

Rule: without a lease that holds at this instant nothing is decided; of two decisions that follow
the same one the log has only the first. What is refused is on record as well.
"""

from uuid import uuid4

from streamguard.core.audit import Deed
from streamguard.core.cases import Case
from streamguard.core.choosing import Choice, Decider
from streamguard.core.decision_data import DecisionData
from streamguard.core.errors import CaseTaken, DecisionRefused
from streamguard.core.event_data import utc_seconds
from streamguard.core.hints import BLAMED, hint_of
from streamguard.core.people import Person
from streamguard.core.reasons import reasons_for
from streamguard.core.review_events import decision_event
from streamguard.core.ruling import rule
from streamguard.core.taking_back import restore, undo
from streamguard.review.deciders import decider_of
from streamguard.review.desk import Desk
from streamguard.review.leases import drop, require
from streamguard.review.others import decided_with
from streamguard.review.referrals import referral_deed


class Rulings:
    """What is decided."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def decide(self, person: Person, case_id: str, token: int, choice: Choice) -> DecisionData:
        """Decide a case that is in hand.

        Raises:
            CaseTaken: it is not in this person's hands, or no longer; nothing was decided.
            DecisionRefused: the choice contradicts itself or is not this person's to make.
        """
        desk = self._desk
        with desk.on_record(person, "case.decided", case_id), desk.turn() as connection:
            now_s = desk.wall()
            lease = require(connection, case_id, person.account_id, token, now_s)
            case = desk.case(person, case_id)
            decider = decider_of(desk, person, case, (token, lease.claimed_s), lease.first_view_s)
            made = rule(case, choice, decider, desk.rules, (str(uuid4()), now_s))
            if made.reason_code in BLAMED:
                hint = hint_of(made.reason_code, desk.flags(case_id))
                made = made.model_copy(update={"threshold_hint": hint})
            self._publish(made, "case.decided", {"token": token})
            drop(connection, case_id)
            desk.projection.catch_up()
            return made

    def undo(self, person: Person, case_id: str) -> DecisionData:
        """Take back one's own latest decision, while that is possible; the case is open again.

        Raises:
            CaseTaken: there is no such case, or somebody decided meanwhile.
            DecisionRefused: it is somebody else's, or too late.
        """
        desk = self._desk
        with desk.on_record(person, "case.undone", case_id), desk.turn():
            case = desk.case(person, case_id)
            made = undo(case, self._as_then(person, case), desk.rules, self._now())
            self._publish(made, "case.undone", {})
            desk.projection.catch_up()
            return made

    def restore(self, person: Person, case_id: str, reason_code: str) -> DecisionData:
        """Take back what was done to a stream, whenever that was.

        Raises:
            CaseTaken: there is no such case, or somebody decided meanwhile.
            DecisionRefused: nothing holds, or it is not this person's to restore.
        """
        desk = self._desk
        with desk.on_record(person, "case.restored", case_id), desk.turn():
            case = desk.case(person, case_id)
            _require_restorable(person, reason_code)
            token = desk.trail.note(Deed(person.account_id, "case.claimed", case_id))
            decider = decider_of(desk, person, case, (token, desk.wall()))
            made = restore(case, decider, desk.rules, self._now(), reason_code)
            self._publish(made, "case.restored", {})
            desk.projection.catch_up()
            return made

    def of_case(self, person: Person, case_id: str) -> list[DecisionData]:
        """Give the decisions about a case, in their order.

        Raises:
            CaseTaken: there is no such case.
        """
        case = self._desk.case(person, case_id)
        found = (self._desk.decision(one.decision_id) for one in case.rulings)
        return [decision for decision in found if decision is not None]

    def _publish(self, made: DecisionData, action: str, details: dict[str, str | int]) -> None:
        """Commit a decision and that it was made.

        Raises:
            CaseTaken: another one has its place.
        """
        desk = self._desk
        said = details | {"outcome": made.outcome, "action": made.action}
        deed = Deed(made.actor, action, made.case_id, about=made.decision_id, details=said)
        deeds = [deed]
        if made.referral is not None:
            deeds.append(referral_deed(made.actor, made.case_id, made.referral))
        event = decision_event(desk.source, made, recorded_s=desk.wall())
        others, events = decided_with(desk, made)
        if not desk.trail.append([*deeds, *others], [event, *events]):
            raise CaseTaken("somebody else has decided this case meanwhile")

    def _now(self) -> tuple[str, float]:
        return str(uuid4()), self._desk.wall()

    def _as_then(self, person: Person, case: Case) -> Decider:
        """Give the person as they were when they made the latest decision."""
        latest = case.ruling
        made = self._desk.decision(latest.decision_id) if latest is not None else None
        then = made.reviewer if made is not None else None
        if then is None:
            raise DecisionRefused("only the latest decision can be undone, by whoever made it")
        lease = then.lease_token, utc_seconds(then.claimed_at)
        return decider_of(self._desk, person, case, lease)


def _require_restorable(person: Person, reason_code: str) -> None:
    if not person.may("restore"):
        raise DecisionRefused("a senior restores")
    if reason_code not in reasons_for("rejected"):
        raise DecisionRefused(f"{reason_code} is no reason for rejected")
