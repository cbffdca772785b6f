"""A hold that people stand behind comes up before it ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.case_changes import first_case, with_decision
from streamguard.core.cases import Case
from streamguard.core.ending import SHARE, comes_up_s, ending, is_ending
from streamguard.core.event_data import utc_seconds, utc_text
from streamguard.core.priority import priority, urgency_class
from tests.made_reviews import AT, decision, flag

AT_S = utc_seconds(AT)
DAY_S = 86_400.0
NOTICE_S = 3_600.0


def decided(case: Case, **changes: object) -> Case:
    """Have somebody decide a case, at the time at which it began unless another is said."""
    latest = case.ruling.decision_id if case.ruling else None
    number = len(case.rulings)
    fields = {"case_id": case.case_id, "supersedes": latest, "decision_id": f"d-{number}"}
    return with_decision(case, decision(**(fields | changes)))


def held(hold_s: float = DAY_S, **changes: object) -> Case:
    expires_at = utc_text(AT_S + hold_s)
    return decided(first_case(flag(1), AT_S), action="hold", expires_at=expires_at, **changes)


def test_a_hold_comes_up_an_hour_before_its_end_and_not_after() -> None:
    case = held()
    from_s, until_s = AT_S + DAY_S - NOTICE_S, AT_S + DAY_S

    asked = [from_s - 0.001, from_s, until_s - 0.001, until_s]

    assert [is_ending(case, one, NOTICE_S) for one in asked] == [False, True, True, False]


def test_a_short_hold_comes_up_in_its_last_quarter() -> None:
    case = held(1_000.0)

    asked = [is_ending(case, AT_S + one, NOTICE_S) for one in (749.999, 750.0)]

    assert (SHARE, asked) == (0.25, [False, True])


def test_who_wants_no_notice_gets_none() -> None:
    assert not any(is_ending(held(), AT_S + DAY_S - before_s, 0) for before_s in (0.001, 60))


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({}, "escalated"),
        ({"drawn_for_check": True}, "escalated"),
        ({"outcome": "needs_second", "proposed": "cut_and_suspend"}, "second"),
        ({"outcome": "escalated"}, "escalated"),
    ],
)
def test_it_waits_for_a_senior_or_on_for_a_second_person(
    changes: dict[str, object], stage: str
) -> None:
    case = ending(held(**changes), NOTICE_S)

    assert (case.stage, case.is_ending) == (stage, True)
    texts = [term.text for term in priority(case, AT_S).terms]
    assert "what holds ends soon: without a new decision the stream is restored" in texts
    assert urgency_class(case) == urgency_class(held()) == 1  # severity decides first


def test_it_waits_since_it_came_up() -> None:
    assert ending(held(), NOTICE_S).stage_s == AT_S + DAY_S - NOTICE_S


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": "rule:exact", "reviewer": None},  # is reviewed within its time, or lifted
        {"action": "cut", "expires_at": None},
    ],
)
def test_what_no_person_holds_for_a_time_does_not_come_up(changes: dict[str, object]) -> None:
    expires_at = utc_text(AT_S + DAY_S)
    fields = {"action": "hold", "expires_at": expires_at} | changes
    case = decided(first_case(flag(1), AT_S), **fields)

    assert comes_up_s(case, NOTICE_S) is None
    assert not is_ending(case, AT_S + DAY_S - 1, NOTICE_S)


def test_a_hold_of_a_rule_that_a_person_confirmed_comes_up() -> None:
    by_rule = held(
        800.0, actor="rule:exact", reviewer=None, outcome="needs_second", proposed="hold"
    )
    case = decided(by_rule, action="none", scopes=[])

    assert is_ending(case, AT_S + 700, NOTICE_S)


@pytest.mark.parametrize(
    ("action", "after_s", "comes_up"),
    [
        ("none", DAY_S - NOTICE_S - 1, True),  # judged before anybody was asked
        ("none", DAY_S - NOTICE_S, False),
        ("restore", 60.0, False),
    ],
)
def test_what_somebody_judged_since_or_took_back_does_not_come_up_again(
    action: str, after_s: float, *, comes_up: bool
) -> None:
    scopes = [] if action == "none" else ["live"]
    at = utc_text(AT_S + after_s)
    case = decided(held(), action=action, scopes=scopes, decided_at=at)

    assert is_ending(case, AT_S + DAY_S - 1, NOTICE_S) == comes_up


@given(
    hold_s=st.floats(1.0, 30 * DAY_S),
    notice_s=st.floats(0.0, DAY_S),
    share=st.floats(0.0, 1.0),
)
def test_a_hold_comes_up_once_and_within_its_last_quarter(
    hold_s: float, notice_s: float, share: float
) -> None:
    case = held(hold_s)
    from_s = comes_up_s(case, notice_s)

    assert from_s is not None
    assert AT_S + 0.75 * hold_s - 0.01 <= from_s <= AT_S + hold_s + 0.01
    at_s = AT_S + share * hold_s
    assert is_ending(case, at_s, notice_s) == (from_s <= at_s < (case.held_until_s or 0))
