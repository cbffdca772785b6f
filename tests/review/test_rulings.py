from pathlib import Path

import pytest

from streamguard.core.choosing import Choice, Rules
from streamguard.core.decision_data import ThresholdHint
from streamguard.core.errors import CaseTaken, DecisionRefused
from streamguard.core.events import Topic
from streamguard.core.people import Person
from streamguard.core.review_events import decision_event
from streamguard.review.desk import LEASE_S
from streamguard.review.incidents import Declared, Incidents
from tests.core_fakes import SOURCE
from tests.made_reviews import decision, flag, flag_opened
from tests.review.bench import (
    ANNA,
    AUDITOR,
    BEN,
    CUT,
    ESCALATE,
    HOLD,
    REJECT,
    SENIOR,
    SUSPEND,
    Bench,
)


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.tell(flag_opened(flag(1)))
    return bench


def decided(bench: Bench) -> list[str]:
    return [record.body for record in bench.log.read(1, Topic.DECISIONS)]


def test_a_decision_is_in_the_log_and_the_case_is_nobodys(bench: Bench) -> None:
    claimed = bench.claim(ANNA)

    made = bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, CUT)

    assert decided(bench) == [decision_event(SOURCE, made, recorded_s=bench.clock.wall()).to_json()]
    assert (made.actor, made.action) == ("anna", "cut")
    assert bench.cases()[0].stage == "decided"
    assert bench.desk.held() == {}
    assert bench.rulings.of_case(AUDITOR, claimed.case.case_id) == [made]


def test_without_a_lease_nothing_is_decided_and_the_try_is_on_record(bench: Bench) -> None:
    [case] = bench.cases()

    with pytest.raises(CaseTaken, match="not in your hands"):
        bench.rulings.decide(ANNA, case.case_id, 0, CUT)

    assert decided(bench) == []
    assert bench.deeds() == [("anna", "case.decided", True)]


def test_a_lease_that_has_ended_decides_nothing_even_when_nobody_took_the_case(
    bench: Bench,
) -> None:
    claimed = bench.claim(ANNA)
    bench.clock.advance(LEASE_S)

    with pytest.raises(CaseTaken, match="has ended"):
        bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, CUT)

    assert decided(bench) == []


def test_of_two_who_decide_the_one_with_the_later_lease_wins_and_both_are_on_record(
    bench: Bench,
) -> None:
    early = bench.claim(ANNA)
    bench.clock.advance(LEASE_S)
    late = bench.claim(BEN)

    with pytest.raises(CaseTaken):
        bench.rulings.decide(ANNA, early.case.case_id, early.lease.token, REJECT)
    with pytest.raises(CaseTaken):
        bench.rulings.decide(ANNA, early.case.case_id, late.lease.token, REJECT)
    made = bench.rulings.decide(BEN, late.case.case_id, late.lease.token, CUT)

    assert made.actor == "ben"
    assert len(decided(bench)) == 1
    assert [deed for deed in bench.deeds() if deed[1] == "case.decided"] == [
        ("anna", "case.decided", True),
        ("anna", "case.decided", True),
        ("ben", "case.decided", False),
    ]


def test_a_decision_that_another_process_made_meanwhile_stands(bench: Bench) -> None:
    claimed = bench.claim(ANNA)
    other = decision(decision_id="d-rule", case_id=claimed.case.case_id)
    bench.tell(decision_event(SOURCE, other, recorded_s=1.0))

    with pytest.raises(DecisionRefused, match="decided"):
        bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, REJECT)

    assert len(decided(bench)) == 1


def test_a_choice_that_is_refused_leaves_the_case_in_hand(bench: Bench) -> None:
    claimed = bench.claim(ANNA)
    wrong = CUT.model_copy(update={"reason_code": "CONTEXT.NEWS"})

    with pytest.raises(DecisionRefused):
        bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, wrong)

    assert bench.claim(ANNA).lease == claimed.lease


def test_a_hold_is_undone_by_whoever_made_it_within_ten_seconds(bench: Bench) -> None:
    claimed = bench.claim(ANNA)
    case_id = claimed.case.case_id
    bench.rulings.decide(ANNA, case_id, claimed.lease.token, HOLD)
    with pytest.raises(DecisionRefused):
        bench.rulings.undo(BEN, case_id)
    bench.clock.advance(10)

    undone = bench.rulings.undo(ANNA, case_id)

    assert (undone.outcome, undone.action) == ("undone", "restore")
    assert undone.reviewer is not None
    assert undone.reviewer.lease_token == claimed.lease.token
    assert bench.claim(BEN).case.case_id == case_id


def test_after_ten_seconds_nothing_is_undone(bench: Bench) -> None:
    claimed = bench.claim(ANNA)
    bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, HOLD)
    bench.clock.advance(10.001)

    with pytest.raises(DecisionRefused, match="no more"):
        bench.rulings.undo(ANNA, claimed.case.case_id)


