"""The page of a case is made anew when something of that case changed, and only then."""

from collections.abc import Callable

import pytest

from streamguard.core.audit import Deed
from streamguard.core.event_data import FlagData
from streamguard.core.events import flag_event
from streamguard.review.pages.board import AGES_S
from streamguard.review.pages.case_page import case_state
from streamguard.review.projection import note_audience
from tests.core_fakes import SOURCE
from tests.made_actions import failed, requested
from tests.made_reviews import flag, flag_opened
from tests.review.bench import ANNA, Bench
from tests.review.console import Console
from tests.review.test_actions import decided, told
from tests.review.test_history import gap_told


def grown(data: FlagData) -> FlagData:
    return data.model_copy(update={"state": "updated", "revision": 1})


CHANGES: dict[str, Callable[[Bench], object]] = {
    "a flag": lambda bench: bench.tell(flag_opened(flag(2))),
    "news of its flag": lambda bench: bench.tell(
        flag_event(SOURCE, "updated", grown(flag(1)), time_s=1.0, recorded_s=1.0)
    ),
    "a gap": lambda bench: bench.tell(gap_told(1)),
    "an audience": lambda bench: note_audience(bench.file, {"s-1": 3}, 1.0),
    "a lease": lambda bench: bench.claim(ANNA),
    "time": lambda bench: bench.clock.advance(AGES_S),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changes_a_case_changes_its_state(bench: Bench, what: str) -> None:
    review = Console(bench).review
    bench.tell(flag_opened(flag(1)))
    [case] = bench.cases()
    before = case_state(review, case.case_id)

    CHANGES[what](bench)
    bench.desk.projection.catch_up()

    assert case_state(review, case.case_id) != before


def test_what_becomes_of_a_decision_changes_its_case(bench: Bench) -> None:
    review = Console(bench).review
    made = decided(bench)
    bench.cases()
    states = [case_state(review, made.case_id)]

    for event in (told(made, requested), told(made, failed, reason="refused")):
        bench.tell(event)
        bench.cases()
        states.append(case_state(review, made.case_id))

    assert len({str(one) for one in states}) == 3


def test_what_others_do_changes_nothing_of_a_case(bench: Bench) -> None:
    review = Console(bench).review
    bench.tell(flag_opened(flag(1)))
    [case] = bench.cases()
    before = case_state(review, case.case_id)

    bench.desk.trail.note(Deed("r-9", "audit.searched"))
    bench.tell(flag_opened(flag(2, session="s-2")), gap_told(1, "s-2"))
    note_audience(bench.file, {"s-2": 9}, 1.0)
    bench.cases()

    assert case_state(review, case.case_id) == before
