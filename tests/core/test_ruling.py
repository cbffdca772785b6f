from dataclasses import replace
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from streamguard.core.case_changes import first_case, with_decision, with_stream
from streamguard.core.cases import Case
from streamguard.core.choosing import Choice, Decider, Rules
from streamguard.core.decision_data import DecisionData, Notice, Role
from streamguard.core.errors import DecisionRefused
from streamguard.core.event_data import utc_text
from streamguard.core.reasons import REASONS, REASONS_VERSION, reasons_for
from streamguard.core.ruling import in_force, rule
from streamguard.core.taking_back import overturn, restore, undo
from tests.made_reviews import AT, flag

NOW_S = 1_000.0
AN_INCIDENT = "1a1d2c3b-4e5f-4a6b-9c8d-0e1f2a3b4c5d"
RULES = Rules()
CUT = {"outcome": "confirmed", "reason_code": "TVEC.ATTACK_LIVE", "action": "cut"}
SUSPEND = CUT | {"action": "cut_and_suspend"}
REJECT = {"outcome": "rejected", "reason_code": "NOTHING.FOUND"}
HOLD = CUT | {"action": "hold"}
ESCALATE = {"outcome": "escalated", "reason_code": "PROCESS.UNSURE"}


def somebody(name: str = "r-1", role: Role = "reviewer") -> Decider:
    return Decider(name, role, token=7, claimed_s=990.0)


def case() -> Case:
    return first_case(flag(1), 900.0)


def ruled(on: Case, who: Decider, rules: Rules = RULES, **choice: Any) -> DecisionData:
    at = (f"d-{len(on.rulings) + 1}", NOW_S)
    return rule(on, Choice.model_validate(choice), who, rules, at)


def after(on: Case, who: Decider, rules: Rules = RULES, **choice: Any) -> Case:
    return with_decision(on, ruled(on, who, rules, **choice))


def test_a_cut_is_made_by_one_person_everywhere_and_cannot_be_undone() -> None:
    made = ruled(case(), somebody(), **CUT)

    assert (made.outcome, made.action, made.proposed) == ("confirmed", "cut", None)
    assert made.scopes == ("live", "recording", "clips")
    assert made.undo_until is None
    assert made.reviewer is not None
    assert (made.reviewer.lease_token, made.reviewer.is_second) == (7, False)
    assert made.appeal is not None
    assert made.appeal.eligible


def test_a_live_stream_is_judged_and_not_put_aside_as_ended() -> None:
    ended = {"outcome": "no_decision_stream_ended", "reason_code": "PROCESS.NOT_SEEN"}

    with pytest.raises(DecisionRefused, match="is live"):
        ruled(case(), somebody(), **ended)
    made = ruled(with_stream(case(), is_live=False), somebody(), **ended)

    assert made.outcome == "no_decision_stream_ended"


def test_what_waits_for_a_second_person_goes_into_no_bank_yet() -> None:
    order = {"bank": "ours"}

    waits, done = (
        ruled(case(), somebody(), **SUSPEND, **order),
        ruled(case(), somebody(), **CUT, **order),
    )

    assert waits.outcome == "needs_second"
    assert waits.banking is None
    assert done.banking is not None
    assert (done.banking.bank, done.banking.entry) == ("ours", f"reviewed-{case().case_id}")


@pytest.mark.parametrize(
    ("choice", "is_owed"),
    [(CUT, True), (HOLD, True), (SUSPEND, True), (REJECT, False), (ESCALATE, False)],
    ids=str,
)
def test_whoever_something_is_done_to_is_owed_the_reasons(
    choice: dict[str, Any], *, is_owed: bool
) -> None:
    made = ruled(case(), somebody(), **choice)

    assert made.notify_user == Notice(required=is_owed)


def test_the_notice_waits_for_so_long_and_for_a_reason() -> None:
    delay = {"notice_delay_s": 3_600, "notice_delay_reason": "investigation"}

    made, nothing = (
        ruled(case(), somebody(), **CUT, **delay),
        ruled(case(), somebody(), **REJECT, **delay),
    )

    assert made.notify_user == Notice(
        required=True, delayed_until=utc_text(NOW_S + 3_600), delay_reason="investigation"
    )
    assert nothing.notify_user == Notice(required=False)


@pytest.mark.parametrize("half", [{"notice_delay_s": 60}, {"notice_delay_reason": "investigation"}])
def test_a_delay_without_a_reason_or_a_reason_without_a_delay_is_refused(
    half: dict[str, Any],
) -> None:
    with pytest.raises(DecisionRefused, match="or neither"):
        ruled(case(), somebody(), **CUT, **half)


