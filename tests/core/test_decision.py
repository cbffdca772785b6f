from streamguard.core.decision import ModelFinding
from streamguard.core.types import Match
from tests.core_fakes import decision

MATCH = Match("known", "film", "TVEC-TEST", "full", 10, 0)
SCORE = ModelFinding("pack", "1.0", "weapon", 0.9, 0.8)


def test_a_finding_is_certain_from_the_second_vote_on() -> None:
    assert not decision(0, votes=1).is_certain
    assert decision(0, votes=2).is_certain


def test_a_match_is_known_by_its_bank_and_entry() -> None:
    elsewhere = Match("known", "film", "TVEC-TEST", "content", 31, 7_000_000)

    assert decision(0, finding=MATCH).key == decision(0, finding=elsewhere).key
    assert decision(0, finding=MATCH).key != decision(0, entry="another").key


def test_a_score_is_known_by_its_model_and_category() -> None:
    weaker = ModelFinding("pack", "1.1", "weapon", 0.81, 0.8)
    other = ModelFinding("pack", "1.0", "blood", 0.9, 0.8)

    assert decision(0, finding=SCORE).key == decision(0, finding=weaker).key
    assert decision(0, finding=SCORE).key != decision(0, finding=other).key


def test_the_nearer_match_is_the_better() -> None:
    near, far = decision(0, distance_bits=3), decision(0, distance_bits=4)

    assert near.weakness < far.weakness


def test_the_higher_score_is_the_better() -> None:
    lower = ModelFinding("pack", "1.0", "weapon", 0.89, 0.8)

    assert decision(0, finding=SCORE).weakness < decision(0, finding=lower).weakness
