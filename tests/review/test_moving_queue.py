"""While flags come, streams end and cuts fail, the most urgent case that waits is served."""

import random

import pytest

from streamguard.core.action_events import action_event, action_id_of
from streamguard.core.cases import Case
from streamguard.core.decision_data import DecisionData
from streamguard.core.people import Person
from streamguard.core.priority import priority, urgency_class
from streamguard.core.untaken import UNTAKEN_AFTER_S
from streamguard.review.queue import may_judge, skips
from streamguard.review.untaken import as_it_waits
from tests.core_fakes import SOURCE
from tests.made_actions import failed
from tests.made_reviews import flag, flag_opened, stream_ended
from tests.review.bench import ANNA, BEN, CUT, ESCALATE, REJECT, SENIOR, SUSPEND, Bench

PEOPLE = (ANNA, BEN, SENIOR, Person("mira", "reviewer", frozenset({"music"})))
CHOICES = (CUT, REJECT, SUSPEND, ESCALATE)


class Night:
    """A night at a console, as chance will have it."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.chance = random.Random(seed)
        self.n_flags = self.n_served = 0

    def goes_on(self) -> None:
        """Have something happen, then have somebody take a case and do something with it."""
        chance, bench = self.chance, self.bench
        match chance.randrange(4):
            case 0 | 1:
                self.n_flags += 1
                session, code = f"s-{chance.randrange(30)}", chance.choice(("tvec", "music"))
                data = flag(
                    self.n_flags,
                    session=session,
                    code=code,
                    severity=chance.choice(("P0", "P1", "P2", "P3")),
                    entry=f"e-{chance.randrange(5)}",
                )
                bench.tell(flag_opened(data, bench.clock.wall()))
            case 2:
                bench.tell(stream_ended(f"s-{chance.randrange(30)}", bench.clock.wall()))
            case _:
                bench.clock.advance(chance.choice((1.0, 20.0, 70.0)))
        self._served(chance.choice(PEOPLE))

    def _served(self, person: Person) -> None:
        before = {one.case_id for one in self._in_hand_of(person)}
        claimed = self.bench.queue.claim(person)
        if claimed is None:
            assert before == set()
            assert self._claimable(person) == []
            return
        case, token = claimed.case, claimed.lease.token
        if case.case_id not in before:
            self.n_served += 1
            others = [one for one in self._claimable(person) if one.case_id != case.case_id]
            most_urgent = min((urgency_class(one) for one in others), default=9)
            assert urgency_class(case) <= most_urgent
            now_s = self.bench.clock.wall()
            assert all(
                priority(case, now_s).points >= priority(one, now_s).points for one in others
            )
        match self.chance.randrange(5):
            case 0:
                return  # it stays in hand
            case 1:
                self.bench.queue.skip(person, case.case_id, token, "not_sure")
            case _:
                choice = self.chance.choice(CHOICES)
                made = self.bench.rulings.decide(person, case.case_id, token, choice)
                if made.action == "cut" and self.chance.random() < 0.3:
                    self._fails(made)

    def _fails(self, made: DecisionData) -> None:
        action = {
            "action_id": action_id_of(made.decision_id, "live"),
            "decision_id": made.decision_id,
            "act": "cut",
            "scope": "live",
            "actor": made.actor,
        }
        told = failed(action=action, stream=made.stream.model_dump(), reason="still_live")
        self.bench.tell(action_event(SOURCE, told, recorded_s=self.bench.clock.wall()))

    def _in_hand_of(self, person: Person) -> list[Case]:
        held = self.bench.desk.held()
        return [
            one
            for one in self.bench.cases()
            if one.case_id in held and held[one.case_id].holder == person.account_id
        ]

    def _claimable(self, person: Person) -> list[Case]:
        """Give what this person could be given, by looking at each case."""
        held = self.bench.desk.held()
        file, now_s = self.bench.file, self.bench.clock.wall()
        passed_on = skips(file, now_s)
        return [
            one
            for one in (
                as_it_waits(file, case, now_s, UNTAKEN_AFTER_S) for case in self.bench.cases()
            )
            if one.stage != "decided"
            and one.case_id not in held
            and (one.case_id, person.account_id) not in passed_on
            and may_judge(person, one)
        ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_served_before_what_is_more_urgent_and_waits_with_it(
    bench: Bench, seed: int
) -> None:
    night = Night(bench, seed)

    for _ in range(250):
        night.goes_on()

    assert night.n_served > 50
    assert any(one.not_done for one in bench.cases()) or any(
        one.stage == "escalated" for one in bench.cases()
    )
