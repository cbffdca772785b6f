from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.decision import Decision, ModelFinding
from streamguard.core.model import Scores
from streamguard.core.policy import CategoryRule, Policy
from streamguard.core.scores import NEEDED, WINDOW, ScoreJudge
from streamguard.core.types import Severity
from tests.fake_classifier import CATEGORY, SPEC

SECOND = 1_000_000
HIGH, LOW = 0.9, 0.1


def judge_of(policy: Policy | None = None) -> ScoreJudge:
    return ScoreJudge(SPEC, policy or Policy())


def scores(number: int, score: float, *, epoch: int = 0) -> Scores:
    return Scores(epoch, number * SECOND, number + 0.5, {CATEGORY: score})


def verdicts(judge: ScoreJudge, *values: float, epoch: int = 0) -> list[int]:
    """Judge a run of samples; give the numbers of those that are positive."""
    return [
        number
        for number, value in enumerate(values)
        if judge.judge(scores(number, value, epoch=epoch))
    ]


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        ((HIGH,), []),
        ((HIGH, LOW, LOW), []),
        ((HIGH, HIGH), [1]),
        ((HIGH, LOW, HIGH), [2]),
        ((HIGH, LOW, LOW, HIGH), []),
        ((HIGH, HIGH, LOW), [1]),
        ((HIGH, HIGH, LOW, HIGH), [1, 3]),
        ((LOW, HIGH, HIGH, HIGH), [2, 3]),
        ((HIGH, LOW, LOW) * 5, []),
        ((HIGH, LOW) * 3, [2, 4]),
    ],
)
def test_two_of_three_samples_in_a_row_are_a_decision(
    values: tuple[float, ...], positive: list[int]
) -> None:
    """And it falls on a sample that is itself over the threshold."""
    assert verdicts(judge_of(), *values) == positive


def test_the_threshold_is_inclusive() -> None:
    assert verdicts(judge_of(), 0.6, 0.6) == [1]
    assert verdicts(judge_of(), 0.6, 0.599999) == []


def test_a_decision_says_what_the_model_found() -> None:
    judge = judge_of()
    judge.judge(scores(1, 0.7))

    (decision,) = judge.judge(scores(2, 0.8))

    assert decision == Decision(
        category=CATEGORY,
        severity=Severity.P2,
        epoch=0,
        pts_us=2 * SECOND,
        read_at_s=2.5,
        finding=ModelFinding("fake", "1.0", CATEGORY, 0.8, 0.6),
        votes=2,
    )
    assert decision.is_certain


def test_its_votes_are_the_samples_of_the_last_three_that_agree() -> None:
    judge = judge_of()

    votes = [
        decision.votes
        for number, score in enumerate((HIGH, HIGH, HIGH, HIGH, LOW, HIGH))
        for decision in judge.judge(scores(number, score))
    ]

    assert votes == [2, 3, 3, 2]


def test_the_policy_decides_where_it_names_the_category() -> None:
    policy = Policy(categories={CATEGORY: CategoryRule(Severity.P0, 0.75)})
    judge = judge_of(policy)

    assert verdicts(judge, 0.74, 0.74) == []
    judge.judge(scores(3, 0.75))
    (decision,) = judge.judge(scores(4, 0.75))
    assert decision.severity is Severity.P0
    assert isinstance(decision.finding, ModelFinding)
    assert decision.finding.threshold == 0.75


def test_a_rule_that_names_only_a_severity_leaves_the_packs_threshold() -> None:
    judge = judge_of(Policy(categories={CATEGORY: CategoryRule(Severity.P0)}))

    assert verdicts(judge, 0.59, 0.59) == []
    judge.judge(scores(3, 0.6))
    (decision,) = judge.judge(scores(4, 0.6))
    assert decision.severity is Severity.P0


def test_a_decision_says_what_the_model_says_of_labels_that_speak_against_it() -> None:
    rule = CategoryRule(exonerating=("other", "red", "not a label of it"))
    judge = judge_of(Policy(categories={CATEGORY: rule}))
    judge.judge(Scores(0, 0, 0.0, {CATEGORY: HIGH}, {"other": 0.3}))

    (found,) = judge.judge(Scores(0, SECOND, 1.0, {CATEGORY: HIGH}, {"other": 0.7}))

    assert isinstance(found.finding, ModelFinding)
    assert found.finding.against == (("other", 0.7), ("red", HIGH))


def test_where_the_policy_calls_nothing_exonerating_nothing_is_told() -> None:
    judge = judge_of()
    judge.judge(Scores(0, 0, 0.0, {CATEGORY: HIGH}, {"other": 0.3}))

    (found,) = judge.judge(Scores(0, SECOND, 1.0, {CATEGORY: HIGH}, {"other": 0.7}))

    assert isinstance(found.finding, ModelFinding)
    assert found.finding.against == ()


def test_a_rule_for_another_category_changes_nothing() -> None:
    judge = judge_of(Policy(categories={"another": CategoryRule(Severity.P0, 0.01)}))

    assert verdicts(judge, 0.59, 0.59) == []
    assert verdicts(judge, 0.6, 0.6) == [1]


def test_a_new_timeline_begins_with_nothing_seen() -> None:
    judge = judge_of()
    judge.judge(scores(9, HIGH, epoch=0))

    assert verdicts(judge, HIGH, epoch=1) == []


def test_each_category_is_judged_by_itself() -> None:
    spec = replace(SPEC, thresholds={"blood": 0.5, "weapon": 0.9})
    judge = ScoreJudge(spec, Policy())

    def found(number: int, by_category: Mapping[str, float]) -> list[str]:
        return [one.category for one in judge.judge(Scores(0, number, 0.0, by_category))]

    assert found(1, {"blood": 0.5, "weapon": 0.5}) == []
    assert found(2, {"blood": 0.5, "weapon": 0.9}) == ["blood"]
    assert found(3, {"blood": 0.1, "weapon": 0.9}) == ["weapon"]
    assert found(4, {"blood": 0.6, "weapon": 0.95}) == ["blood", "weapon"]


@given(values=st.lists(st.sampled_from([LOW, 0.59, 0.6, HIGH]), max_size=30))
def test_a_sample_is_positive_where_it_and_another_near_it_reach_the_threshold(
    values: list[float],
) -> None:
    reached = [value >= 0.6 for value in values]

    expected = [
        number
        for number in range(len(values))
        if reached[number] and sum(reached[max(0, number - WINDOW + 1) : number + 1]) >= NEEDED
    ]

    assert verdicts(judge_of(), *values) == expected
