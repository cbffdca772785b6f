import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.action_data import ActionFailedData, FailureReason
from streamguard.core.case_changes import (
    first_case,
    with_decision,
    with_failure,
    with_flag,
    with_stream,
)
from streamguard.core.cases import LEFT_ON_AIR, MAX_TOLD, Case, entry_of_case
from streamguard.core.decision_data import DecisionData
from tests.made_actions import ACTION, failed
from tests.made_reviews import AT, REVIEWER, decision, flag, flag_id


def decided(case: Case, decision_id: str = "d-1", **changes: object) -> Case:
    latest = case.ruling
    made = decision(
        decision_id=decision_id,
        case_id=case.case_id,
        supersedes=latest.decision_id if latest else None,
        **changes,
    )
    return with_decision(case, made)


def rejected(case: Case) -> Case:
    return decided(case, outcome="rejected", reason_code="NOTHING.FOUND", action="none", scopes=[])


def test_a_flag_opens_a_case_and_the_next_ones_of_its_session_grow_it() -> None:
    case = first_case(flag(1), 100.0)

    case = with_flag(case, flag(2, entry="other", severity="P0"), 101.0)
    case = with_flag(case, flag(2, state="updated", revision=1, entry="other"), 102.0)

    assert (case.n_flags, case.flag_ids) == (2, (flag_id(1), flag_id(2)))
    assert (case.severity, case.opened_s, case.flagged_s) == ("P0", 100.0, 102.0)
    assert case.signals == ("shared/clip", "shared/other")


def test_severity_never_falls_while_a_case_is_open() -> None:
    case = with_flag(first_case(flag(1, severity="P1"), 100.0), flag(2, severity="P2"), 101.0)

    assert case.severity == "P1"


def test_what_was_seen_before_a_decision_is_counted_and_opens_nothing() -> None:
    case = rejected(first_case(flag(1), 100.0))

    again = with_flag(case, flag(2), 200.0)
    again = with_flag(again, flag(2, state="updated", revision=1), 201.0)

    assert (again.case_id, again.stage, again.n_flags) == (case.case_id, "decided", 1)
    assert again.flagged_s == 201.0
    assert again.n_repeats == 1


def test_another_entry_after_a_decision_opens_the_next_case() -> None:
    case = rejected(first_case(flag(1), 100.0))

    following = with_flag(case, flag(2, entry="other"), 200.0)

    assert following.case_id != case.case_id
    assert (following.stage, following.n_flags, following.rulings) == ("open", 1, ())


def test_what_was_banked_from_a_session_is_no_news_of_it() -> None:
    first = decided(first_case(flag(1, severity="P1"), 100.0))
    own = entry_of_case(first.case_id)
    session = frozenset({own})

    again = with_flag(first, flag(2, entry=own, severity="P0"), 200.0)
    second = decided(with_flag(again, flag(3, entry="other"), 201.0), "d-2")
    third = with_flag(second, flag(4, entry=own), 202.0, session)

    assert (again.case_id, again.n_repeats) == (first.case_id, 1)
    assert second.case_id != first.case_id
    assert (third.case_id, third.n_repeats) == (second.case_id, 1)


def test_what_was_banked_from_another_case_is_news() -> None:
    case = decided(first_case(flag(1), 100.0))
    foreign = entry_of_case(first_case(flag(9), 100.0).case_id)

    assert with_flag(case, flag(2, entry=foreign), 200.0).case_id != case.case_id


def test_the_next_case_is_the_later_one_though_its_flag_began_before() -> None:
    case = rejected(first_case(flag(1), 1_767_323_045.0))

    following = with_flag(case, flag(2, entry="other"), 1_767_323_035.0)

    assert following.opened_s > case.opened_s
    assert (following.flagged_s, following.stage_s) == (1_767_323_035.0, 1_767_323_035.0)


