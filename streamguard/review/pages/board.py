"""The queue as it is on all screens: made once for all who may see the same of it.

Rule: whoever asks gets what the log says at most a tenth of a second ago; what is shown to nobody
is not made.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from streamguard.core.people import Person
from streamguard.review.cards import card, without_outcome
from streamguard.review.pages.paper import fragment
from streamguard.review.queue import has_somebody, skips
from streamguard.review.service import Review

FRESH_S = 0.1
"""How long what was read serves all, seconds: a tenth of what a new case may take to be seen."""

AGES_S = 5.0
"""How often waiting times and audiences are told anew while nothing else happens, seconds."""

MAX_SHOWN = 50
"""Cases on the screen, the most urgent ones: nobody reads on while these wait."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The queue as one kind of account sees it.

    html:     the rows of the table.
    n_cases:  how many wait, shown or not.
    severity: of the most urgent one; "" where none waits.
    present:  the names of who is at work.
    """

    html: str
    n_cases: int
    severity: str
    present: str


class Board:
    """The queues of one console; any thread."""

    def __init__(self, review: Review, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._review = review
        self._monotonic = monotonic
        self._lock = Lock()
        self._read_s = self._made_s = float("-inf")
        self._state: object = None
        self._version = 0
        self._rows: dict[object, Rows] = {}
        self.followers: Counter[str] = Counter()
        """How many pages each account follows."""
        self.is_closed = False
        """Nobody is served any more: what is pushed to pages ends."""

    def version(self) -> int:
        """Give a number that grows whenever something on the screens may have changed."""
        with self._lock:
            now_s = self._monotonic()
            if now_s - self._read_s >= FRESH_S:
                self._read_s = now_s
                state = self._now()
                if state != self._state or now_s - self._made_s >= AGES_S:
                    self._state, self._made_s = state, now_s
                    self._version += 1
                    self._rows.clear()
            return self._version

    def rows(self, person: Person) -> Rows:
        """Give the queue as somebody sees it."""
        self.version()
        may_choose = person.may("choose_case")
        key = (person.clearance, may_choose)
        with self._lock:
            if key not in self._rows:
                self._rows[key] = self._made(person, may_choose=may_choose)
            return self._rows[key]

    def _now(self) -> object:
        desk = self._review.desk
        desk.projection.catch_up()
        held = sorted((one.thing_id, one.holder, one.token) for one in desk.held().values())
        return desk.projection.place(), held, sorted(self._review.sessions.present())

    def _made(self, person: Person, *, may_choose: bool) -> Rows:
        review = self._review
        held, now_s = review.desk.held(), review.desk.wall()
        cases = review.queue.waiting(person)
        people, passed_on = review.at_work(), skips(review.desk.file, now_s)
        cards = [
            named(card(without_outcome(one), person, now_s, held.get(one.case_id)), review)
            | {"has_somebody": has_somebody(one, people, passed_on)}
            for one in cases[:MAX_SHOWN]
        ]
        html = fragment("rows.html", cases=cards, n_more=len(cases) - len(cards), pick=may_choose)
        present = ", ".join(sorted(name_of(review, one) for one in review.sessions.present()))
        return Rows(html, len(cases), cases[0].severity.value if cases else "", present)


def named(shown: dict[str, Any], review: Review) -> dict[str, Any]:
    """Add to a card the name of whoever has the case in hand."""
    lease = shown["lease"]
    return shown | {"holder": name_of(review, lease["holder"]) if lease else None}


def name_of(review: Review, account_id: str) -> str:
    """Give what colleagues call somebody."""
    account = review.accounts.get(account_id)
    return account.name if account else "somebody who has left"
