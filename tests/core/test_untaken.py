import msgspec
import pytest

from streamguard.core.case_changes import first_case, with_decision, with_stream
from streamguard.core.cases import Case, Stage
from streamguard.core.event_data import utc_text
from streamguard.core.priority import priority, urgency_class
from streamguard.core.untaken import UNTAKEN_AFTER_S, UNTAKEN_FOR_S, is_to_end, untaken
from tests.made_reviews import decision, flag

DECIDED_S = 1_000.0
LATER_S = DECIDED_S + UNTAKEN_AFTER_S


def cut(**changes: object) -> Case:
    """Give a case of a live stream that was cut."""
    return ruled(first_case(flag(1, severity="P2"), 900.0), "d-1", **changes)


def ruled(case: Case, decision_id: str, **changes: object) -> Case:
    latest = case.ruling.decision_id if case.ruling else None
    made = decision(
        decision_id=decision_id,
        case_id=case.case_id,
        supersedes=latest,
        **({"decided_at": utc_text(DECIDED_S)} | changes),
    )
    return with_decision(case, made)


@pytest.mark.parametrize(
    ("now_s", "is_said"),
    [
        (LATER_S - 0.001, False),
        (LATER_S, True),
        (DECIDED_S + UNTAKEN_FOR_S - 0.001, True),
        (DECIDED_S + UNTAKEN_FOR_S, False),
    ],
)
def test_a_cut_is_waited_for_ten_seconds_and_asked_for_a_day(
    now_s: float, *, is_said: bool
) -> None:
    assert is_to_end(cut(), now_s) == is_said


@pytest.mark.parametrize(("after_s", "is_said"), [(60.0, True), (60.001, False), (0.0, False)])
def test_who_acts_by_other_means_sets_how_long_is_waited_or_that_nothing_is(
    after_s: float, *, is_said: bool
) -> None:
    assert is_to_end(cut(), DECIDED_S + 60, after_s) == is_said


@pytest.mark.parametrize(
    ("action", "is_said"),
    [("hold", True), ("cut", True), ("limit_reach", False), ("restore", False)],
)
def test_only_what_is_to_be_off_the_air_is_asked_for(action: str, *, is_said: bool) -> None:
    assert is_to_end(cut(action=action), LATER_S) == is_said


def test_what_is_done_to_the_recording_alone_leaves_the_stream_where_it_is() -> None:
    assert not is_to_end(cut(scopes=["recording"]), LATER_S)


def test_a_stream_that_has_ended_needs_nobody() -> None:
    assert not is_to_end(with_stream(cut(), is_live=False), LATER_S)


def test_what_was_taken_back_needs_nobody_and_a_second_opinion_changes_nothing() -> None:
    seconded = ruled(cut(), "d-2", action="none", scopes=[])
    restored = ruled(cut(), "d-2", action="restore", outcome="rejected")

    assert is_to_end(seconded, LATER_S)
    assert not is_to_end(restored, LATER_S)


@pytest.mark.parametrize(
    ("stage", "waits_as"),
    [
        ("decided", "escalated"),
        ("check", "escalated"),
        ("second", "second"),
        ("escalated", "escalated"),
    ],
)
def test_who_was_settled_waits_for_a_senior_and_comes_first(stage: Stage, waits_as: Stage) -> None:
    before = msgspec.structs.replace(cut(), stage=stage)

    case = untaken(before)

    assert (case.stage, case.not_done, urgency_class(case)) == (waits_as, "not_begun", 0)
    assert case.stage_s == (LATER_S if stage in {"decided", "check"} else before.stage_s)
    said = [term.text for term in priority(case, LATER_S).terms if term.name == "action"]
    assert said == ["it is to be off the air, and nobody has begun to carry that out"]
