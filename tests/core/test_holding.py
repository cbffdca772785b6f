from typing import Any

import pytest

from streamguard.core.cases import Case
from streamguard.core.choosing import Choice, Decider, Rules
from streamguard.core.decision_data import Notice
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.core.events import Event, flag_event
from streamguard.core.holding import (
    Cases,
    HoldRule,
    HoldTerms,
    hold_decision,
    lift_decision,
    rule_for,
)
from streamguard.core.review_events import decision_event
from streamguard.core.ruling import rule
from tests.core.test_events import SOURCE, flag, flag_fields
from tests.made_reviews import AT, decision

TERMS = HoldTerms(hold_s=900.0, appeal_days=2.0)
RULE = HoldRule("exact", frozenset({"shared"}), 8)
MATCH: dict[str, Any] = flag_fields()["signals"][0]["match"]


def matched(**changes: Any) -> FlagData:
    signal = {"detector": "hash", "match": MATCH | {"distance_bits": 8} | changes}
    return flag(signals=[signal])


def told(data: FlagData) -> Event:
    return flag_event(SOURCE, "opened", data, time_s=100.0, recorded_s=100.0)


def case_with(data: FlagData) -> Case:
    [case] = Cases([told(data)]).by_id.values()
    return case


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"distance_bits": 9}, False),
        ({"bank": "other"}, False),
        ({"is_certain": False}, False),
    ],
    ids=str,
)
def test_a_rule_fits_an_exact_match_of_its_bank_alone(
    changes: dict[str, Any], *, fits: bool
) -> None:
    assert (rule_for(matched(**changes), [RULE]) is RULE) == fits


def test_a_flag_that_is_over_or_was_found_later_is_not_held() -> None:
    data = matched().model_dump()

    over = FlagData.model_validate(data | {"state": "closed", "close_reason": "ended"})
    assert rule_for(over, [RULE]) is None
    assert rule_for(FlagData.model_validate(data | {"is_rescreened": True}), [RULE]) is None
    assert rule_for(matched(), []) is None


def test_a_rule_proposes_what_another_has_to_confirm() -> None:
    data = matched()

    found = hold_decision(case_with(data), data, RULE, 100.0, TERMS)

    assert found is not None
    assert (found.action, found.scopes, found.actor) == ("hold", ("live",), "rule:exact")
    assert (found.outcome, found.automation.decision) == ("needs_second", "FULLY")
    assert found.expires_at is not None
    assert utc_seconds(found.expires_at) == 1000.0
    assert found.appeal is not None
    assert found.appeal.window_ends_at is not None
    assert utc_seconds(found.appeal.window_ends_at) == 100.0 + 2 * 86_400.0
    [case] = Cases([told(data), decision_event(SOURCE, found, recorded_s=1.0)]).by_id.values()
    assert case.stage == "second"


def test_a_rule_decides_once_for_a_case() -> None:
    data = matched()

    first = hold_decision(case_with(data), data, RULE, 100.0, TERMS)
    again = hold_decision(case_with(data), data, RULE, 200.0, TERMS)

    assert first is not None
    assert again is not None
    assert first.decision_id == again.decision_id


def test_what_a_person_has_decided_is_not_held_by_a_rule() -> None:
    data = matched()
    case = case_with(data)
    person = decision(case_id=case.case_id, action="none", scopes=[], outcome="rejected")
    [decided] = Cases([told(data), decision_event(SOURCE, person, recorded_s=1.0)]).by_id.values()

    assert hold_decision(decided, data, RULE, 100.0, TERMS) is None


def held_case() -> tuple[Any, list[Event]]:
    data = matched()
    held = hold_decision(case_with(data), data, RULE, 100.0, TERMS)
    assert held is not None
    return held, [told(data), decision_event(SOURCE, held, recorded_s=1.0)]


