"""When a worker is given up, who gets a stream, and how fast others are started."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.crew import (
    CrashBrake,
    CrewRules,
    Trouble,
    Vitals,
    least_loaded,
    too_loaded,
    trouble_with,
)

RULES = CrewRules(silent_s=5, stuck_s=10, idle_s=15, ready_s=60, drain_s=10, max_rss_bytes=1000)
WELL = Vitals(
    started_s=0,
    is_ready=True,
    beat_s=100,
    stuck_s=0,
    rss_bytes=1000,
    decoded_s=85,
    queue_age_s=15,
)


@pytest.mark.parametrize(
    ("vitals", "now_s", "trouble"),
    [
        (WELL, 105.0, None),
        (WELL, 105.1, "silent"),
        (replace(WELL, stuck_s=10.0), 101.0, None),
        (replace(WELL, stuck_s=10.1), 101.0, "stuck"),
        (replace(WELL, queue_age_s=15.1), 100.0, None),
        (replace(WELL, queue_age_s=15.1), 100.1, "stuck"),
        (replace(WELL, queue_age_s=0.0, decoded_s=0), 101.0, None),
        (replace(WELL, rss_bytes=1001), 101.0, "fat"),
        (replace(WELL, is_ready=False), 60.0, None),
        (replace(WELL, is_ready=False), 60.1, "never_ready"),
    ],
)
def test_a_worker_is_given_up_where_a_bound_is_passed(
    vitals: Vitals, now_s: float, trouble: Trouble | None
) -> None:
    assert trouble_with(vitals, RULES, now_s) == trouble


def test_a_worker_that_is_not_ready_is_not_silent() -> None:
    """It loads banks and a model, and says nothing meanwhile."""
    assert trouble_with(replace(WELL, is_ready=False, beat_s=0), RULES, 50.0) is None


def test_a_stream_goes_to_whoever_has_least_and_of_equals_to_the_first() -> None:
    assert least_loaded({3: 2, 1: 1, 2: 1}) == 1


@pytest.mark.parametrize(
    ("loads", "number"),
    [
        ({}, None),
        ({1: 90}, None),
        ({1: 4, 2: 0}, None),
        ({1: 5, 2: 0}, 1),
        ({1: 90, 2: 70}, None),
        ({1: 70, 2: 91}, 2),
        ({1: 10, 2: 10, 3: 0}, 1),
    ],
)
def test_a_worker_gives_streams_away_where_it_has_far_more_than_another(
    loads: dict[int, int], number: int | None
) -> None:
    assert too_loaded(loads) == number


@given(st.dictionaries(st.integers(1, 8), st.integers(0, 60), min_size=1))
def test_moving_one_stream_after_another_evens_workers_out_and_ends(loads: dict[int, int]) -> None:
    n_moves, n_streams = 0, sum(loads.values())
    while (number := too_loaded(loads)) is not None:
        loads[number] -= 1
        loads[least_loaded(loads)] += 1
        n_moves += 1

    assert n_moves <= n_streams
    assert max(loads.values()) - min(loads.values()) <= max(4, n_streams / len(loads) / 4)


def test_a_few_deaths_hold_no_start_back_and_more_hold_it_back_ever_longer() -> None:
    brake = CrashBrake()
    delays = []
    for death in range(12):
        brake.died(float(death))
        delays.append(brake.delay_s(float(death)))

    assert delays[:4] == [0.0] * 4
    assert delays[4:9] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert delays[9:] == [CrashBrake.MOST_S] * 3


def test_deaths_are_forgotten_after_a_minute() -> None:
    brake = CrashBrake()
    for _ in range(10):
        brake.died(0.0)

    assert brake.delay_s(59.9) == CrashBrake.MOST_S
    assert brake.delay_s(60.0) == 0.0
