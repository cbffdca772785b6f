from typing import Any

import pytest

from loadtest.console_truth import Arrived, Notes, Truth
from streamguard.core.audit import Deed, Head, chained
from streamguard.core.audit_data import AuditData
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import utc_text
from tests.made_reviews import decision, flag_id

LEASE_S = 10.0
URGENT, OTHER = flag_id(1), flag_id(2)
ARRIVED = {URGENT: Arrived(0, 100.0), OTHER: Arrived(2, 100.0)}


def done(
    action: str, case_id: str, at_s: float, *, seq: int = 7, by: str = "r-1", **details: Any
) -> AuditData:
    deed = Deed(by, action, case_id, details=details)
    return chained(deed, Head(seq, "0" * 64), utc_text(at_s))


def claimed(case_id: str, at_s: float, **how: Any) -> AuditData:
    return done("case.claimed", case_id, at_s, **how)


def decided(case_id: str, at_s: float, **changes: Any) -> DecisionData:
    fields = {"case_id": case_id, "decided_at": utc_text(at_s), "action": "none", "scopes": []}
    return decision(**(fields | changes))


def truth_of(*events: object, notes: Notes | None = None) -> Truth:
    truth = Truth(LEASE_S, notes or Notes(sent_s={7: 200.0}))
    truth.arrive(ARRIVED)
    truth.take(events)
    return truth


def test_all_decided_once_is_good_and_what_is_left_is_lost() -> None:
    all_of_it = [
        claimed(URGENT, 200.0),
        decided(URGENT, 201.0),
        done("case.decided", URGENT, 201.0, seq=8, token=7),
        decided(OTHER, 202.0),
    ]

    assert truth_of(*all_of_it).is_good
    assert truth_of(*all_of_it[:-1]).undecided == [OTHER]
    assert not truth_of(*all_of_it[:-1]).is_good
    assert list(truth_of(*all_of_it[:-1]).told()) == [f"never decided: {OTHER}"]


def test_two_decisions_that_follow_the_same_one_are_seen() -> None:
    first, second = decided(URGENT, 200.0), decided(URGENT, 201.0, decision_id="d-2")
    after = second.model_copy(update={"supersedes": "d-1"})

    assert truth_of(first, second).decided_twice == ["d-2"]
    assert truth_of(first, after).decided_twice == []


@pytest.mark.parametrize(
    ("by", "token", "stale"), [("r-1", 7, []), ("r-1", 6, [8]), ("r-2", 7, [8])]
)
def test_a_decision_under_another_lease_than_the_last_is_seen(
    by: str, token: int, stale: list[int]
) -> None:
    made = done("case.decided", URGENT, 201.0, seq=8, by=by, token=token)

    assert truth_of(claimed(URGENT, 200.0), made).stale == stale


@pytest.mark.parametrize(("sent_s", "passed_over"), [(100.0, []), (100.1, [7])])
def test_a_case_waits_with_another_from_its_commit_before_the_request(
    sent_s: float, passed_over: list[int]
) -> None:
    truth = truth_of(claimed(OTHER, 200.0), notes=Notes(sent_s={7: sent_s}))

    assert (truth.out_of_order, truth.n_checked) == (passed_over, 1)
    told = f"audit record 7 passed over {URGENT}"
    assert (told in truth.told()) is bool(passed_over)


def test_a_claim_that_was_never_answered_is_not_judged() -> None:
    assert truth_of(claimed(OTHER, 200.0), notes=Notes()).n_checked == 0


@pytest.mark.parametrize(("sent_s", "passed_over"), [(210.0, []), (210.1, [9])])
def test_what_was_in_hand_waits_again_once_its_lease_has_ended(
    sent_s: float, passed_over: list[int]
) -> None:
    notes = Notes(sent_s={7: 199.0, 9: sent_s})
    truth = truth_of(claimed(URGENT, 200.0), claimed(OTHER, 211.0, seq=9, by="r-2"), notes=notes)

    assert truth.out_of_order == passed_over


def test_a_lease_that_was_prolonged_ends_later() -> None:
    notes = Notes(sent_s={9: 215.0}, until_s={7: 220.0})
    events = claimed(URGENT, 200.0), claimed(OTHER, 215.0, seq=9, by="r-2")

    assert truth_of(*events, notes=notes).out_of_order == []


@pytest.mark.parametrize(("by", "passed_over"), [("r-1", []), ("r-2", [9])])
def test_what_somebody_skipped_waits_for_others_alone(by: str, passed_over: list[int]) -> None:
    skipped = claimed(URGENT, 200.0), done("case.skipped", URGENT, 201.0, seq=8)
    notes = Notes(sent_s={9: 202.0})

    truth = truth_of(*skipped, claimed(OTHER, 202.0, seq=9, by=by), notes=notes)

    assert truth.out_of_order == passed_over


@pytest.mark.parametrize(
    ("outcome", "by", "passed_over"),
    [
        ("needs_second", "r-1", []),
        ("needs_second", "r-2", [9]),
        ("escalated", "r-2", []),
        ("escalated", "r-3", [9]),
        ("confirmed", "r-2", []),
    ],
)
def test_what_was_judged_once_waits_for_whoever_may_judge_it(
    outcome: str, by: str, passed_over: list[int]
) -> None:
    proposed = {"proposed": "cut"} if outcome == "needs_second" else {}
    made = decided(URGENT, 201.0, outcome=outcome, **proposed)
    notes = Notes(frozenset({"r-3"}), sent_s={9: 202.0})

    truth = truth_of(made, claimed(OTHER, 202.0, seq=9, by=by), notes=notes)

    assert truth.out_of_order == passed_over


@pytest.mark.parametrize(("sent_s", "passed_over"), [(212.0, []), (212.1, [9])])
def test_what_is_taken_back_while_another_has_it_in_hand_waits_for_no_third(
    sent_s: float, passed_over: list[int]
) -> None:
    made = decided(URGENT, 201.0, outcome="escalated")
    undone = decided(URGENT, 203.0, outcome="undone", decision_id="d-2", supersedes="d-1")
    notes = Notes(frozenset({"r-2"}), sent_s={8: 201.5, 9: sent_s})
    events = (made, claimed(URGENT, 202.0, seq=8, by="r-2"), undone)

    truth = truth_of(*events, claimed(OTHER, 213.0, seq=9, by="r-3"), notes=notes)

    assert truth.out_of_order == passed_over


def test_a_second_look_by_lot_comes_after_all_others() -> None:
    drawn = decided(URGENT, 150.0, drawn_for_check=True)
    notes = Notes(sent_s={7: 200.0, 9: 202.0})

    early = truth_of(drawn, claimed(URGENT, 200.0, by="r-2"), notes=notes)
    late = truth_of(drawn, claimed(OTHER, 202.0, seq=9, by="r-2"), notes=notes)

    assert (early.out_of_order, late.out_of_order) == ([7], [])


def test_what_was_taken_back_waits_for_everybody_again() -> None:
    made = decided(URGENT, 150.0, undo_until=utc_text(160.0))
    undone = decided(URGENT, 155.0, outcome="undone", supersedes="d-1", decision_id="d-2")

    assert truth_of(made, undone, claimed(OTHER, 200.0)).out_of_order == [7]
