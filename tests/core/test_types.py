from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.types import (
    HASH_BYTES,
    MATCH_DISTANCE_BITS,
    MIN_QUALITY,
    GapReason,
    Limits,
    Severity,
)
from tests.core_fakes import packet, picture, view

limits_of = st.builds(
    Limits, st.integers(0, 31), st.integers(1, 9), st.integers(50, 100), st.booleans()
)


@pytest.mark.parametrize(
    ("quality", "is_stable", "is_matchable"),
    [
        (MIN_QUALITY, True, True),
        (100, True, True),
        (MIN_QUALITY - 1, True, False),
        (0, True, False),
        (MIN_QUALITY, False, False),
        (100, False, False),
    ],
)
def test_only_stable_views_of_some_quality_are_matchable(
    quality: int, *, is_stable: bool, is_matchable: bool
) -> None:
    seen = view(picture(1), quality=quality, is_stable=is_stable)

    assert seen.is_matchable is is_matchable


def test_bounds_are_those_of_the_reference() -> None:
    """Source: ThreatExchange pdq/README."""
    assert (HASH_BYTES, MATCH_DISTANCE_BITS, MIN_QUALITY) == (32, 31, 50)


def test_values_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        packet(0).pts_us = 1  # type: ignore[misc]  # that is what is refused


def test_the_most_urgent_severity_sorts_first() -> None:
    assert sorted(Severity) == [Severity.P0, Severity.P1, Severity.P2, Severity.P3]


def test_reasons_are_words_that_a_metric_can_carry() -> None:
    assert all(reason.islower() and reason.isascii() for reason in GapReason)


@given(limits_of, limits_of)
def test_joined_limits_are_the_stricter_of_each(one: Limits, other: Limits) -> None:
    joined = one.and_those_of(other)

    assert joined == other.and_those_of(one)
    assert joined.max_distance_bits == min(one.max_distance_bits, other.max_distance_bits)
    assert joined.min_votes == max(one.min_votes, other.min_votes)
    assert joined.min_quality == max(one.min_quality, other.min_quality)
    assert joined.is_shadow is (one.is_shadow or other.is_shadow)
