"""Which stream is held back when workers die, for how long, and that no innocent one stays so."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.crew import Trouble
from streamguard.core.hands import InHand, LastWords, mark_of
from streamguard.core.suspicion import HANG_S, Suspicion, in_hand

LATELY_S, FIRST_S = Suspicion.LATELY_S, Suspicion.FIRST_S


def test_one_death_holds_nobody_back() -> None:
    assert Suspicion().died(["a"], 0.0) is None


def test_a_stream_in_hand_at_two_deaths_is_held_back_for_a_minute() -> None:
    suspicion = Suspicion()
    suspicion.died(["a", "b"], 0.0)
    hold = suspicion.died(["a"], 5.0)

    assert hold is not None
    assert (hold.stream_id, hold.n_deaths, hold.until_s) == ("a", 2, 5.0 + FIRST_S)
    assert suspicion.held(5.0 + FIRST_S - 0.1) == {"a": hold}
    assert suspicion.held(5.0 + FIRST_S) == {}


@pytest.mark.parametrize(("after_s", "is_held"), [(LATELY_S - 0.1, True), (LATELY_S, False)])
def test_a_death_is_forgotten_after_ten_minutes(after_s: float, *, is_held: bool) -> None:
    suspicion = Suspicion()
    suspicion.died(["a"], 0.0)

    assert (suspicion.died(["a"], after_s) is not None) == is_held


@pytest.mark.parametrize(("after_s", "is_one"), [(LATELY_S - 0.1, True), (LATELY_S, False)])
def test_a_stream_is_a_suspect_for_ten_minutes_after_a_death(
    after_s: float, *, is_one: bool
) -> None:
    suspicion = Suspicion()
    suspicion.died(["a"], 0.0)

    assert suspicion.is_suspect("a", after_s) == is_one
    assert not suspicion.is_suspect("b", 0.0)


def test_who_comes_back_and_kills_again_is_held_back_at_once_and_longer_up_to_an_hour() -> None:
    suspicion, now_s, seconds = Suspicion(), 0.0, []
    suspicion.died(["a"], now_s)
    for _ in range(6):
        hold = suspicion.died(["a"], now_s)
        assert hold is not None
        seconds.append(hold.until_s - now_s)
        now_s = hold.until_s + 1.0

    assert seconds == [60.0, 240.0, 960.0, 3600.0, 3600.0, 3600.0]


def test_who_lasts_ten_minutes_after_a_hold_is_off_probation_but_not_forgiven() -> None:
    suspicion = Suspicion()
    suspicion.died(["a"], 0.0)
    suspicion.died(["a"], 0.0)
    back_s = FIRST_S + LATELY_S
    first, second = suspicion.died(["a"], back_s), suspicion.died(["a"], back_s)

    assert first is None
    assert second is not None
    assert second.until_s - back_s == 240.0


@pytest.mark.parametrize(("after_s", "seconds"), [(86_399.0, 240.0), (86_400.0, 60.0)])
def test_a_day_after_its_hold_a_stream_is_forgiven(after_s: float, seconds: float) -> None:
    suspicion = Suspicion()
    suspicion.died(["a"], 0.0)
    suspicion.died(["a"], 0.0)
    now_s = FIRST_S + after_s
    suspicion.died(["a"], now_s)
    hold = suspicion.died(["a"], now_s)

    assert hold is not None
    assert hold.until_s - now_s == seconds


def test_each_death_holds_one_stream_back_and_the_one_longest_in_hand_first() -> None:
    suspicion = Suspicion()
    suspicion.died(["a", "b"], 0.0)
    hold = suspicion.died(["b", "a"], 1.0)

    assert hold is not None
    assert hold.stream_id == "b"
    assert set(suspicion.held(2.0)) == {"b"}


def test_an_innocent_stream_that_was_held_back_first_is_not_blamed_for_the_next_death() -> None:
    suspicion = Suspicion()
    suspicion.died(["innocent", "culprit"], 0.0)
    suspicion.died(["innocent", "culprit"], 1.0)
    third = suspicion.died(["culprit"], 2.0)
    again = suspicion.died(["innocent", "culprit"], 70.0)

    assert third is not None
    assert again is not None
    assert (third.stream_id, again.stream_id) == ("culprit", "culprit")


def test_an_operator_ends_a_hold_and_the_deaths_before_it_count_no_more() -> None:
    suspicion = Suspicion()
    suspicion.died(["a"], 0.0)
    suspicion.died(["a"], 0.0)

    assert suspicion.let_back("a", 1.0)
    assert not suspicion.let_back("a", 1.0)
    assert suspicion.held(1.0) == {}
    assert suspicion.died(["a"], 2.0) is None


@given(seed=st.integers(0, 10_000), n_innocent=st.integers(1, 6))
def test_one_culprit_ends_at_most_two_workers_and_one_more_for_each_who_is_always_there(
    seed: int, n_innocent: int
) -> None:
    """The culprit kills whenever it is not held back; others are in hand by chance."""
    chance = random.Random(seed)
    suspicion, names = Suspicion(), [f"innocent {n}" for n in range(n_innocent)]
    n_deaths, holds = 0, []
    for second in range(50):
        held = suspicion.held(float(second))
        if "culprit" in held:
            break
        there = [one for one in names if one not in held and chance.random() < 0.5]
        there.insert(chance.randrange(len(there) + 1), "culprit")
        n_deaths += 1
        hold = suspicion.died(there, float(second))
        holds += [hold.stream_id] if hold else []

    assert holds[-1] == "culprit"
    assert n_deaths <= Suspicion.ENOUGH + n_innocent
    assert len(holds) == len(set(holds))


def test_a_crash_tells_the_very_stream_and_what_else_was_in_hand_does_not_count() -> None:
    words = LastWords((InHand(mark_of("a"), 1.0),), "pyav_source.py:1 x", mark_of("b"))

    assert in_hand(words, "died", ["a", "b", "c"], 9.0) == ["b"]


def test_a_crash_in_a_thread_of_no_stream_tells_nothing() -> None:
    words = LastWords((InHand(mark_of("a"), 1.0),), "base_events.py:1 x", None)

    assert in_hand(words, "died", ["a"], 9.0) == []


def test_of_a_process_that_was_killed_all_that_was_in_hand_counts_the_longest_first() -> None:
    hands = (InHand(mark_of("a"), 5.0), InHand(mark_of("b"), 2.0), InHand(mark_of("gone"), 1.0))

    assert in_hand(LastWords(hands), "died", ["a", "b", "c"], 5.0) == ["b", "a"]


@pytest.mark.parametrize("trouble", ["stuck", "silent"])
def test_of_a_process_that_hung_what_was_in_hand_for_long_counts(trouble: Trouble) -> None:
    hands = (InHand(mark_of("a"), 20.0), InHand(mark_of("b"), 20.1))

    assert in_hand(LastWords(hands), trouble, ["a", "b"], 20.0 + HANG_S) == ["a"]


def test_of_a_process_that_grew_too_fat_nothing_counts() -> None:
    assert in_hand(LastWords((InHand(mark_of("a"), 1.0),)), "fat", ["a"], 9.0) == []


@given(st.lists(st.text(), max_size=50, unique=True))
def test_marks_are_of_64_bits_and_never_0(names: list[str]) -> None:
    marks = [mark_of(name) for name in names]

    assert all(0 < mark < 1 << 64 for mark in marks)
    assert len(set(marks)) == len(names)