def test_evidence_is_preserved_where_something_may_have_been_found() -> None:
    made = [ruled(case(), somebody(), **choice, preserve=True) for choice in (CUT, ESCALATE)]

    assert [one.preserve for one in made] == [True, True]
    assert ruled(case(), somebody(), **CUT).preserve is None
    with pytest.raises(DecisionRefused, match="nothing to preserve"):
        ruled(case(), somebody(), **REJECT, preserve=True)


def test_a_decision_says_by_which_policy_it_was_made_and_what_went_on() -> None:
    who = replace(somebody(), clearance="*", incident_id=AN_INCIDENT)
    rules = Rules(policy_version="our terms of 2026")
    banned = after(case(), who, rules, **HOLD)

    made = [
        ruled(case(), who, rules, **CUT),
        undo(banned, who, rules, ("d-2", NOW_S)),
        restore(banned, who, rules, ("d-2", NOW_S), "CONTEXT.NEWS"),
    ]

    assert {one.policy_version for one in made} == {"our terms of 2026"}
    assert {one.incident_id for one in made} == {AN_INCIDENT}
    assert {one.reviewer.clearance for one in made if one.reviewer} == {"*"}
    assert [one.notify_user for one in made[1:]] == [Notice(required=False)] * 2
    plain = ruled(case(), somebody(), **CUT)
    assert (plain.policy_version, plain.incident_id) == (REASONS_VERSION, None)


@pytest.mark.parametrize("entry", ["christchurch-1", "reviewed-1"])
def test_nobody_names_the_entry_that_is_made(entry: str) -> None:
    with pytest.raises(ValidationError):
        Choice.model_validate(CUT | {"banking": {"bank": "ours", "entry": entry}})


def test_what_was_banked_is_taken_out_by_whoever_rejects_restores_or_overturns() -> None:
    banked = after(case(), somebody(), **CUT, bank="ours")
    escalated = msgspec.structs.replace(banked, stage="escalated")
    who, at = somebody("s-1", "senior"), ("d-2", NOW_S)

    taken_out = [
        restore(banked, who, RULES, at, "CONTEXT.NEWS"),
        overturn(banked, who, RULES, at, "CONTEXT.NEWS"),
        rule(escalated, Choice.model_validate(REJECT), who, RULES, at),
    ]

    assert [one.unbanking for one in taken_out] == [banked.banked] * 3
    assert [one.action for one in taken_out] == ["restore"] * 3
    assert all(one.flag_ids == banked.flag_ids for one in taken_out)
    again = with_decision(banked, taken_out[0])
    assert again.banked is None
    assert overturn(again, who, RULES, ("d-3", NOW_S), "CONTEXT.NEWS").unbanking is None


def test_what_holds_no_more_is_overturned_all_the_same() -> None:
    cut = after(case(), somebody(), **CUT, bank="ours")
    who = somebody("s-1", "senior")
    restored = restore(cut, who, RULES, ("d-2", NOW_S), "CONTEXT.NEWS")
    lifted = with_decision(cut, restored.model_copy(update={"unbanking": None}))

    made = overturn(lifted, who, RULES, ("d-3", NOW_S), "CONTEXT.NEWS")

    assert (made.outcome, made.action, made.scopes) == ("rejected", "none", ())
    assert made.unbanking == cut.banked


def test_evidence_that_is_in_a_bank_stays_in_that_one() -> None:
    banked = after(case(), somebody(), **CUT, bank="ours")
    checked = msgspec.structs.replace(banked, stage="check")

    made = ruled(checked, somebody("r-2"), **CUT, bank="other")

    assert made.banking == banked.banked


def test_what_is_reversible_can_be_undone_for_ten_seconds() -> None:
    held, rejected = ruled(case(), somebody(), **HOLD), ruled(case(), somebody(), **REJECT)

    assert held.undo_until == rejected.undo_until == utc_text(NOW_S + 10)
    assert (rejected.action, rejected.scopes) == ("none", ())
    assert rejected.appeal is not None
    assert not rejected.appeal.eligible


@pytest.mark.parametrize(
    "also",
    [
        {"referral": {"authority": "police", "means": "phone", "told_at": AT}},
        {"bank": "own"},
    ],
)
def test_what_others_were_told_cannot_be_undone(also: dict[str, Any]) -> None:
    assert ruled(case(), somebody(), **HOLD, **also).undo_until is None


def test_what_is_rejected_is_taken_back_wherever_it_was_done() -> None:
    held = after(case(), somebody(), **HOLD, scopes=["live", "clips"])
    again = msgspec.structs.replace(held, stage="escalated")

    made = ruled(again, somebody("s-1", "senior"), **REJECT, scopes=["live"])

    assert (made.action, made.scopes) == ("restore", ("live", "clips"))


def test_an_action_is_done_to_something() -> None:
    with pytest.raises(ValidationError):
        Choice.model_validate(HOLD | {"scopes": []})


