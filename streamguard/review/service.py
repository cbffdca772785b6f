"""All that a console offers, behind its pages and its API: the way of a decision begins here.

event log → cases (projection, core/case_fold) → next case and lease (queue, leases, core/priority)
→ page (pages) → decision (rulings, core/ruling) → event log → enforcer (enforce/intake, actions,
trying) → deny, then kick (enforce/acting, ingest/*_control) → a viewer of ours sees that it is gone
(enforce/proof) → event log (enforce/telling) → the case says what became of it.

Rule: whoever calls has found out who is asking; what that person may do is asked of `Person`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streamguard.core.people import Person
from streamguard.review.accounts import Accounts
from streamguard.review.appeals import Appeals
from streamguard.review.budgets import Budgets
from streamguard.review.desk import Desk
from streamguard.review.incidents import Incidents
from streamguard.review.looks import Looks
from streamguard.review.queue import Queue
from streamguard.review.referrals import Referrals
from streamguard.review.rulings import Rulings
from streamguard.review.shelf import Shelf
from streamguard.review.web_sessions import WebSessions
from streamguard.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Review:
    """The parts of one console; their methods block, and may be called in any thread."""

    desk: Desk
    queue: Queue
    rulings: Rulings
    referrals: Referrals
    looks: Looks
    accounts: Accounts
    sessions: WebSessions
    appeals: Appeals
    budgets: Budgets
    incidents: Incidents
    shelf: Shelf

    def at_work(self) -> list[Person]:
        """Give who is signed in and was heard of lately."""
        found = [self.accounts.get(one) for one in self.sessions.present()]
        return [one.person for one in found if one is not None and one.is_active]


def make_review(
    desk: Desk,
    vault: Vault | None,
    accounts: Accounts | None = None,
    *,
    budget_s: float = 0.0,
    banks: Mapping[str, Path] | None = None,
) -> Review:
    """Put a console together.

    accounts: those of the desk's file, where they are not to be made in the usual way.
    budget_s: what somebody should see at most within a shift, weighted seconds; 0 for no limit.
    banks:    directories of banks that evidence may be put into, by name.
    """
    known = accounts or Accounts(desk.file, desk.wall)
    sessions = WebSessions(desk.file, known, desk.wall)
    looks = Looks(desk, vault)
    budgets = Budgets(desk, budget_s)
    queue, rulings, appeals = Queue(desk), Rulings(desk), Appeals(desk)
    return Review(
        desk,
        queue,
        rulings,
        Referrals(desk),
        looks,
        known,
        sessions,
        appeals,
        budgets,
        Incidents(desk),
        Shelf(desk, banks or {}),
    )
