"""Which urgent cases nobody looks after, when somebody is to be called, and how long that went on.

What was decided and nobody begins to do is looked after like an urgent case.

Rule: a case is looked after if somebody has it in hand, or is signed in who may judge it and has
not passed it on. One call is for all that wait; it comes again until they are looked after.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamguard.core.audit import Deed
from streamguard.core.cases import Case
from streamguard.core.events import Event
from streamguard.core.priority import priority
from streamguard.core.review_events import audit_event
from streamguard.review.by_clock import ending_cases
from streamguard.review.desk import cases_where
from streamguard.review.queue import has_somebody, skips
from streamguard.review.service import Review
from streamguard.review.untaken import untaken_cases

ACTOR = "rule:paging"
"""Who is on record for a call."""

URGENT = "stage <> 'decided' AND urgency = 0"
"""Cases for which somebody is called: P0, but no second looks by lot."""

_CALLED = "SELECT at_s FROM paged"


@dataclass(frozen=True, slots=True)
class Waiting:
    """The urgent cases that nobody has in hand.

    alone: those for which nobody is there; late: those that wait too long all the same.
    untaken: cases of live streams that are to be held or cut, which nobody has begun to do.
    """

    alone: tuple[Case, ...]
    late: tuple[Case, ...]
    untaken: tuple[Case, ...] = ()

    @property
    def all(self) -> tuple[Case, ...]:
        """Give them all, those for which nobody is there first."""
        return (*self.alone, *self.late, *self.untaken)


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in one look.

    unreviewed_s: how much longer urgent cases had nobody, seconds, of all such cases together.
    call:         the event to send; None where nobody is to be called now.
    """

    waiting: Waiting
    unreviewed_s: float
    call: Event | None


class Pager:
    """Looks after one console; one thread at a time."""

    def __init__(
        self, review: Review, monotonic: Callable[[], float], *, after_s: float, again_s: float
    ) -> None:
        """Make it.

        monotonic: seconds on a clock that never jumps.
        after_s:   how long an urgent case may wait for somebody who is there, seconds.
        again_s:   how long to wait for somebody who was called, seconds.
        """
        self._review = review
        self._monotonic = monotonic
        self._after_s = after_s
        self._again_s = again_s
        self._waits_since_s: dict[str, float] = {}
        self._looked_s: float | None = None
        self._n_unreviewed = 0
        self._unreviewed_s = 0.0  # since somebody last looked after them all

    def look(self) -> Look:
        """Look once; what was found and done is on record.

        Raises:
            DeskUnavailable, LogUnavailable: it cannot be looked, or put on record, now.
        """
        now_s = self._monotonic()
        since_s = now_s - self._looked_s if self._looked_s is not None else 0.0
        unreviewed_s = self._n_unreviewed * since_s
        waiting = self._waiting(now_s)
        self._looked_s = now_s
        self._n_unreviewed = len(waiting.alone) + len(waiting.late)
        self._unreviewed_s += unreviewed_s
        if waiting.all:
            return Look(waiting, unreviewed_s, self._call(waiting))
        self._end()
        return Look(waiting, unreviewed_s, None)

    def _waiting(self, now_s: float) -> Waiting:
        file, held = self._review.desk.file, self._review.desk.held()
        desk = self._review.desk
        ending = ending_cases(file, desk.wall(), desk.rules)
        urgent = {one.case_id: one for one in cases_where(file, URGENT)}
        urgent |= {case_id: one for case_id, one in ending.items() if one.is_live}
        cases = [one for one in urgent.values() if one.case_id not in held]
        self._waits_since_s = {
            one.case_id: self._waits_since_s.get(one.case_id, now_s) for one in cases
        }
        people = self._review.at_work()
        passed_on = skips(file, self._review.desk.wall()) if cases else set()
        alone = [case for case in cases if not has_somebody(case, people, passed_on)]
        late = [
            case
            for case in cases
            if case not in alone and now_s - self._waits_since_s[case.case_id] >= self._after_s
        ]
        untaken = untaken_cases(file, desk.wall(), desk.rules.untaken_after_s)
        return Waiting(tuple(alone), tuple(late), tuple(untaken.values()))

    def _call(self, waiting: Waiting) -> Event | None:
        """Have somebody called, unless they have been, by us or by another console."""
        desk = self._review.desk
        with desk.file.transaction() as connection:
            now_s = desk.wall()
            called: list[Any] = connection.execute(_CALLED).fetchall()
            if any(0 <= now_s - at_s < self._again_s for (at_s,) in called):
                return None
            deed = _deed(waiting, now_s)
            [record] = desk.trail.append([deed])
            connection.execute("DELETE FROM paged")
            connection.execute("INSERT INTO paged VALUES (?)", (now_s,))
        return audit_event(desk.source, record)

    def _end(self) -> None:
        """Have on record that somebody is there again, where somebody had been called."""
        desk = self._review.desk
        if not desk.file.rows(_CALLED):
            self._unreviewed_s = 0.0
            return
        details: dict[str, str | int] = {"unreviewed_s": round(self._unreviewed_s)}
        with desk.file.transaction() as connection:
            connection.execute("DELETE FROM paged")
            desk.trail.note(Deed(ACTOR, "paging.answered", details=details))
        self._unreviewed_s = 0.0


def _why(waiting: Waiting) -> str:
    if waiting.alone:
        return "nobody_is_there"
    return "nobody_takes_it" if waiting.late else "nobody_does_it"


def _deed(waiting: Waiting, now_s: float) -> Deed:
    """Say of the most urgent case what somebody who is called has to know; nothing of content."""
    cases = waiting.alone or waiting.late or waiting.untaken
    worst = max(cases, key=lambda case: priority(case, now_s).points)
    details: dict[str, str | int] = {
        "why": _why(waiting),
        "severity": worst.severity.value,
        "policy": worst.policy,
        "is_live": "yes" if worst.is_live else "no",
        "n_cases": len(waiting.all),
        "waits_s": max(0, round(now_s - worst.stage_s)),
    }
    return Deed(ACTOR, "paging.called", worst.case_id, details=details)
