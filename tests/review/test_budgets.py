"""How much somebody may see before they are asked, and what others are told of it."""

import pytest

from streamguard.core.decision_data import Exposure
from streamguard.core.errors import BudgetSpent
from streamguard.core.people import Person
from streamguard.review.budgets import FEWEST, Budgets, Team
from streamguard.review.looks import Held, Looks
from streamguard.review.web_sessions import SHIFT_S
from tests.made_reviews import flag, flag_opened
from tests.review.bench import ANNA, BEN, EVERYTHING, Bench
from tests.review.console import Console

BUDGET_S = 60.0


def looked(bench: Bench, person: Person, seconds: int, number: int = 1) -> None:
    """Have somebody look at a clip of a P2 for so long, and pass it on."""
    bench.tell(flag_opened(flag(number, session=f"s-{number}", severity="P2")))
    claimed = bench.claim(person)
    held = Held(person, claimed.case.case_id, claimed.lease.token)
    Looks(bench.desk, None).expose(held, Exposure(clip_ms=seconds * 1_000))
    bench.queue.skip(person, held.case_id, held.token, "enough")


@pytest.mark.parametrize(("seconds", "is_spent"), [(59, False), (60, True)])
def test_a_budget_is_spent_once_as_much_was_seen(
    bench: Bench, seconds: int, *, is_spent: bool
) -> None:
    looked(bench, ANNA, seconds)

    standing = Budgets(bench.desk, BUDGET_S).standing(ANNA)

    assert (standing.spent_s, standing.is_spent) == (seconds, is_spent)
    assert Budgets(bench.desk, BUDGET_S).standing(BEN).spent_s == 0


def test_without_a_budget_nobody_is_asked(bench: Bench) -> None:
    looked(bench, ANNA, 10_000)

    Budgets(bench.desk, 0.0).require(ANNA, goes_on=False)


def test_whoever_should_stop_is_asked_and_may_go_on(bench: Bench) -> None:
    looked(bench, ANNA, 60)
    budgets = Budgets(bench.desk, BUDGET_S)

    with pytest.raises(BudgetSpent):
        budgets.require(ANNA, goes_on=False)

    budgets.require(ANNA, goes_on=True)
    budgets.require(BEN, goes_on=False)


def test_nobody_is_asked_for_the_case_that_they_have(bench: Bench) -> None:
    looked(bench, ANNA, 60)
    bench.tell(flag_opened(flag(2, session="s-2")))
    bench.claim(ANNA)

    Budgets(bench.desk, BUDGET_S).require(ANNA, goes_on=False)


def test_a_shift_later_what_was_seen_counts_no_more(bench: Bench) -> None:
    looked(bench, ANNA, 60)
    budgets = Budgets(bench.desk, BUDGET_S)

    bench.clock.advance(SHIFT_S - 1)
    assert budgets.standing(ANNA).is_spent
    bench.clock.advance(1)

    assert budgets.standing(ANNA).spent_s == 0


def test_what_somebody_has_seen_is_forgotten_after_a_day(bench: Bench) -> None:
    looked(bench, ANNA, 60)
    bench.clock.advance(86_400)
    looked(bench, BEN, 1, number=2)

    assert bench.file.rows("SELECT DISTINCT account_id FROM exposure") == [(BEN.account_id,)]


def test_others_learn_of_many_at_once_alone(bench: Bench) -> None:
    budgets = Budgets(bench.desk, BUDGET_S)
    people = [Person(f"r-{at}", "reviewer", EVERYTHING) for at in range(FEWEST)]
    for at, person in enumerate(people[:-1]):
        looked(bench, person, 20 * (at + 1), at + 1)
    before = budgets.team()

    looked(bench, people[-1], 100, FEWEST)

    assert before is None
    assert budgets.team() == Team(n_people=FEWEST, mean_s=60.0, n_spent=3)


def test_a_claim_is_locked_softly(bench: Bench) -> None:
    console = Console(bench, budget_s=BUDGET_S)
    anna = console.account("reviewer", "anna").person
    looked(bench, anna, 60)
    bench.tell(flag_opened(flag(2, session="s-2")))
    client = console.signed_in("anna")

    locked = client.post("/api/v1/claim", json={})
    appeal = client.post("/api/v1/appeals/claim", json={})
    gone_on = client.post("/api/v1/claim", json={"go_on": True})

    assert (locked.status_code, appeal.status_code) == (423, 423)
    assert gone_on.json()["case"]["session_id"] == "s-2"


def test_what_one_person_has_seen_is_on_no_record_of_others(bench: Bench) -> None:
    console = Console(bench, budget_s=BUDGET_S)
    anna = console.account("reviewer", "anna").person
    console.account("senior", "sena")
    looked(bench, anna, 60)

    answer = console.signed_in("sena").get("/api/v1/exposure")

    assert answer.json() == {"team": None, "fewest": FEWEST}
    assert not any(
        "budget" in str(one.details) or "spent" in str(one.details)
        for one in bench.desk.trail.records()
    )
