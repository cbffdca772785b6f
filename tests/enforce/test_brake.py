from collections.abc import Iterator
from pathlib import Path

import pytest

from streamguard.adapters.sqlite_actions import ActionStore
from streamguard.enforce.brake import OPEN_S, TRIP_FACTOR, Brake, BrakeRule
from tests.made_actions import order


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ActionStore]:
    made = ActionStore(tmp_path / "enforce")
    yield made
    made.close()


def asked(store: ActionStore, brake: Brake, number: int, now_s: float) -> str | None:
    rule = {"act": "hold", "actor": "rule:exact", "case_id": f"c-{number}"}
    one = order(f"d-{number}", taken_s=now_s, **rule)
    store.take([one], "{}")
    refusal = brake.refusal(one, now_s)
    store.finish(one, refusal or "done")
    return refusal


def test_so_many_holds_are_done_within_a_minute_and_no_more(store: ActionStore) -> None:
    brake = Brake(BrakeRule(2), store)

    answers = [asked(store, brake, number, 100.0 + number) for number in range(3)]
    later = asked(store, brake, 3, 162.0)

    assert answers == [None, None, "over_limit"]
    assert later is None


def test_a_restart_gives_no_further_holds(store: ActionStore) -> None:
    asked(store, Brake(BrakeRule(1), store), 0, 100.0)

    assert asked(store, Brake(BrakeRule(1), store), 1, 101.0) == "over_limit"


def test_a_flood_opens_the_breaker_for_an_hour(store: ActionStore) -> None:
    brake = Brake(BrakeRule(1), store)

    answers = [asked(store, brake, number, 100.0 + number) for number in range(TRIP_FACTOR)]
    opened_s = 100.0 + TRIP_FACTOR - 1

    assert answers == [None, *["over_limit"] * (TRIP_FACTOR - 2), "breaker_open"]
    assert brake.is_open(opened_s + OPEN_S - 0.1)
    assert not brake.is_open(opened_s + OPEN_S)


def taken_back(store: ActionStore, brake: Brake, number: int, now_s: float) -> None:
    """Let a person restore what was done in a case."""
    case_id = f"c-{number}"
    one = order(f"d-back-{number}", act="restore", case_id=case_id, taken_s=now_s)
    store.take([one], "{}")
    brake.look_back(now_s)


def test_people_who_take_holds_back_open_the_breaker_whatever_is_started_anew(
    store: ActionStore,
) -> None:
    brake = Brake(BrakeRule(3), store)
    for number in (1, 2):
        asked(store, brake, number, 50.0)
    taken_back(store, brake, 1, 100.0)
    assert not brake.is_open(100.0)

    taken_back(store, Brake(BrakeRule(3), store), 2, 200.0)

    again = Brake(BrakeRule(3), store)
    assert again.is_open(200.0)
    assert asked(store, again, 3, 201.0) == "breaker_open"


def test_what_people_took_back_long_ago_does_not_count(store: ActionStore) -> None:
    brake = Brake(BrakeRule(3), store)
    for number in (1, 2):
        asked(store, brake, number, 50.0)
    taken_back(store, brake, 1, 100.0)

    taken_back(store, brake, 2, 100.0 + OPEN_S)

    assert not brake.is_open(100.0 + OPEN_S)


def test_what_people_or_nobody_had_done_does_not_count(store: ActionStore) -> None:
    brake = Brake(BrakeRule(1), store)
    assert asked(store, brake, 1, 50.0) is None
    assert asked(store, brake, 2, 51.0) == "over_limit"
    person = order("d-person", act="hold", case_id="c-1", taken_s=60.0)
    store.take([person], "{}")

    taken_back(store, brake, 1, 100.0)
    taken_back(store, brake, 2, 101.0)

    assert not brake.is_open(101.0)


def test_an_order_that_is_asked_about_again_and_again_counts_once(store: ActionStore) -> None:
    brake = Brake(BrakeRule(1), store)
    one = order(act="hold", actor="rule:exact")
    store.take([one], "{}")

    answers = {brake.refusal(one, 100.0) for _ in range(TRIP_FACTOR + 1)}

    assert answers == {None}
