from dataclasses import replace

from streamguard.core.policy import CategoryRule, HashRule, Policy
from streamguard.core.types import MATCH_DISTANCE_BITS, MIN_QUALITY, Limits, Match, Severity


def test_what_a_match_must_keep_is_its_rule_joined_with_its_banks_limits() -> None:
    rule = HashRule(max_distance_bits=20, min_quality=70, min_votes=2)
    policy = Policy(banks={"TVEC-TEST": rule})
    its_own = Limits(max_distance_bits=25, min_votes=3, min_quality=60, is_shadow=True)
    match = Match("known", "film", "TVEC-TEST", "full", 0, 0, limits=its_own)

    assert policy.limits_of(match) == Limits(20, 3, 70, is_shadow=True)
    assert policy.limits_of(replace(match, policy="TVEC-OTHER")) == its_own


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
