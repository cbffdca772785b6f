from dataclasses import replace
from typing import Any

import pytest

from loadtest.crash_figures import (
    MAX_LONGER_S,
    MAX_RECONNECT_S,
    MAX_UNACCOUNTED_S,
    Found,
    judged,
    table,
)
from loadtest.crash_truth import Case, Hit

GOP_S = 2.0
GOOD = Hit(
    "http",
    is_known=True,
    reconnect_s=0.2,
    sample_s=1.0,
    unseen_s=0.3,
    longer_s=0.5,
    is_session_right=True,
)
FOUND = Found([("worker", GOOD)] * 3, [("http", 0.1)], 0, (0, 0), 0)


def verdict(**changes: Any) -> bool:
    return bool(judged(replace(FOUND, **changes), GOP_S)["pass"])


def with_one(case: Case = "worker", **changes: Any) -> bool:
    return verdict(hits=[(case, GOOD), (case, replace(GOOD, **changes))])


def test_what_keeps_every_bar_passes() -> None:
    assert verdict()


def test_without_a_kill_nothing_was_shown() -> None:
    assert not verdict(hits=[])


@pytest.mark.parametrize(
    ("name", "bar"),
    [("reconnect_s", MAX_RECONNECT_S), ("sample_s", GOP_S), ("longer_s", MAX_LONGER_S)],
)
@pytest.mark.parametrize("case", ["worker", "server"])
def test_a_time_may_reach_its_bar_and_not_pass_it(case: Case, name: str, bar: float) -> None:
    assert with_one(case, **{name: bar})
    assert not with_one(case, **{name: bar + 0.001})


def test_of_twenty_first_samples_one_may_be_late() -> None:
    late = replace(GOOD, sample_s=9.0)

    assert verdict(hits=[("worker", one) for one in [late, *[GOOD] * 19]])
    assert not verdict(hits=[("worker", one) for one in [late, late, *[GOOD] * 18]])


def test_no_time_is_promised_of_a_supervisor_but_that_it_hides_nothing() -> None:
    assert with_one("supervisor", reconnect_s=9.0, longer_s=9.0)
    assert not with_one("supervisor", missing_s=0.02)


def test_streams_whose_first_sample_no_flag_tells_have_none_to_be_late() -> None:
    assert with_one(is_known=False, sample_s=None)
    assert not with_one(is_known=True, sample_s=None)


@pytest.mark.parametrize(
    "change", [{"reconnect_s": None}, {"missing_s": 0.02}, {"is_session_right": False}]
)
@pytest.mark.parametrize("case", ["worker", "server", "supervisor"])
def test_one_stream_that_is_wrong_is_enough(case: Case, change: dict[str, Any]) -> None:
    assert not with_one(case, **change)


@pytest.mark.parametrize(
    "change", [{"n_lost_clips": 1}, {"n_open": (1, 0)}, {"n_open": (0, 1)}, {"n_left_over": 1}]
)
def test_nothing_may_be_lost_or_left_open(change: dict[str, Any]) -> None:
    assert not verdict(**change)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_session_may_be_reckoned_a_little_too_short_or_too_long(sign: int) -> None:
    assert verdict(unaccounted_s=[("http", sign * MAX_UNACCOUNTED_S)])
    assert not verdict(unaccounted_s=[("http", sign * (MAX_UNACCOUNTED_S + 0.01))])


def test_rtmp_may_bring_media_later_than_it_was_shown() -> None:
    assert verdict(unaccounted_s=[("static", -9.0)])
    assert not verdict(unaccounted_s=[("static", 9.0)])


def test_the_table_names_what_was_missed() -> None:
    hits = [("worker", GOOD), ("server", replace(GOOD, longer_s=1.5))]

    lines = [*table(judged(replace(FOUND, hits=hits), GOP_S))]

    assert [line.split()[0] for line in lines if "MISSED" in line] == ["server"]
    assert "0.20  0.20  0.20" in lines[2]
