from typing import Any, get_args

import pytest

from streamguard.core.action_data import Act
from streamguard.core.action_events import action_id_of
from streamguard.core.event_data import utc_seconds
from streamguard.core.orders import REVERSIBLE, is_outdated, orders_of, supersedes
from tests.made_actions import order
from tests.made_reviews import AT, decision


def test_a_decision_orders_one_action_for_each_scope() -> None:
    found = orders_of(decision(scopes=["live", "recording"]), taken_s=9.0, max_age_s=60.0)

    assert [(one.scope, one.act, one.taken_s) for one in found] == [
        ("live", "cut", 9.0),
        ("recording", "cut", 9.0),
    ]
    assert [one.action_id for one in found] == [
        action_id_of("d-1", "live"),
        action_id_of("d-1", "recording"),
    ]
    assert found[0].expires_s == utc_seconds(AT) + 60.0
    assert found[0].until_s is None


def test_a_scope_that_is_named_twice_is_one_action() -> None:
    assert len(orders_of(decision(scopes=["live", "live"]), 0.0, 60.0)) == 1


def test_a_decision_to_do_nothing_orders_nothing() -> None:
    assert orders_of(decision(action="none", scopes=[], outcome="rejected"), 0.0, 60.0) == []


def test_a_hold_ends_when_its_decision_says_so() -> None:
    [one] = orders_of(decision(action="hold", scopes=["live"], expires_at=AT), 0.0, 60.0)

    assert one.until_s == utc_seconds(AT)


@pytest.mark.parametrize("act", get_args(Act))
def test_a_rule_may_do_what_can_be_taken_back_and_a_person_all(act: Act) -> None:
    assert order(act=act, actor="r-1").is_allowed
    assert order(act=act, actor="rule:exact").is_allowed == (act in REVERSIBLE)
    assert not {"cut", "cut_and_suspend"} & REVERSIBLE


def test_an_order_names_itself_as_events_do() -> None:
    one = order(scope="clips")

    assert one.ref.action_id == one.action_id == action_id_of("d-1", "clips")
    assert (one.stream.stream_id, one.stream.session_id) == ("edge-lobby", "s-1")


@pytest.mark.parametrize("earlier", get_args(Act))
@pytest.mark.parametrize("later", get_args(Act))
def test_the_latest_order_of_a_case_counts(earlier: Act, later: Act) -> None:
    assert supersedes(order("d-2", act=later), order("d-1", act=earlier))


@pytest.mark.parametrize("earlier", get_args(Act))
@pytest.mark.parametrize("later", get_args(Act))
def test_of_another_case_a_cut_alone_takes_the_place_of_what_is_milder(
    earlier: Act, later: Act
) -> None:
    cuts = {"cut", "cut_and_suspend"}

    found = supersedes(order("d-2", act=later, case_id="c-2"), order("d-1", act=earlier))

    assert found == (later in cuts and earlier not in cuts)


def test_what_a_rule_may_not_do_supersedes_nothing() -> None:
    assert not supersedes(order("d-2", actor="rule:eager"), order("d-1", act="hold"))


@pytest.mark.parametrize(
    ("taken_s", "decided_s", "counts"),
    [
        (200.0, 99.0, False),  # it came late, and was decided before
        (200.0, 100.0, True),
        (159.0, 99.0, False),  # late from this instant on
        (158.0, 99.0, True),  # clocks of two machines differ: what is not late counts as it came
    ],
)
def test_what_comes_late_supersedes_nothing_that_was_decided_after_it(
    taken_s: float, decided_s: float, *, counts: bool
) -> None:
    """Else somebody could undo a cut by sending an old decision to restore once more."""
    known = order("d-3", act="cut", expires_s=1_000.0)
    again = order(
        "d-2", act="restore", decided_s=decided_s, taken_s=taken_s, expires_s=decided_s + 60.0
    )

    assert supersedes(again, known) == counts


@pytest.mark.parametrize(
    ("changes", "is_over"),
    [
        ({}, True),
        ({"taken_s": 159.0}, True),
        ({"taken_s": 158.0}, False),  # it came in time
        ({"decided_s": 101.0, "expires_s": 161.0}, False),  # it was decided after what is known
        ({"case_id": "c-2"}, False),  # it takes back what another case has done
    ],
)
def test_what_comes_late_is_not_done_where_its_case_was_decided_on_since(
    changes: dict[str, Any], *, is_over: bool
) -> None:
    again = {"act": "restore", "decided_s": 99.0, "taken_s": 200.0, "expires_s": 159.0}
    late = order("d-2", **again | changes)

    assert is_outdated(late, order("d-3", act="cut")) == is_over


def test_a_rule_that_may_not_outdates_nothing() -> None:
    late = order("d-2", act="restore", decided_s=99.0, taken_s=200.0, expires_s=159.0)

    assert not is_outdated(late, order("d-3", act="cut", actor="rule:eager"))
