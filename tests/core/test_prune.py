from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.prune import PRUNE_DISTANCE_BITS, prune
from streamguard.core.types import View


def view(
    n_ones: int = 0,
    *,
    region: Literal["full", "content"] = "full",
    quality: int = 100,
    is_stable: bool = True,
) -> View:
    """Give a view whose hash lies `n_ones` from the hash of all zeros."""
    bits = np.zeros(256, np.uint8)
    bits[:n_ones] = 1
    return View(region, np.packbits(bits), quality, is_stable)


@pytest.mark.parametrize(("n_ones", "kept"), [(0, [0]), (10, [0]), (11, [0, 40]), (256, [0, 40])])
def test_a_hash_within_10_bits_of_the_last_kept_one_is_dropped(
    n_ones: int, kept: list[int]
) -> None:
    views = [(0, view()), (40, view(n_ones))]

    assert [offset_us for offset_us, _ in prune(views)] == kept


def test_slow_drift_is_measured_from_the_last_kept_hash() -> None:
    views = [(i, view(4 * i)) for i in range(10)]

    assert [offset_us for offset_us, _ in prune(views)] == [0, 3, 6, 9]


def test_what_is_not_matchable_is_left_out_and_not_compared_with() -> None:
    views = [(0, view(quality=49)), (1, view(20, is_stable=False)), (2, view(5, quality=50))]

    assert [offset_us for offset_us, _ in prune(views)] == [2]


def test_regions_are_thinned_each_for_itself() -> None:
    views = [(0, view()), (0, view(90, region="content")), (40, view(1)), (40, view(80))]

    kept = prune(views)

    assert [(offset_us, kept_view.region) for offset_us, kept_view in kept] == [
        (0, "full"),
        (0, "content"),
        (40, "full"),
    ]


def test_nothing_stays_nothing() -> None:
    assert prune([]) == []


@given(st.lists(st.integers(0, 256)))
def test_neighbours_kept_differ_and_each_dropped_one_has_a_kept_one_near(steps: list[int]) -> None:
    kept = [offset_us for offset_us, _ in prune((i, view(n)) for i, n in enumerate(steps))]

    assert all(abs(steps[a] - steps[b]) > PRUNE_DISTANCE_BITS for a, b in pairwise(kept))
    for i in range(len(steps)):
        last = max(offset_us for offset_us in kept if offset_us <= i)
        assert abs(steps[i] - steps[last]) <= PRUNE_DISTANCE_BITS
