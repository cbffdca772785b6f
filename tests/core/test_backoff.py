import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.backoff import CAP_S, FIRST_S, delay_s

MOST = 1 - 2**-53
"""The largest chance that can be drawn."""


@pytest.mark.parametrize("n_failures", [0, 1])
def test_first_try_is_immediate(n_failures: int) -> None:
    assert delay_s(n_failures, MOST) == 0.0


def test_the_second_failure_waits_within_the_first_bound() -> None:
    assert delay_s(2, 0.0) == 0.0
    assert delay_s(2, 0.5) == 0.125
    assert delay_s(2, MOST) == pytest.approx(FIRST_S)


def test_each_further_failure_doubles_the_bound_up_to_the_cap() -> None:
    bounds_s = [delay_s(n, 0.5) * 2 for n in range(2, 10)]

    assert bounds_s == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_what_stays_away_for_long_is_tried_four_times_a_minute_at_least() -> None:
    assert delay_s(10_000_000, MOST) == pytest.approx(15.0)


@given(st.integers(0, 100_000), st.floats(0, MOST))
def test_a_delay_lies_between_nothing_and_the_cap(n_failures: int, chance: float) -> None:
    assert 0.0 <= delay_s(n_failures, chance) <= CAP_S
