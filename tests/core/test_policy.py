import pytest

from streamguard.core.policy import CategoryRule, HashRule, Policy
from streamguard.core.types import MATCH_DISTANCE_BITS, MIN_QUALITY, Match, Severity
from tests.core_fakes import picture, view


def match(distance_bits: int) -> Match:
    return Match("known", "film", "TVEC-TEST", "full", distance_bits, 0)


@pytest.mark.parametrize(
    ("distance_bits", "quality", "is_accepted"),
    [
        (MATCH_DISTANCE_BITS, MIN_QUALITY, True),
        (MATCH_DISTANCE_BITS + 1, MIN_QUALITY, False),
        (MATCH_DISTANCE_BITS, MIN_QUALITY - 1, False),
    ],
)
def test_a_rule_accepts_within_its_bounds(
    distance_bits: int, quality: int, *, is_accepted: bool
) -> None:
    seen = view(picture(1), quality=quality)

    assert HashRule().accepts(match(distance_bits), seen) is is_accepted


@pytest.mark.parametrize(
    ("distance_bits", "quality", "is_accepted"), [(12, 70, True), (13, 70, False), (12, 69, False)]
)
def test_a_rule_may_be_stricter(distance_bits: int, quality: int, *, is_accepted: bool) -> None:
    rule = HashRule(max_distance_bits=12, min_quality=70)

    assert rule.accepts(match(distance_bits), view(picture(1), quality=quality)) is is_accepted


def test_without_a_policy_one_match_opens_a_flag_of_high_severity() -> None:
    rule = Policy().hash_rule("TVEC-TEST")

    assert rule == HashRule(Severity.P1, MATCH_DISTANCE_BITS, MIN_QUALITY, min_votes=1)


def test_each_code_has_its_own_rule_and_others_the_default() -> None:
    strict, default = HashRule(max_distance_bits=10), HashRule(min_votes=2)
    policy = Policy(default=default, banks={"TVEC-TEST": strict})

    assert policy.hash_rule("TVEC-TEST") is strict
    assert policy.hash_rule("TVEC-OTHER") is default


def test_a_policy_is_ready_for_categories_of_a_model() -> None:
    policy = Policy(categories={"weapon": CategoryRule()})

    assert policy.categories["weapon"] == CategoryRule(Severity.P2, None)
