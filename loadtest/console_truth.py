"""What reviewers did, held against what must never be: by the log, and by what they noted.

Rule: pure. A case counts as waiting with another one only where nothing speaks for the console: it
was free, and its flag on disk, before the request was sent that took the other one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from streamguard.core.audit_data import AuditData
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import utc_seconds

LOTS = 4
"""The class of second looks by lot, which come after all severities."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A case, as whoever committed its flag knows it.

    urgency: 0 for P0, to 3.
    told_s:  when that was done, seconds since 1970 UTC.
    """

    urgency: int
    told_s: float


@dataclass(slots=True)
class Notes:
    """What the reviewers noted; times in seconds since 1970 UTC.

    seniors: accounts that judge what was escalated.
    sent_s:  by token of the lease, when it was asked for; the first time where that was repeated.
    until_s: by token, until when it was prolonged.
    """

    seniors: frozenset[str] = frozenset()
    sent_s: dict[int, float] = field(default_factory=dict)
    until_s: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Standing:
    """How it is with a case: waiting_s is since when anybody may take it, or from when on."""

    urgency: int
    waiting_s: float
    stage: str = "open"
    claimed: tuple[str, int] | None = None
    deciders: set[str] = field(default_factory=set)
    passed_by: set[str] = field(default_factory=set)


class Truth:
    """What the log says, as far as it has been read."""

    def __init__(self, lease_s: float, notes: Notes) -> None:
        self._lease_s = lease_s
        self._notes = notes
        self._cases: dict[str, _Standing] = {}
        self._places: set[tuple[str, str | None]] = set()
        self.n_decisions = 0
        self.decided_twice: list[str] = []
        self.stale: list[int] = []
        """Decisions under a lease that was not the case's last one, by seq."""
        self.out_of_order: list[int] = []
        """Claims that passed over a more urgent case, by seq."""
        self._passed_over: dict[int, list[str]] = {}
        self.n_checked = 0

    @property
    def undecided(self) -> list[str]:
        """Give the cases that wait for somebody."""
        return [case_id for case_id, one in self._cases.items() if one.stage != "decided"]

    def arrive(self, arrived: Mapping[str, Arrived]) -> None:
        """Take cases whose flags are committed."""
        for case_id, one in arrived.items():
            self._cases[case_id] = _Standing(one.urgency, one.told_s)

    def take(self, events: Iterable[Any]) -> None:
        """Take the data of events, in the order of the log; a decision comes before its audit."""
        for data in events:
            match data:
                case DecisionData():
                    self._decided(data)
                case AuditData(case_id=str(case_id)):
                    self._done(data, self._cases[case_id])

    def figures(self) -> dict[str, Any]:
        """Give what must be none, and how much was looked at."""
        return {
            "decisions": self.n_decisions,
            "claims_checked": self.n_checked,
            "decided_twice": len(self.decided_twice),
            "lost": len(self.undecided),
            "under_a_stale_lease": len(self.stale),
            "out_of_order": len(self.out_of_order),
        }

    def told(self) -> Iterator[str]:
        """Say what was found, a line each."""
        yield from (f"decided twice: {one}" for one in self.decided_twice)
        yield from (f"never decided: {one}" for one in self.undecided)
        yield from (f"under a stale lease: audit record {one}" for one in self.stale)
        for seq, cases in self._passed_over.items():
            yield f"audit record {seq} passed over {', '.join(cases[:3])}"

    @property
    def is_good(self) -> bool:
        """Say whether all is as it must be."""
        return not (self.decided_twice or self.undecided or self.stale or self.out_of_order)

    def _decided(self, decision: DecisionData) -> None:
        case, place = self._cases[decision.case_id], (decision.case_id, decision.supersedes)
        self.n_decisions += 1
        if place in self._places:
            self.decided_twice.append(decision.decision_id)
        self._places.add(place)
        decided_s = utc_seconds(decision.decided_at)
        if decision.outcome == "undone":  # who has taken it meanwhile keeps it
            case.waiting_s = max(case.waiting_s, decided_s)
            case.deciders.discard(decision.actor)
        else:
            case.waiting_s = decided_s
            case.deciders.add(decision.actor)
        case.stage = _stage_after(decision)

    def _done(self, record: AuditData, case: _Standing) -> None:
        at_s = utc_seconds(record.at)
        match record.action:
            case "case.claimed":
                self._check_order(record, case)
                case.claimed = (record.actor, record.seq)
                case.waiting_s = self._notes.until_s.get(record.seq, at_s + self._lease_s)
            case "case.skipped":
                case.passed_by.add(record.actor)
                case.waiting_s = at_s
            case "case.decided" if not record.is_refused:
                token = next(int(one.value) for one in record.details if one.name == "token")
                if case.claimed != (record.actor, token):
                    self.stale.append(record.seq)

    def _check_order(self, record: AuditData, taken: _Standing) -> None:
        """Look whether a case that was more urgent waited with the one that was taken."""
        sent_s = self._notes.sent_s.get(record.seq)
        if sent_s is None:  # the console was killed before it could answer
            return
        self.n_checked += 1
        passed_over = [
            case_id
            for case_id, one in self._cases.items()
            if one.waiting_s < sent_s
            and _class(one) < _class(taken)
            and self._may(record.actor, one)
        ]
        if passed_over:
            self.out_of_order.append(record.seq)
            self._passed_over[record.seq] = passed_over

    def _may(self, actor: str, case: _Standing) -> bool:
        if case.stage == "decided" or actor in case.passed_by:
            return False
        if case.stage == "escalated" and actor not in self._notes.seniors:
            return False
        return case.stage == "open" or actor not in case.deciders


def _class(case: _Standing) -> int:
    return LOTS if case.stage == "check" else case.urgency


def _stage_after(decision: DecisionData) -> str:
    stages = {"needs_second": "second", "escalated": "escalated", "undone": "open"}
    return stages.get(decision.outcome) or ("check" if decision.drawn_for_check else "decided")
