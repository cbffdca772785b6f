"""How much somebody may see within a shift before they are asked to stop.

Rule: what somebody has seen is for that person alone; others learn only of many at once. Nobody is
locked out for good: whoever wants to go on says so, each time.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import Any

import apsw

from streamguard.core.decision_data import Exposure
from streamguard.core.errors import BudgetSpent
from streamguard.core.people import Person
from streamguard.core.strain import strain_s
from streamguard.core.types import Severity
from streamguard.review.desk import Desk
from streamguard.review.web_sessions import SHIFT_S

FEWEST = 5
"""Of fewer people nothing is told to others: a mean of four says too much of each of them (our
choice; the smallest group that surveys of staff commonly report)."""

_SPENT = "SELECT total(strain_s) FROM strain WHERE account_id = ? AND at_s > ?"
_BY_PERSON = "SELECT total(strain_s) FROM strain WHERE at_s > ? GROUP BY account_id"


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody has seen of what they should see at most; weighted seconds.

    budget_s: 0 where there is none.
    """

    spent_s: float
    budget_s: float

    @property
    def is_spent(self) -> bool:
        """Say whether it is time to stop."""
        return 0 < self.budget_s <= self.spent_s


@dataclass(frozen=True, slots=True)
class Team:
    """What all together have seen within a shift.

    n_people: who looked at anything; mean_s: weighted seconds of each of them; n_spent: how many
        have reached the budget.
    """

    n_people: int
    mean_s: float
    n_spent: int


class Budgets:
    """The budgets of one desk."""

    def __init__(self, desk: Desk, budget_s: float) -> None:
        """budget_s: weighted seconds within a shift; 0 for none."""
        self._desk = desk
        self._budget_s = budget_s

    def standing(self, person: Person) -> Standing:
        """Say how somebody stands: to that person alone."""
        values = (person.account_id, self._desk.wall() - SHIFT_S)
        ((spent_s,),) = self._desk.file.rows(_SPENT, values)
        return Standing(spent_s, self._budget_s)

    def require(self, person: Person, *, goes_on: bool) -> None:
        """Let somebody have another case, unless they should stop.

        goes_on: they were asked, and go on. Who has a case in hand is not asked for that one.

        Raises:
            BudgetSpent: they are to be asked first.
        """
        if goes_on or not self.standing(person).is_spent:
            return
        if any(one.holder == person.account_id for one in self._desk.held().values()):
            return
        raise BudgetSpent("you have seen as much as you should within a shift")

    def team(self) -> Team | None:
        """Say what all together have seen; None where so few looked that it would tell of each."""
        rows: list[Any] = self._desk.file.rows(_BY_PERSON, (self._desk.wall() - SHIFT_S,))
        spent = [Standing(spent_s, self._budget_s) for (spent_s,) in rows]
        if len(spent) < FEWEST:
            return None
        return Team(
            len(spent), fmean(one.spent_s for one in spent), sum(one.is_spent for one in spent)
        )


def note_strain(
    connection: apsw.Connection, account_id: str, at_s: float, seen: Exposure, severity: Severity
) -> None:
    """Count what somebody has seen, and forget what was before their shift."""
    connection.execute("DELETE FROM strain WHERE at_s <= ?", (at_s - SHIFT_S,))
    connection.execute(
        "INSERT INTO strain VALUES (?, ?, ?)", (account_id, at_s, strain_s(seen, severity))
    )