def test_a_hold_ends_when_it_was_to_end() -> None:
    made = ruled(case(), somebody(), **HOLD, hold_s=60)

    assert made.expires_at == utc_text(NOW_S + 60)
    assert ruled(case(), somebody(), **CUT, hold_s=60).expires_at is None


def test_a_suspension_waits_for_another_person_and_the_stream_is_held_meanwhile() -> None:
    first = ruled(case(), somebody(), **SUSPEND)
    waiting = with_decision(case(), first)
    second = ruled(waiting, somebody("r-2"), **SUSPEND)

    assert (first.outcome, first.action, first.proposed) == (
        "needs_second",
        "hold",
        "cut_and_suspend",
    )
    assert waiting.stage == "second"
    assert (second.outcome, second.action) == ("confirmed", "cut_and_suspend")
    assert second.supersedes == first.decision_id
    assert second.reviewer is not None
    assert second.reviewer.is_second


@pytest.mark.parametrize("choice", [REJECT, CUT, HOLD])
def test_two_who_disagree_leave_it_to_a_senior(choice: dict[str, str]) -> None:
    waiting = after(case(), somebody(), **SUSPEND)
    senior = somebody("s-1", "senior")

    escalated = after(waiting, somebody("r-2"), **choice)
    confirmed = ruled(escalated, senior, **SUSPEND)
    rejected = ruled(escalated, senior, **REJECT)

    assert escalated.stage == "escalated"
    assert (confirmed.outcome, confirmed.action) == ("confirmed", "cut_and_suspend")
    assert (rejected.outcome, rejected.action) == ("rejected", "restore")
    assert rejected.scopes == ("live", "recording", "clips")


def test_a_senior_alone_suspends_nobody() -> None:
    escalated = after(case(), somebody(), **ESCALATE)

    assert ruled(escalated, somebody("s-1", "senior"), **SUSPEND).outcome == "needs_second"


def test_without_the_rule_one_person_suspends() -> None:
    rules = Rules(two_person=frozenset())

    assert ruled(case(), somebody(), rules, **SUSPEND).action == "cut_and_suspend"


@pytest.mark.parametrize(("share", "drawn"), [(0.0, None), (1.0, True)])
def test_a_lot_draws_none_or_all_at_its_bounds(share: float, drawn: object) -> None:
    made = ruled(case(), somebody(), Rules(check_share=share), **CUT)

    assert made.drawn_for_check is drawn
    assert ruled(case(), somebody(), Rules(check_share=share), **ESCALATE).drawn_for_check is None


def test_a_lot_draws_about_its_share() -> None:
    choice = Choice.model_validate(CUT)
    rules = Rules(check_share=0.25)
    made = [rule(case(), choice, somebody(), rules, (f"d-{n}", NOW_S)) for n in range(2_000)]

    assert 400 < sum(one.drawn_for_check is True for one in made) < 600


def test_a_second_look_by_lot_changes_nothing_where_it_agrees_and_is_a_seniors_where_not() -> None:
    drawn = after(case(), somebody(), Rules(check_share=1.0), **CUT)

    agreed = ruled(drawn, somebody("r-2"), **CUT)
    differed = ruled(drawn, somebody("r-2"), **REJECT)

    assert (agreed.outcome, agreed.action, agreed.drawn_for_check) == ("confirmed", "none", None)
    assert with_decision(drawn, agreed).stage == "decided"
    assert (differed.outcome, differed.action) == ("escalated", "none")


NOTHING = {"outcome": "confirmed", "reason_code": "TVEC.ATTACK_LIVE", "action": "none"}


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (NOTHING, NOTHING, "confirmed"),
        (NOTHING, CUT, "escalated"),
        (CUT, NOTHING, "escalated"),
        (HOLD, CUT, "escalated"),
        (HOLD, HOLD, "confirmed"),
        (REJECT, REJECT, "rejected"),
        (REJECT, CUT, "escalated"),
    ],
)
def test_a_second_look_that_wants_something_else_done_does_not_agree(
    first: dict[str, str], second: dict[str, str], outcome: str
) -> None:
    drawn = after(case(), somebody(), Rules(check_share=1.0), **first)

    made = ruled(drawn, somebody("r-2"), **second)

    assert (made.outcome, made.action) == (outcome, "none")


def test_what_was_marked_does_not_end_before_it_begins() -> None:
    marks = {"onset_epoch": 0, "onset_pts_ms": 5_000}

    made = ruled(case(), somebody(), **CUT, **marks, end_pts_ms=5_000)

    assert made.end_pts_ms == made.onset_pts_ms
    with pytest.raises(DecisionRefused, match="ends before"):
        ruled(case(), somebody(), **CUT, **marks, end_pts_ms=4_999)