def test_the_flag_of_a_decided_case_that_becomes_more_urgent_opens_the_next_case() -> None:
    case = rejected(first_case(flag(1, severity="P2"), 100.0))

    same = with_flag(case, flag(1, severity="P2", state="updated", revision=1), 200.0)
    worse = with_flag(case, flag(1, severity="P1", state="updated", revision=1), 200.0)

    assert same.case_id == case.case_id
    assert worse.case_id != case.case_id
    assert worse.stage == "open"


def test_the_stage_follows_from_the_outcome() -> None:
    case = first_case(flag(1), 100.0)

    stages = [
        decided(case).stage,
        decided(case, drawn_for_check=True).stage,
        decided(case, outcome="needs_second", action="hold", proposed="cut_and_suspend").stage,
        decided(case, outcome="escalated").stage,
        decided(decided(case), "d-2", outcome="undone", action="restore").stage,
    ]

    assert stages == ["decided", "check", "second", "escalated", "open"]


def test_a_decision_that_does_not_follow_the_latest_changes_nothing() -> None:
    case = first_case(flag(1), 100.0)
    late = decision(decision_id="d-9", case_id=case.case_id)
    foreign = decision(decision_id="d-9")

    once = decided(case)

    assert with_decision(once, late) == once
    assert with_decision(case, foreign) == case


def test_whoever_judged_is_known_but_not_whoever_took_it_back() -> None:
    case = decided(first_case(flag(1), 100.0), actor="r-1")
    undone = decided(case, "d-2", actor="r-1", outcome="undone", action="restore")
    again = decided(undone, "d-3", actor="r-2", reviewer=REVIEWER)

    assert case.deciders == {"r-1"}
    assert undone.deciders == frozenset()
    assert again.deciders == {"r-2"}


def test_a_decision_by_a_rule_is_taken_as_well() -> None:
    made = DecisionData.model_validate(
        decision().model_dump(mode="json", exclude_none=True, exclude={"reviewer"})
        | {"actor": "rule:exact", "action": "hold"}
    )
    case = first_case(flag(1), 100.0)

    held = with_decision(case, made.model_copy(update={"case_id": case.case_id}))

    assert held.ruling is not None
    assert (held.ruling.role, held.ruling.decided_s) == (None, 1_767_323_045.0)
    assert made.decided_at == AT


def test_an_audience_is_remembered_at_its_largest() -> None:
    case = with_stream(first_case(flag(1), 100.0), is_live=True, n_viewers=50)

    case = with_stream(case, is_live=True, n_viewers=7)
    ended = with_stream(case, is_live=False)

    assert (case.n_viewers, case.most_viewers) == (7, 50)
    assert (ended.is_live, ended.n_viewers) == (False, 7)


@given(st.lists(st.integers(min_value=0, max_value=MAX_TOLD + 50), max_size=600))
def test_a_case_counts_every_flag_it_still_names_once(numbers: list[int]) -> None:
    case = first_case(flag(0), 100.0)
    for number in numbers[:MAX_TOLD]:
        case = with_flag(case, flag(number), 101.0)

    assert len(case.flag_ids) == len(set(case.flag_ids)) <= MAX_TOLD
    assert case.n_flags == len({0, *numbers[:MAX_TOLD]})


def not_done(reason: str = "still_live", **action: object) -> ActionFailedData:
    return failed(reason=reason, action={**ACTION, **action})


@pytest.mark.parametrize("act", ["hold", "cut", "cut_and_suspend"])
def test_who_could_not_be_cut_waits_for_a_senior_until_somebody_decides_again(act: str) -> None:
    case = decided(first_case(flag(1), 100.0), action=act)

    left = with_failure(case, not_done(act=act))

    assert (left.stage, left.not_done, left.is_left_on_air) == ("escalated", "still_live", True)
    again = decided(left, "d-2", action=act)
    assert (again.stage, again.not_done) == ("decided", None)


OVER = ("session_replaced", "session_ended", "superseded")


