"""What flags and hits want as evidence, and how strong each is."""

import pytest

from streamguard.core.decision import Decision, ModelFinding
from streamguard.core.judgement import requests_of
from streamguard.core.segments import PEAK_BITS, SegmentBuilder
from tests.core_fakes import decision, minting

SECOND = 1_000_000


def strengths(*decisions: Decision) -> list[tuple[int, float]]:
    """Show each decision on a sample of its own; give when and how strongly stills are wished."""
    segments = SegmentBuilder(minting())
    events = []
    for each in decisions:
        events += segments.sampled(each.epoch, each.pts_us, each.pts_us / 1e6)
        events += segments.feed(each)
    return [(each.pts_us // SECOND, each.strength) for each in requests_of(events)]


@pytest.mark.parametrize(("bits", "strength"), [(0, 1.0), (31, 1 - 31 / 256), (256, 0.0)])
def test_a_match_is_as_strong_as_its_bits_agree(bits: int, strength: float) -> None:
    assert decision(0, distance_bits=bits).strength == strength


def test_a_score_is_as_strong_as_it_is_high() -> None:
    found = ModelFinding("model", "1.0", "TVEC-TEST", 0.75, 0.6)

    assert decision(0, finding=found).strength == 0.75


def test_a_hit_that_is_much_nearer_wants_a_still_of_its_own_strength() -> None:
    """Not of the entry's that is nearest of all."""
    far, near = 31, 31 - PEAK_BITS
    wished = strengths(
        decision(0, entry="a", distance_bits=2),
        decision(SECOND, entry="b", distance_bits=far),
        decision(2 * SECOND, entry="b", distance_bits=near + 1),
        decision(3 * SECOND, entry="b", distance_bits=near - PEAK_BITS),
    )

    assert wished == [
        (0, 1 - 2 / 256),
        (1, 1 - far / 256),
        (3, 1 - (near - PEAK_BITS) / 256),
    ]
