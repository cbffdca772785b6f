import numpy as np
import pytest
from numpy.typing import NDArray

from streamguard.core.cuts import variants_of
from streamguard.core.halves import (
    ASKED_ODD_SHARE,
    KEPT_ODD_SHARE,
    MAX_HALVES,
    halves_kept,
    hash_halves,
    keeps_mirror,
    may_mirror,
)
from streamguard.core.look import views_of
from streamguard.core.pdq import hash_thumbnail, thumbnail
from streamguard.core.types import MATCH_DISTANCE_BITS, NEAR_DISTANCE_BITS
from streamguard.core.variants import MIRRORED, WHOLE, Half, half_of, variant_number
from tests.made_pictures import landscape, mirroring

Luma = NDArray[np.uint8]

NEARLY_BITS = 12
"""How far apart two halves of one picture may hash: the thumbnail's pixels are not centred."""


def noisy(luma: Luma, sigma: float, seed: int = 1) -> Luma:
    """Add noise as coarse as what a low bit rate leaves."""
    noise = np.random.default_rng(seed).normal(0, sigma, (45, 80)).repeat(8, 0).repeat(8, 1)
    return np.clip(luma + noise, 0, 255).astype(np.uint8)


def bits_apart(some: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.bitwise_count(some[:, None] ^ others[None]).sum(axis=2, dtype=np.int64)


def halves_of(luma: Luma) -> NDArray[np.uint8]:
    thumb = thumbnail(luma)
    hashes, are_stable = hash_halves(thumb, hash_thumbnail(thumb, full_range=False).odd)
    return hashes[are_stable]


def held(luma: Luma) -> dict[int, NDArray[np.uint8]]:
    variants = variants_of(luma, full_range=False, recipes=("mirror",))
    return dict(zip(variants.numbers.tolist(), variants.hashes, strict=True))


@pytest.mark.parametrize(
    ("odd", "halves"),
    [
        ((KEPT_ODD_SHARE, 1.0), (Half.UPPER,)),
        ((1.0, KEPT_ODD_SHARE), (Half.LEFT,)),
        ((KEPT_ODD_SHARE, KEPT_ODD_SHARE), (Half.QUARTER, Half.UPPER, Half.LEFT)),
        ((KEPT_ODD_SHARE + 0.001, KEPT_ODD_SHARE + 0.001), ()),
    ],
)
def test_halves_are_kept_of_what_has_next_to_no_odd_terms(
    odd: tuple[float, float], halves: tuple[Half, ...]
) -> None:
    assert halves_kept(odd) == halves


def test_halves_are_asked_about_where_one_way_has_few_odd_terms() -> None:
    assert may_mirror((ASKED_ODD_SHARE, 1.0))
    assert may_mirror((1.0, ASKED_ODD_SHARE))
    assert not may_mirror((ASKED_ODD_SHARE + 0.001, ASKED_ODD_SHARE + 0.001))


@pytest.mark.parametrize(
    ("name", "halves"),
    [
        ("whole", {Half.UPPER, Half.LEFT, Half.QUARTER}),
        ("mirror", {Half.UPPER}),
        ("crop-4-4-4-4", {Half.UPPER, Half.LEFT, Half.QUARTER}),
        ("crop-0-8-0-0", {Half.UPPER}),
        ("crop-0-0-0-8", {Half.LEFT}),
        ("crop-0-8-0-0-mirror", {Half.UPPER}),
        ("crop-4-4-4-4-mirror", {Half.UPPER}),
        ("crop-4-0-8-0", set()),
        ("without-left", set()),
        ("without-top-mirror", set()),
    ],
)
def test_a_variant_has_a_half_where_both_sides_lost_the_same(name: str, halves: set[Half]) -> None:
    number = variant_number(name)

    assert {half for half in Half if keeps_mirror(number, half)} == halves


@pytest.mark.parametrize(("half", "n_asked"), [(Half.UPPER, 3), (Half.LEFT, 3), (Half.QUARTER, 5)])
def test_both_halves_and_their_average_hash_as_the_one_that_is_kept(
    half: Half, n_asked: int
) -> None:
    picture = mirroring(half)

    asked = halves_of(picture)

    assert len(asked) == n_asked
    assert bits_apart(asked, held(picture)[half_of(WHOLE, half)][None]).max() <= NEARLY_BITS


def test_a_picture_that_may_mirror_itself_both_ways_has_all_its_halves_asked_about() -> None:
    hashes, _ = hash_halves(thumbnail(landscape(360, 640)), (ASKED_ODD_SHARE, ASKED_ODD_SHARE))

    assert hashes.shape == (MAX_HALVES, 32)


@pytest.mark.parametrize("half", Half)
@pytest.mark.parametrize("seed", range(3))
def test_noise_that_makes_another_hash_of_the_whole_picture_leaves_the_half(
    half: Half, seed: int
) -> None:
    picture = mirroring(half, seed)
    copy, other = noisy(picture, 6, seed=1), noisy(picture, 6, seed=2)

    whole, other_whole = (views_of(each, full_range=False)[0].pdq[None] for each in (copy, other))
    nearest = bits_apart(halves_of(copy), held(picture)[half_of(WHOLE, half)][None]).min()

    assert bits_apart(whole, other_whole).min() > MATCH_DISTANCE_BITS >= nearest


@pytest.mark.parametrize("half", Half)
@pytest.mark.parametrize("corner", [(0, 0), (0, 440), (240, 0), (240, 440)])
def test_what_is_laid_over_one_corner_leaves_another_half(
    half: Half, corner: tuple[int, int]
) -> None:
    picture = mirroring(half)
    copy = noisy(picture, 3)
    y, x = corner
    copy[y : y + 120, x : x + 200] = landscape(120, 200, seed=9)

    nearest = bits_apart(halves_of(copy), held(picture)[half_of(WHOLE, half)][None]).min()

    assert nearest <= MATCH_DISTANCE_BITS


def test_the_mirrored_copy_of_a_half_is_kept_where_it_is_another_picture() -> None:
    upper, left = held(mirroring(Half.UPPER)), held(mirroring(Half.LEFT))

    assert set(upper) == {half_of(WHOLE, Half.UPPER), half_of(MIRRORED, Half.UPPER)}
    assert set(left) == {half_of(WHOLE, Half.LEFT)}
    turned = halves_of(mirroring(Half.UPPER)[:, ::-1])
    assert (
        bits_apart(turned, upper[half_of(MIRRORED, Half.UPPER)][None]).max() <= MATCH_DISTANCE_BITS
    )


def test_halves_of_unrelated_pictures_are_not_near() -> None:
    hashes = np.concatenate([halves_of(mirroring(Half.QUARTER, seed))[-1:] for seed in range(12)])

    apart = bits_apart(hashes, hashes)

    assert apart[~np.eye(12, dtype=np.bool_)].min() > NEAR_DISTANCE_BITS
