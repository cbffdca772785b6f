from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.case_changes import first_case
from streamguard.core.cases import Case
from streamguard.core.priority import (
    FULL_AGE_S,
    LIVE,
    MOST_AGE,
    MOST_AUDIENCE,
    STEP,
    priority,
    urgency_class,
)
from streamguard.core.types import Severity
from tests.made_reviews import flag


def case(severity: str = "P1", **changes: Any) -> Case:
    return msgspec.structs.replace(first_case(flag(1, severity=severity), 0.0), **changes)


AUDIENCE = st.none() | st.integers(min_value=0, max_value=10**9)


@given(
    severity=st.sampled_from(list(Severity)[:-1]),
    one=AUDIENCE,
    other=AUDIENCE,
    is_live=st.booleans(),
    waited_s=st.floats(min_value=0, max_value=10**7),
)
def test_a_more_urgent_case_always_comes_first(
    *, severity: Severity, one: int | None, other: int | None, is_live: bool, waited_s: float
) -> None:
    below = list(Severity)[list(Severity).index(severity) + 1]
    urgent = case(severity, n_viewers=one, is_live=is_live, stage_s=waited_s)
    lesser = case(below, n_viewers=other)

    assert priority(urgent, waited_s).points > priority(lesser, waited_s).points
    assert urgency_class(urgent) < urgency_class(lesser)


@given(st.sampled_from(list(Severity)), AUDIENCE, st.floats(min_value=-10, max_value=10**7))
def test_the_points_are_the_sum_of_the_terms_and_each_term_says_why(
    severity: Severity, n_viewers: int | None, now_s: float
) -> None:
    found = priority(case(severity, n_viewers=n_viewers), now_s)

    assert found.points == round(sum(term.points for term in found.terms), 3)
    assert 0 <= found.points <= 100
    assert all(term.text for term in found.terms)


def test_what_else_counts_is_less_than_one_step() -> None:
    assert LIVE + MOST_AUDIENCE + MOST_AGE < STEP


def test_a_live_stream_with_a_crowd_comes_before_one_that_has_ended() -> None:
    live = priority(case(n_viewers=137), 41.0)
    ended = priority(case(n_viewers=137, is_live=False), 41.0)

    assert live.points > ended.points
    assert [term.text for term in live.terms] == [
        "P1: a human must look now",
        "the stream is live",
        "137 people watch",
        "waiting for 41 s",
    ]
    assert "the stream has ended" in [term.text for term in ended.terms]


def test_of_two_equals_the_older_comes_first_until_an_hour() -> None:
    points = [priority(case(stage_s=0.0), waited).points for waited in (0.0, 60.0, FULL_AGE_S)]

    assert points == sorted(set(points))
    assert priority(case(stage_s=0.0), FULL_AGE_S + 60).points == points[-1]


@pytest.mark.parametrize(
    ("waited_s", "text"),
    [(119.0, "119 s"), (120.0, "2 min"), (7_199.0, "119 min"), (7_200.0, "2 h")],
)
def test_a_wait_is_said_as_people_say_it(waited_s: float, text: str) -> None:
    assert priority(case(), waited_s).terms[-1].text == f"waiting for {text}"


def test_one_viewer_is_one_person() -> None:
    texts = [term.text for term in priority(case(n_viewers=1), 0.0).terms]

    assert "1 person watches" in texts


def test_a_second_look_by_lot_comes_after_all_else() -> None:
    lot = case("P0", stage="check", n_viewers=10**9)

    assert priority(lot, 10**7).points < priority(case("P3", is_live=False), 0.0).points
    assert urgency_class(lot) > urgency_class(case("P3"))


@given(st.sampled_from(list(Severity)), st.sampled_from(["decided", "escalated", "check"]))
def test_who_was_to_be_cut_and_is_still_on_the_air_is_as_urgent_as_the_most_urgent(
    severity: Severity, stage: str
) -> None:
    left = case(severity, stage=stage, not_done="still_live")

    assert urgency_class(left) == urgency_class(case("P0")) == 0
    assert priority(left, 0.0).points == priority(case("P0"), 0.0).points
    assert "it was to be off the air, and is not" in [one.text for one in priority(left, 0.0).terms]
    over = msgspec.structs.replace(left, is_live=False, stage="open")
    assert urgency_class(over) == list(Severity).index(severity)
