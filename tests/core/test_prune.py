import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.cuts import Variants, variants_of
from streamguard.core.prune import (
    CROP_DISTANCE_BITS,
    FINE_CROP_DISTANCE_BITS,
    PRUNE_DISTANCE_BITS,
    STANDS_FOR_US,
    Pruner,
)
from streamguard.core.variants import CONTENT, CROP_NUMBERS, MIRRORED, WHOLE, Half, half_of
from tests.made_pictures import landscape

CROP, OTHER_CROP = CROP_NUMBERS[0], CROP_NUMBERS[1]
ALL = ("mirror", "crops")


def frame(*hashes: tuple[int, int]) -> Variants:
    """Give variants by number and by how far their hash lies from that of all zeros."""
    bits = np.zeros((len(hashes), 256), np.uint8)
    for row, (_, n_ones) in zip(bits, hashes, strict=True):
        row[:n_ones] = 1
    return Variants(np.array([number for number, _ in hashes], np.uint8), np.packbits(bits, axis=1))


def kept_numbers(
    frames: list[tuple[int, Variants]], recipes: tuple[str, ...] = ALL
) -> list[list[int]]:
    pruner = Pruner(recipes)
    return [pruner.choose(offset_us, variants).numbers.tolist() for offset_us, variants in frames]


@pytest.mark.parametrize("number", [WHOLE, CONTENT, MIRRORED, MIRRORED | CONTENT])
@pytest.mark.parametrize(("n_ones", "is_kept"), [(0, False), (10, False), (11, True), (256, True)])
def test_a_picture_within_10_bits_of_the_last_kept_one_is_dropped(
    number: int, n_ones: int, *, is_kept: bool
) -> None:
    first, second = kept_numbers([(0, frame((number, 0))), (40, frame((number, n_ones)))])

    assert first == [number]
    assert second == ([number] if is_kept else [])


def test_slow_drift_is_measured_from_the_last_kept_hash() -> None:
    kept = kept_numbers([(i, frame((WHOLE, 4 * i))) for i in range(10)])

    assert [i for i, numbers in enumerate(kept) if numbers] == [0, 3, 6, 9]


def test_a_picture_is_compared_with_its_own_variant_alone() -> None:
    kept = kept_numbers(
        [
            (0, frame((WHOLE, 0), (CONTENT, 5), (CROP, 200))),
            (40, frame((WHOLE, 200), (CONTENT, 8))),
        ]
    )

    assert kept == [[WHOLE, CONTENT, CROP], [WHOLE]]


@pytest.mark.parametrize(
    ("recipes", "bound"),
    [
        (("crops",), CROP_DISTANCE_BITS),
        (("crops-fine",), FINE_CROP_DISTANCE_BITS),
        (("crops", "crops-fine"), FINE_CROP_DISTANCE_BITS),
    ],
)
@pytest.mark.parametrize("number", [WHOLE, OTHER_CROP])
def test_a_crop_near_anything_kept_is_dropped(
    recipes: tuple[str, ...], bound: int, number: int
) -> None:
    same = [(0, frame((number, 0), (CROP, bound)))]
    later = [(0, frame((number, 0))), (40, frame((CROP, bound)))]
    further = [(0, frame((number, 0))), (40, frame((CROP, bound + 1)))]

    assert kept_numbers(same, recipes) == [[number]]
    assert kept_numbers(later, recipes) == [[number], []]
    assert kept_numbers(further, recipes) == [[number], [CROP]]


def test_a_half_is_pruned_as_what_it_is_half_of() -> None:
    of_whole, of_crop = half_of(WHOLE, Half.UPPER), half_of(CROP, Half.UPPER)

    pictures = kept_numbers([(0, frame((of_whole, 0))), (40, frame((of_whole, 11)))])
    crops = kept_numbers([(0, frame((of_whole, 0), (of_crop, CROP_DISTANCE_BITS)))])

    assert pictures == [[of_whole], [of_whole]]
    assert crops == [[of_whole]]


def test_mirrored_hashes_are_not_compared_with_the_others() -> None:
    kept = kept_numbers([(0, frame((WHOLE, 0), (CROP, 100), (MIRRORED | CROP, 100)))])

    assert kept == [[WHOLE, CROP, MIRRORED | CROP]]


@pytest.mark.parametrize("number", [WHOLE, CROP, MIRRORED])
def test_what_holds_still_is_kept_once_a_second(number: int) -> None:
    offsets_us = (0, STANDS_FOR_US, STANDS_FOR_US + 1, 2 * STANDS_FOR_US + 1, 2 * STANDS_FOR_US + 2)

    kept = kept_numbers([(offset_us, frame((number, 0))) for offset_us in offsets_us])

    assert kept == [[number], [], [number], [], [number]]


def test_a_frame_without_hashes_keeps_nothing() -> None:
    assert kept_numbers([(0, frame())]) == [[]]


def distances(some: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.bitwise_count(some[:, None] ^ others[None]).sum(axis=2, dtype=np.int64)


@given(
    shifts=st.lists(st.integers(0, 12), min_size=1, max_size=8),
    step_us=st.sampled_from([40_000, 400_000]),
)
def test_each_dropped_hash_lies_near_a_kept_one_of_the_last_second(
    shifts: list[int], step_us: int
) -> None:
    wide = landscape(90, 200)
    frames = [
        (i * step_us, variants_of(wide[:, x : x + 160], full_range=False, recipes=ALL))
        for i, x in enumerate(shifts)
    ]
    pruner = Pruner(ALL)
    kept: list[tuple[int, Variants]] = []

    for offset_us, variants in frames:
        kept.append((offset_us, pruner.choose(offset_us, variants)))

        lately = [some for at_us, some in kept if offset_us - at_us <= STANDS_FOR_US]
        hashes = np.concatenate([some.hashes for some in lately])
        nearest = distances(variants.hashes, hashes).min(axis=1)
        is_crop = variants.numbers & 0x7F > CONTENT
        assert np.all(nearest[is_crop] <= CROP_DISTANCE_BITS)
        assert np.all(nearest[~is_crop] <= PRUNE_DISTANCE_BITS)


@given(shifts=st.lists(st.integers(0, 12), min_size=1, max_size=8))
def test_kept_crops_of_one_second_differ_by_more_than_the_bound(shifts: list[int]) -> None:
    wide = landscape(90, 200)
    pruner = Pruner(("crops",))

    kept = [
        pruner.choose(i * 40_000, variants_of(wide[:, x : x + 160], full_range=False, recipes=ALL))
        for i, x in enumerate(shifts)
    ]

    crops = np.concatenate([some.hashes[some.numbers & 0x7F > CONTENT] for some in kept])
    apart = distances(crops, crops) + 256 * np.eye(len(crops), dtype=np.int64)
    assert len(crops) > 0
    assert apart.min() > CROP_DISTANCE_BITS