def test_nothing_is_undone_that_nobody_decided(bench: Bench) -> None:
    [case] = bench.cases()

    with pytest.raises(DecisionRefused):
        bench.rulings.undo(ANNA, case.case_id)


def test_a_senior_restores_what_was_cut_and_nobody_else_does(bench: Bench) -> None:
    claimed = bench.claim(ANNA)
    case_id = claimed.case.case_id
    bench.rulings.decide(ANNA, case_id, claimed.lease.token, CUT)

    with pytest.raises(DecisionRefused, match="a senior"):
        bench.rulings.restore(ANNA, case_id, "CONTEXT.NEWS")
    with pytest.raises(DecisionRefused, match="no reason"):
        bench.rulings.restore(SENIOR, case_id, "TVEC.GLORIFY")
    made = bench.rulings.restore(SENIOR, case_id, "CONTEXT.NEWS")

    assert (made.outcome, made.action, made.scopes) == (
        "rejected",
        "restore",
        ("live", "recording", "clips"),
    )
    with pytest.raises(DecisionRefused, match="nothing was done"):
        bench.rulings.restore(SENIOR, case_id, "CONTEXT.NEWS")


def test_two_people_suspend(bench: Bench) -> None:
    first = bench.claim(ANNA)
    proposed = bench.rulings.decide(ANNA, first.case.case_id, first.lease.token, SUSPEND)
    second = bench.claim(BEN)
    made = bench.rulings.decide(BEN, second.case.case_id, second.lease.token, SUSPEND)

    assert (proposed.outcome, proposed.action) == ("needs_second", "hold")
    assert (made.outcome, made.action, made.supersedes) == (
        "confirmed",
        "cut_and_suspend",
        proposed.decision_id,
    )


def test_a_case_that_was_escalated_is_decided_by_a_senior(bench: Bench) -> None:
    first = bench.claim(ANNA)
    bench.rulings.decide(ANNA, first.case.case_id, first.lease.token, ESCALATE)
    second = bench.claim(SENIOR)

    made = bench.rulings.decide(SENIOR, second.case.case_id, second.lease.token, CUT)

    assert made.outcome == "confirmed"


def test_a_second_look_by_lot_waits_behind_all_else(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "lot", Rules(check_share=1.0))
    bench.tell(flag_opened(flag(1, severity="P0")))
    first = bench.claim(ANNA)
    bench.rulings.decide(ANNA, first.case.case_id, first.lease.token, CUT)
    bench.tell(flag_opened(flag(2, session="s-2", severity="P3")))

    before = bench.claim(BEN)
    bench.rulings.decide(BEN, before.case.case_id, before.lease.token, ESCALATE)
    after = bench.claim(BEN)
    made = bench.rulings.decide(BEN, after.case.case_id, after.lease.token, CUT)
    stages = {case.case_id: case.stage for case in bench.cases()}
    bench.close()

    assert before.case.severity == "P3"
    assert (after.case.case_id, after.case.stage) == (first.case.case_id, "check")
    assert (made.action, made.reviewer is not None and made.reviewer.is_second) == ("none", True)
    assert stages[after.case.case_id] == "decided"


def test_what_let_somebody_see_the_case_and_what_went_on_is_on_record(bench: Bench) -> None:
    incidents = Incidents(bench.desk)
    for hours in (2, 1):
        said = Declared(name=f"for {hours} h", differs="cut first", hours=hours)
        declared = incidents.declare(SENIOR, said)
        bench.clock.advance(1)
    narrow = Person("nora", "reviewer", frozenset({"music", "tvec"}))
    claimed = bench.claim(narrow)
    case_id = claimed.case.case_id

    held = bench.rulings.decide(narrow, case_id, claimed.lease.token, HOLD)
    undone = bench.rulings.undo(narrow, case_id)
    incidents.end(SENIOR, declared.incident_id)
    again = bench.claim(ANNA)
    cut = bench.rulings.decide(ANNA, case_id, again.lease.token, CUT)
    restored = bench.rulings.restore(SENIOR, case_id, "CONTEXT.NEWS")

    made = [held, undone, cut, restored]
    assert [one.reviewer.clearance for one in made if one.reviewer] == ["tvec", "tvec", "*", "*"]
    [still] = incidents.active()
    last, first = declared.incident_id, still.incident_id
    assert [one.incident_id for one in made] == [last, last, first, first]
    assert bench.rulings.of_case(AUDITOR, case_id) == made


def test_a_match_that_was_wrong_says_which_bound_would_have_kept_it_out(bench: Bench) -> None:
    wrong = Choice(outcome="rejected", reason_code="ERROR.WRONG_MATCH")
    claimed = bench.claim(ANNA)

    made = bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, wrong)

    hint = ThresholdHint(source="shared", name="clip", kind="distance_bits", found=12)
    assert made.threshold_hint == hint
    assert bench.rulings.of_case(AUDITOR, claimed.case.case_id) == [made]
