"""Which bound would have kept a mistake out."""

import pytest

from streamguard.core.decision_data import ThresholdHint
from streamguard.core.event_data import FlagData
from streamguard.core.hints import BLAMED, WRONG_MATCH, WRONG_SCORE, hint_of
from streamguard.core.reasons import REASONS
from tests.made_reviews import flag


def matched(distance_bits: int, entry: str) -> FlagData:
    [signal] = flag(entry=entry).signals
    assert signal.match is not None
    match = signal.match.model_copy(update={"distance_bits": distance_bits})
    return flag(1, signals=[{"detector": "hash", "match": match}])


def scored(*scores: float) -> FlagData:
    named = [
        {"model": "m", "version": "1", "category": f"c{score}", "score": score}
        | {"threshold": 0.5, "votes": 2}
        for score in scores
    ]
    return flag(2, signals=[{"detector": "classifier", "score": one} for one in named])


def test_the_nearest_match_is_told_where_a_match_was_wrong() -> None:
    hint = hint_of(WRONG_MATCH, [matched(20, "far"), matched(18, "near"), scored(0.9)])

    assert hint == ThresholdHint(source="shared", name="near", kind="distance_bits", found=18)


def test_the_highest_score_is_told_where_a_model_was_wrong() -> None:
    hint = hint_of(WRONG_SCORE, [matched(3, "near"), scored(0.7, 0.9, 0.8)])

    assert hint == ThresholdHint(source="m", name="c0.9", kind="score", found=0.9)


@pytest.mark.parametrize("code", sorted(set(REASONS) - BLAMED))
def test_no_other_reason_blames_a_bound(code: str) -> None:
    assert hint_of(code, [matched(3, "near"), scored(0.9)]) is None


def test_what_is_blamed_and_found_nothing_gives_no_hint() -> None:
    assert set(REASONS) >= BLAMED == {WRONG_MATCH, WRONG_SCORE}
    assert hint_of(WRONG_MATCH, [scored(0.9)]) is None
    assert hint_of(WRONG_SCORE, [matched(3, "near")]) is None
    assert hint_of(WRONG_SCORE, []) is None
