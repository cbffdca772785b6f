"""Which case a reviewer gets next, and what becomes of it while it is in hand.

Rule: the most urgent case that this person may judge comes next, always; nobody picks. Whoever has
one in hand gets that one again. What somebody skipped does not come back to them within a shift.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from streamguard.core.audit import Deed
from streamguard.core.cases import Case
from streamguard.core.errors import CaseTaken, DecisionRefused
from streamguard.core.people import Person
from streamguard.core.priority import CLASSES, priority, urgency_class
from streamguard.review.by_clock import as_it_waits, came_back
from streamguard.review.desk import Desk, cases_where
from streamguard.review.desk_file import DeskFile
from streamguard.review.leases import Lease, drop, held, put, require
from streamguard.review.web_sessions import SHIFT_S

SKIP_REASONS = ("enough", "conflict_of_interest", "language", "not_sure", "too_much")
"""Why somebody passes a case on; a closed set, so that they can be counted."""

_SKIPS = "SELECT case_id, account_id FROM skips WHERE at_s > ?"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A case in somebody's hands."""

    case: Case
    lease: Lease


class Queue:
    """The cases that wait."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def claim(self, person: Person, case_id: str | None = None) -> Claimed | None:
        """Put the next case into somebody's hands; the one that they hold, where they hold one.

        case_id: a certain case, for those who may choose.

        Returns:
            None where nothing waits that this person may judge.

        Raises:
            CaseTaken: the case that was chosen is not there, or somebody has it.
        """
        desk = self._desk
        with desk.turn() as connection:
            now_s = desk.wall()
            leases = held(desk.file, now_s)
            mine = self._mine(person, leases)
            if mine and case_id in {None, mine.case.case_id}:
                return mine
            case = (
                self._next(person, leases)
                if case_id is None
                else self._chosen(person, leases, case_id)
            )
            if case is None:
                return None
            if mine:
                drop(connection, mine.case.case_id)
            detail = {"severity": case.severity.value, "stage": case.stage}
            if case_id is not None:
                detail["chosen"] = "yes"
            deed = Deed(person.account_id, "case.claimed", case.case_id, details=detail)
            token = desk.trail.note(deed)
            lease = Lease(case.case_id, person.account_id, token, now_s, now_s + desk.lease_s)
            put(connection, lease)
            return Claimed(case, lease)

    def skip(self, person: Person, case_id: str, token: int, reason: str) -> None:
        """Pass a case on to somebody else, for a reason; who skips it has it no more this shift.

        Raises:
            CaseTaken: it is not in this person's hands, or no longer.
            DecisionRefused: that is no reason.
        """
        if reason not in SKIP_REASONS:
            raise DecisionRefused(f"say why: one of {', '.join(SKIP_REASONS)}")
        self._let_go(
            person,
            case_id,
            token,
            Deed(person.account_id, "case.skipped", case_id, details={"reason": reason}),
        )

    def release(self, person: Person, case_id: str, token: int) -> None:
        """Put a case back; it may come again.

        Raises:
            CaseTaken: it is not in this person's hands, or no longer.
        """
        self._let_go(person, case_id, token, Deed(person.account_id, "case.released", case_id))

    def hand_off(self, person: Person, case_id: str, token: int, to: Person) -> Lease:
        """Put a case into the hands of a certain colleague, who gets it with the next claim.

        Raises:
            CaseTaken: it is not in this person's hands, or no longer.
            DecisionRefused: the colleague may not judge it, or has one in hand.
        """
        desk = self._desk
        with desk.turn() as connection:
            now_s = desk.wall()
            lease = require(connection, case_id, person.account_id, token, now_s)
            case = desk.case(person, case_id)
            is_passed = (case_id, to.account_id) in skips(desk.file, now_s)
            if to.account_id == person.account_id or is_passed or not may_judge(to, case):
                raise DecisionRefused("this colleague may not judge this case")
            if any(one.holder == to.account_id for one in held(desk.file, now_s).values()):
                raise DecisionRefused("this colleague has a case in hand")
            deed = Deed(person.account_id, "case.handed_off", case_id, about=to.account_id)
            token = desk.trail.note(deed)
            given = Lease(lease.thing_id, to.account_id, token, now_s, now_s + desk.lease_s)
            put(connection, given)
            return given

    def waiting(self, person: Person) -> list[Case]:
        """Give the cases that wait and that this person may know of, the most urgent first."""
        desk = self._desk
        desk.projection.catch_up()
        now_s = desk.wall()
        found = {case.case_id: case for case in cases_where(desk.file, "stage <> 'decided'")}
        found |= came_back(desk.file, now_s, desk.rules)
        cases = [case for case in found.values() if person.is_cleared(case.policy)]
        return sorted(cases, key=lambda case: -priority(case, now_s).points)

    def _let_go(self, person: Person, case_id: str, token: int, deed: Deed) -> None:
        desk = self._desk
        with desk.turn() as connection:
            require(connection, case_id, person.account_id, token, desk.wall())
            desk.case(person, case_id)  # an appeal is in hand by such a lease, too
            desk.trail.note(deed)
            drop(connection, case_id)
            desk.projection.catch_up()

    def _mine(self, person: Person, leases: dict[str, Lease]) -> Claimed | None:
        for lease in leases.values():
            if lease.holder == person.account_id:
                for case in self._undecided(lease.thing_id):
                    return Claimed(case, lease)
        return None

    def _next(self, person: Person, leases: dict[str, Lease]) -> Case | None:
        """Give the most urgent case: of the first class that has any, the first by priority."""
        file, now_s = self._desk.file, self._desk.wall()
        passed_on = skips(file, now_s)
        back = came_back(file, now_s, self._desk.rules)
        for urgency in range(CLASSES):
            found = cases_where(file, "stage <> 'decided' AND urgency = ?", (urgency,))
            waiting = [case for case in found if case.case_id not in back]
            waiting += [case for case in back.values() if urgency_class(case) == urgency]
            cases = [
                case
                for case in waiting
                if case.case_id not in leases
                and (case.case_id, person.account_id) not in passed_on
                and may_judge(person, case)
            ]
            if cases:
                return max(cases, key=lambda case: (priority(case, now_s).points, case.case_id))
        return None

    def _chosen(self, person: Person, leases: dict[str, Lease], case_id: str) -> Case:
        if not person.may("choose_case"):
            raise CaseTaken("the most urgent case comes next: nobody picks")
        if case_id in leases:
            raise CaseTaken("somebody has this case in hand")
        for case in self._undecided(case_id):
            if may_judge(person, case):
                return case
        raise CaseTaken("there is no such case for you to judge")

    def _undecided(self, case_id: str) -> list[Case]:
        """Give the case of an id, where it waits for somebody."""
        file, now_s = self._desk.file, self._desk.wall()
        found = cases_where(file, "case_id = ?", (case_id,))
        rules = self._desk.rules
        cases = [as_it_waits(file, case, now_s, rules) for case in found]
        return [case for case in cases if case.stage != "decided"]


def skips(file: DeskFile, now_s: float) -> set[tuple[str, str]]:
    """Give which cases were passed on within a shift, each with the account that did."""
    return set(file.rows(_SKIPS, (now_s - SHIFT_S,)))


def has_somebody(case: Case, people: Iterable[Person], passed_on: set[tuple[str, str]]) -> bool:
    """Say whether any of these people may judge a case and has not passed it on."""
    return any(
        may_judge(one, case) and (case.case_id, one.account_id) not in passed_on for one in people
    )


def may_judge(person: Person, case: Case) -> bool:
    """Say whether somebody may judge a case as it stands: by role, clearance, and what they did."""
    if not person.may("judge") or not person.is_cleared(case.policy):
        return False
    if case.stage == "escalated" and not person.may("judge_escalated"):
        return False
    return case.stage == "open" or person.account_id not in case.deciders