@pytest.mark.parametrize(
    ("stage", "who", "choice", "problem"),
    [
        ([CUT], somebody("r-2"), CUT, "decided"),
        ([], somebody("a-1", "auditor"), CUT, "decides no cases"),
        ([], somebody("o-1", "operator"), CUT, "decides no cases"),
        ([], somebody("a-1", "administrator"), CUT, "decides no cases"),
        ([ESCALATE], somebody("r-2"), CUT, "a senior's"),
        ([SUSPEND], somebody("r-1"), SUSPEND, "another person"),
        ([], somebody(), CUT | {"reason_code": "CONTEXT.NEWS"}, "no reason for confirmed"),
        ([], somebody(), REJECT | {"reason_code": "TVEC.GLORIFY"}, "no reason for rejected"),
        ([], somebody(), REJECT | {"reason_code": "NO.SUCH"}, "no reason for rejected"),
        ([], somebody(), REJECT | {"action": "cut"}, "only where something was confirmed"),
        ([], somebody(), REJECT | {"action": "hold"}, "nothing was found"),
        ([], somebody(), CUT | {"action": "restore"}, "could be restored"),
        ([], somebody(), REJECT | {"bank": "b"}, "only what was"),
    ],
)
def test_a_choice_that_is_not_ones_to_make_is_refused(
    stage: list[dict[str, str]], who: Decider, choice: dict[str, Any], problem: str
) -> None:
    on = case()
    for earlier in stage:
        on = after(on, somebody(), **earlier)

    with pytest.raises(DecisionRefused, match=problem):
        ruled(on, who, **choice)


def test_an_exception_goes_on_record_with_the_code_that_stands_for_it() -> None:
    made = ruled(case(), somebody(), outcome="rejected", reason_code="CONTEXT.SATIRE")
    more = ruled(
        case(), somebody(), outcome="rejected", reason_code="CONTEXT.NEWS", context=["newsworthy"]
    )

    assert made.context == ("satire",)
    assert more.context == ("newsworthy",)


def test_an_undone_hold_is_restored_and_the_case_open_again() -> None:
    held = after(case(), somebody(), **HOLD)

    undone = undo(held, somebody(), RULES, ("d-2", NOW_S + 10))
    again = with_decision(held, undone)

    assert (undone.outcome, undone.action, undone.supersedes) == ("undone", "restore", "d-1")
    assert again.stage == "open"
    assert in_force(again) is None
    assert with_decision(again, ruled(again, somebody(), **CUT)).stage == "decided"


def test_an_undone_rejection_does_nothing_to_the_stream() -> None:
    undone = undo(after(case(), somebody(), **REJECT), somebody(), RULES, ("d-2", NOW_S))

    assert (undone.action, undone.scopes) == ("none", ())


@pytest.mark.parametrize(
    ("choice", "who", "at_s"),
    [
        (HOLD, somebody("r-2"), NOW_S),
        (HOLD, somebody(), NOW_S + 10.001),
        (CUT, somebody(), NOW_S),
    ],
)
def test_nobody_undoes_late_or_for_others_or_what_cannot_be(
    choice: dict[str, str], who: Decider, at_s: float
) -> None:
    with pytest.raises(DecisionRefused):
        undo(after(case(), somebody(), **choice), who, RULES, ("d-2", at_s))


def test_nothing_is_undone_where_nothing_was_decided_or_twice() -> None:
    held = after(case(), somebody(), **HOLD)
    undone = with_decision(held, undo(held, somebody(), RULES, ("d-2", NOW_S)))

    for on in (case(), undone):
        with pytest.raises(DecisionRefused):
            undo(on, somebody(), RULES, ("d-3", NOW_S))


def test_a_cut_stream_can_be_restored_at_any_time_and_once() -> None:
    cut = after(case(), somebody(), **CUT)

    made = restore(cut, somebody("s-1", "senior"), RULES, ("d-2", 9e8), "CONTEXT.NEWS")

    assert (made.outcome, made.action) == ("rejected", "restore")
    with pytest.raises(DecisionRefused):
        restore(with_decision(cut, made), somebody(), RULES, ("d-3", 9e8), "CONTEXT.NEWS")


def test_every_outcome_has_reasons_and_every_reason_an_outcome() -> None:
    outcomes = {
        "confirmed",
        "rejected",
        "not_tvec_other_policy",
        "escalated",
        "no_decision_stream_ended",
    }

    assert {one for reason in REASONS.values() for one in reason.outcomes} == outcomes
    assert set(reasons_for("no_decision_stream_ended")) == {"PROCESS.NOT_SEEN"}


@pytest.mark.parametrize("action", ["hold", "limit_reach", "cut_and_suspend"])
def test_a_hold_ends_when_the_rules_say_so_where_nobody_says_for_how_long(action: str) -> None:
    made = ruled(case(), somebody(), **(CUT | {"action": action}), rules=Rules(hold_s=90.0))

    assert made.expires_at == utc_text(NOW_S + 90)