def test_a_rules_decisions_name_it_and_the_policy_and_say_who_is_owed_the_reasons() -> None:
    data, terms = matched(), HoldTerms(policy_version="our terms of 2026")
    held = hold_decision(case_with(data), data, RULE, 100.0, terms)
    assert held is not None

    lift = lift_decision(held, None, 1000.0)

    assert lift is not None
    made = [held, lift]
    assert [one.automation.rule_id for one in made] == [RULE.name, "hold-over"]
    assert [one.notify_user for one in made] == [Notice(required=True), Notice(required=False)]
    assert {one.policy_version for one in made} == {"our terms of 2026"}


def test_a_hold_that_nobody_reviewed_is_lifted_and_its_case_open_again() -> None:
    held, events = held_case()
    [case] = Cases(events).by_id.values()

    lift = lift_decision(held, case, 1000.0)

    assert lift is not None
    assert (lift.action, lift.supersedes, lift.outcome) == ("restore", held.decision_id, "undone")
    [after] = Cases([*events, decision_event(SOURCE, lift, recorded_s=1.0)]).by_id.values()
    assert after.stage == "open"
    assert lift_decision(held, after, 1001.0) is None


def test_the_end_of_a_hold_does_not_open_a_case_that_a_person_has_decided() -> None:
    held, events = held_case()
    person = decision(
        case_id=held.case_id,
        action="none",
        scopes=[],
        outcome="rejected",
        supersedes=held.decision_id,
    )
    events.append(decision_event(SOURCE, person, recorded_s=1.0))
    [case] = Cases(events).by_id.values()

    lift = lift_decision(held, case, 1000.0)

    assert lift is not None
    assert (lift.supersedes, lift.outcome) == ("d-1", "rejected")
    [after] = Cases([*events, decision_event(SOURCE, lift, recorded_s=1.0)]).by_id.values()
    assert after.stage == "decided"


def test_a_hold_of_which_the_log_knows_nothing_more_is_lifted_all_the_same() -> None:
    held, _ = held_case()

    lift = lift_decision(held, None, 1000.0)

    assert lift is not None
    assert lift.supersedes == held.decision_id


@pytest.mark.parametrize(
    ("choice", "outcome", "action"),
    [
        (
            {"outcome": "confirmed", "reason_code": "TVEC.ATTACK_LIVE", "action": "cut"},
            "confirmed",
            "cut",
        ),
        (
            {
                "outcome": "confirmed",
                "reason_code": "TVEC.ATTACK_LIVE",
                "action": "cut_and_suspend",
            },
            "needs_second",
            "hold",
        ),
        ({"outcome": "rejected", "reason_code": "NOTHING.FOUND"}, "rejected", "restore"),
    ],
)
def test_what_a_rule_held_is_judged_by_one_person_as_if_nobody_had(
    choice: dict[str, str], outcome: str, action: str
) -> None:
    _, events = held_case()
    [case] = Cases(events).by_id.values()
    anna = Decider("r-1", "reviewer", token=7, claimed_s=990.0)

    made = rule(case, Choice.model_validate(choice), anna, Rules(), ("d-1", 1_000.0))

    assert (made.outcome, made.action) == (outcome, action)


def test_the_end_of_a_hold_takes_back_nothing_that_a_person_decided_meanwhile() -> None:
    held, events = held_case()
    cut = decision(case_id=held.case_id, action="cut", supersedes=held.decision_id)
    [case] = Cases([*events, decision_event(SOURCE, cut, recorded_s=1.0)]).by_id.values()

    assert lift_decision(held, case, 1000.0) is None


def test_what_was_done_in_several_scopes_is_lifted_in_all_of_them() -> None:
    held = decision(action="hold", scopes=["live", "recording", "clips"], expires_at=AT)

    lift = lift_decision(held, None, 1000.0)

    assert lift is not None
    assert lift.scopes == ("live", "recording", "clips")


def test_cases_grow_by_what_is_told_as_if_all_were_told_at_once() -> None:
    _, events = held_case()
    grown = Cases()

    for event in events:
        grown.add(event)

    assert grown.by_id == Cases(events).by_id
    [case] = grown.by_id.values()
    assert grown.of_flag(case.flag_ids[0]) == case
    assert grown.of_flag("another") is None