@pytest.mark.parametrize("reason", [*sorted(LEFT_ON_AIR), *OVER])
def test_a_failure_counts_where_the_stream_goes_on(reason: FailureReason) -> None:
    case = with_failure(decided(first_case(flag(1), 100.0)), not_done(reason))

    assert case.stage == ("decided" if reason in OVER else "escalated")


@pytest.mark.parametrize(
    "action",
    [
        {"decision_id": "d-0"},
        {"scope": "recording"},
        {"act": "limit_reach"},
        {"act": "restore"},
    ],
)
def test_what_else_fails_opens_no_case_again(action: dict[str, str]) -> None:
    case = decided(first_case(flag(1), 100.0))

    assert with_failure(case, not_done(**action)) == case


def test_a_failure_after_the_end_of_the_stream_opens_no_case_again() -> None:
    case = with_stream(decided(first_case(flag(1), 100.0)), is_live=False)

    assert with_failure(case, not_done()) == case


def test_what_a_rule_could_not_hold_is_no_confirmed_case() -> None:
    rule = {"actor": "rule:known", "reviewer": None, "outcome": "needs_second"}
    case = decided(first_case(flag(1), 100.0), action="hold", proposed="hold", **rule)

    assert with_failure(case, not_done(act="hold", actor="rule:known")) == case


def test_a_case_that_waits_for_a_second_person_goes_on_waiting_for_one() -> None:
    case = first_case(flag(1), 100.0)
    case = decided(case, outcome="needs_second", action="hold", proposed="cut_and_suspend")

    left = with_failure(case, not_done(act="hold"))

    assert (left.stage, left.stage_s, left.is_left_on_air) == ("second", case.stage_s, True)


@pytest.mark.parametrize("n_flags", [MAX_TOLD, MAX_TOLD + 1])
def test_news_of_a_flag_is_no_other_flag_however_many_came_since(n_flags: int) -> None:
    case = first_case(flag(0), 100.0)
    for number in range(1, n_flags):
        case = with_flag(case, flag(number), 100.0)

    case = with_flag(case, flag(0, state="closed", close_reason="ended", revision=1), 101.0)

    assert (case.n_flags, len(case.flag_ids)) == (n_flags, MAX_TOLD)


RULE = {"actor": "rule:r", "reviewer": None}
BY_BOTH: dict[str, dict[str, object]] = {
    "hold": {"outcome": "needs_second", "action": "hold", "proposed": "hold", **RULE},
    "lift": {"outcome": "undone", "action": "restore", "supersedes": "hold", **RULE},
    "first": {"outcome": "confirmed", "action": "none", "scopes": []},
    "next": {"outcome": "escalated", "action": "none", "scopes": [], "supersedes": "first"},
    "end": {"outcome": "escalated", "action": "restore", "supersedes": "first", **RULE},
}
"""What a rule and people decide in logs of their own, each not knowing of the other."""


@given(st.permutations(tuple(BY_BOTH)))
def test_a_rule_and_people_who_decide_at_once_are_put_into_one_order_whoever_is_told_first(
    order: list[str],
) -> None:
    told = sorted(order, key=lambda one: (one in {"lift", "next", "end"}, order.index(one)))
    case = first_case(flag(1), 100.0)

    for one in told:
        made = decision(decision_id=one, case_id=case.case_id, **BY_BOTH[one])
        case = with_decision(case, made)

    assert [one.decision_id for one in case.rulings] == ["hold", "lift", "first", "end", "next"]
    assert case.stage == "escalated"


def test_what_a_person_decided_stands_where_a_rules_hold_is_told_later() -> None:
    case = rejected(first_case(flag(1), 100.0))
    hold = decision(decision_id="hold", case_id=case.case_id, **BY_BOTH["hold"])

    held = with_decision(case, hold)

    assert (held.stage, held.ruling) == ("decided", case.ruling)
    assert held.acting is not None
    assert held.acting.decision_id == "hold"  # it is in force, and the console says so
