from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.cuts import Variants, variants_of
from streamguard.core.halves import hash_halves, keeps_mirror
from streamguard.core.look import views_of
from streamguard.core.pdq import hash_luma, thumbnail
from streamguard.core.pdq_reference import MIN_SIDE, SIDE
from streamguard.core.types import MATCH_DISTANCE_BITS, MIN_QUALITY, NEAR_DISTANCE_BITS
from streamguard.core.variants import (
    CONTENT,
    CROP_NUMBERS,
    FIRST_HALF,
    FIRST_SIDE,
    MIRRORED,
    SIDE_NUMBERS,
    WHOLE,
    Crop,
    Half,
    crop_of,
    half_of,
    variant_number,
)
from tests.made_pictures import landscape, mirroring

PICTURE = landscape(360, 640)
ALL = ("mirror", "crops")
SMALL_COPY_BITS = 8
"""How far a hash worked out of the small copy may lie from that of the picture really cut; 6 were
measured on real frames."""


def hashes_of(luma: NDArray[np.uint8], recipes: tuple[str, ...] = ALL) -> dict[int, bytes]:
    variants = variants_of(luma, full_range=False, recipes=recipes)
    return {
        number: row.tobytes()
        for number, row in zip(variants.numbers.tolist(), variants.hashes, strict=True)
    }


def cut(luma: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    height, width = luma.shape
    y0, y1 = round(height * crop.top / 100), height - round(height * crop.bottom / 100)
    x0, x1 = round(width * crop.left / 100), width - round(width * crop.right / 100)
    return luma[y0:y1, x0:x1]


def bits_apart(one: bytes | NDArray[np.uint8], other: bytes | NDArray[np.uint8]) -> int:
    return (int.from_bytes(bytes(one)) ^ int.from_bytes(bytes(other))).bit_count()


def are_halves(numbers: NDArray[np.uint8]) -> NDArray[np.bool_]:
    plain = numbers & ~np.uint8(MIRRORED)
    return (plain >= FIRST_HALF) & (plain < FIRST_SIDE)


def pdq_of(luma: NDArray[np.uint8]) -> bytes:
    return hash_luma(luma, full_range=False).bits.tobytes()


@pytest.mark.parametrize(
    ("height", "width"), [(360, 640), (1080, 1920), (721, 1283), (144, 176), (64, 64)]
)
def test_every_variant_hashes_as_the_picture_really_cut_and_mirrored(
    height: int, width: int
) -> None:
    picture = landscape(height, width, seed=3)

    hashes = hashes_of(picture)

    assert set(hashes) - {WHOLE, MIRRORED} == {*CROP_NUMBERS, *(128 + n for n in CROP_NUMBERS)}
    for number, pdq in hashes.items():
        part = cut(picture, crop_of(number))
        expected = pdq_of(part[:, ::-1] if number & MIRRORED else part)
        assert bits_apart(pdq, expected) <= (SMALL_COPY_BITS if number else 0)


def test_mirrored_twice_is_the_picture_itself() -> None:
    once = hashes_of(PICTURE)

    twice = hashes_of(PICTURE[:, ::-1])

    for number in (WHOLE, *CROP_NUMBERS):
        crop = crop_of(number)
        turned = Crop(crop.right, crop.left, crop.top, crop.bottom)
        back = next(n for n in (WHOLE, *CROP_NUMBERS) if crop_of(n) == turned)
        assert bits_apart(once[number], twice[MIRRORED | back]) <= SMALL_COPY_BITS
        assert bits_apart(once[number], once[MIRRORED | back]) > NEAR_DISTANCE_BITS


@pytest.mark.parametrize(
    ("recipes", "n_variants"),
    [
        ((), 1),
        (("mirror",), 2),
        (("crops",), 66),
        (("crops-fine",), 66),
        (ALL, 132),
        (("overlays",), 7),
        (("mirror", "overlays"), 14),
        ((*ALL, "overlays"), 144),
    ],
)
def test_recipes_decide_what_is_made(recipes: tuple[str, ...], n_variants: int) -> None:
    assert len(hashes_of(PICTURE, recipes)) == n_variants


@given(
    amounts=st.tuples(*[st.floats(0, 0.1)] * 2),
    kind=st.sampled_from(["zoom", "side", "corner", "pair"]),
    seed=st.integers(0, 20),
)
def test_what_is_usually_cut_off_comes_near_a_variant(
    amounts: tuple[float, float], kind: str, seed: int
) -> None:
    picture = landscape(360, 640, seed)
    first, second = (100 * amount for amount in amounts)
    shares = {
        "zoom": (first, first, first, first),
        "side": (first, 0, 0, 0),
        "corner": (0, first, second, 0),
        "pair": (0, 0, first, first),
    }[kind]
    y0, y1 = round(3.6 * shares[2]), 360 - round(3.6 * shares[3])
    x0, x1 = round(6.4 * shares[0]), 640 - round(6.4 * shares[1])

    copy = pdq_of(picture[y0:y1, x0:x1])

    nearest = min(bits_apart(copy, pdq) for pdq in hashes_of(picture, ("crops",)).values())
    assert nearest <= NEAR_DISTANCE_BITS


@pytest.mark.parametrize("name", ["crop-4-4-4-4", "crop-8-0-0-0", "crop-0-4-8-0", "crop-2-6-6-2"])
def test_a_crop_one_percent_beside_a_variant_matches(name: str) -> None:
    crop = crop_of(variant_number(name))
    beside = Crop(crop.left, crop.right + 1, crop.top + 1, crop.bottom)

    copy = pdq_of(cut(PICTURE, beside))

    assert bits_apart(copy, hashes_of(PICTURE)[variant_number(name)]) <= MATCH_DISTANCE_BITS
    assert bits_apart(copy, hashes_of(PICTURE)[WHOLE]) > MATCH_DISTANCE_BITS


def test_crops_are_made_of_the_content_where_there_are_bars() -> None:
    boxed = np.pad(PICTURE, ((50, 30), (0, 0)), constant_values=16)

    hashes = hashes_of(boxed)

    full, content = views_of(boxed, full_range=False)
    assert (hashes[WHOLE], hashes[CONTENT]) == (full.pdq.tobytes(), content.pdq.tobytes())
    assert len(hashes) == 134
    for number in CROP_NUMBERS:
        assert hashes[number] == hashes_of(PICTURE)[number]
    assert bits_apart(hashes[MIRRORED], pdq_of(boxed[:, ::-1])) <= SMALL_COPY_BITS
    assert bits_apart(hashes[MIRRORED | CONTENT], pdq_of(PICTURE[:, ::-1])) <= SMALL_COPY_BITS


@pytest.mark.parametrize(
    ("bars", "n_variants"),
    [
        ((45, 45), 4 * 66),
        ((46, 46), 2 + 2 * 66),
        ((46, 50), 2 + 2 * 66),
        ((46, 51), 4 * 66),
        ((60, 0), 4 * 66),
        ((0, 60), 4 * 66),
    ],
)
@pytest.mark.parametrize("is_turned", [False, True])
def test_crops_are_made_of_the_whole_too_unless_thick_bars_lie_on_both_sides(
    bars: tuple[int, int], n_variants: int, *, is_turned: bool
) -> None:
    boxed = np.pad(landscape(450 - sum(bars), 500), (bars, (0, 0)), constant_values=16)
    picture = boxed.T if is_turned else boxed

    variants = variants_of(picture, full_range=False, recipes=ALL)

    assert len(variants) == n_variants
    crop = variant_number("crop-4-4-4-4")
    of_whole = pdq_of(cut(picture, crop_of(crop)))
    nearest = [bits_apart(of_whole, pdq) for pdq in variants.hashes[variants.numbers == crop]]
    assert (min(nearest) <= SMALL_COPY_BITS) == (n_variants == 4 * 66)


def test_bars_around_a_window_frame_it_on_all_sides() -> None:
    boxed = np.pad(landscape(300, 500), ((60, 60), (90, 90)), constant_values=16)
    uneven = np.pad(landscape(300, 500), ((60, 60), (90, 40)), constant_values=16)

    assert len(hashes_of(boxed)) == 134
    assert len(variants_of(uneven, full_range=False, recipes=ALL)) == 4 * 66


@pytest.mark.parametrize(("height", "width"), [(360, 640), (1080, 1920), (721, 1283), (64, 64)])
def test_sides_hash_as_screening_hashes_them_mirrored_or_not(height: int, width: int) -> None:
    picture = landscape(height, width, seed=5)

    hashes = hashes_of(picture, ("mirror", "overlays"))

    for turned, plane in ((0, picture), (MIRRORED, picture[:, ::-1])):
        (full,) = views_of(plane, full_range=False)
        _, *middles, left, right, top, bottom = (side.pdq for side in full.sides())
        across = (right, left) if turned else (left, right)
        for number, pdq in zip(SIDE_NUMBERS, (*middles, *across, top, bottom), strict=True):
            assert bits_apart(hashes[turned | number], pdq) <= SMALL_COPY_BITS


def test_sides_are_made_of_the_content_and_of_the_whole_though_bars_frame_it() -> None:
    boxed = np.pad(PICTURE, 80, constant_values=16)

    variants = variants_of(boxed, full_range=False, recipes=("overlays",))

    assert variants.numbers.tolist() == [WHOLE, *SIDE_NUMBERS, CONTENT, *SIDE_NUMBERS]


@pytest.mark.parametrize("half", [Half.UPPER, Half.LEFT])
def test_a_picture_that_mirrors_itself_has_halves_and_so_have_its_even_crops(half: Half) -> None:
    variants = variants_of(mirroring(half), full_range=False, recipes=ALL)

    even = [n for n in (WHOLE, *CROP_NUMBERS) for n in (n, MIRRORED | n) if keeps_mirror(n, half)]
    made = Counter(variants.numbers[are_halves(variants.numbers)].tolist())
    assert made == Counter(half_of(number, half) for number in even)


@pytest.mark.parametrize(
    ("mirrors", "name", "half"),
    [
        (Half.UPPER, "crop-4-4-4-4", Half.UPPER),
        (Half.LEFT, "crop-8-8-8-8", Half.LEFT),
        (Half.QUARTER, "crop-8-8-8-8", Half.QUARTER),
        (Half.QUARTER, "crop-0-8-0-0", Half.UPPER),
        (Half.QUARTER, "crop-0-0-8-0", Half.LEFT),
    ],
)
def test_a_crop_that_mirrors_itself_has_the_half_that_is_asked_about(
    mirrors: Half, name: str, half: Half
) -> None:
    picture = mirroring(mirrors)
    copy = cut(picture, crop_of(variant_number(name)))

    variants = variants_of(picture, full_range=False, recipes=ALL)

    asked, _ = hash_halves(thumbnail(copy), hash_luma(copy, full_range=False).odd)
    held = variants.hashes[variants.numbers == half_of(CROP_NUMBERS[0], half)]
    assert min(bits_apart(a, b) for a in asked for b in held) <= SMALL_COPY_BITS


def test_halves_are_made_whatever_the_recipes() -> None:
    assert set(hashes_of(mirroring(Half.LEFT), ())) == {half_of(WHOLE, Half.LEFT)}


def test_bars_are_not_folded_but_what_lies_between_them() -> None:
    plain = np.pad(PICTURE, ((200, 200), (0, 0)), constant_values=16)
    folded = np.pad(mirroring(Half.UPPER), ((200, 200), (0, 0)), constant_values=16)

    assert set(hashes_of(plain, ())) == {WHOLE, CONTENT}
    assert set(hashes_of(folded, ())) - {WHOLE} == {half_of(CONTENT, Half.UPPER)}


def test_rows_may_be_padded() -> None:
    padded = np.pad(PICTURE, ((0, 0), (0, 32)))[:, :640]

    assert hashes_of(padded) == hashes_of(PICTURE)


@pytest.mark.parametrize(
    ("height", "width", "n_variants"),
    [(SIDE - 1, 640, 1), (360, SIDE - 1, 1), (SIDE, SIDE, 132), (MIN_SIDE - 1, 640, 0)],
)
def test_a_picture_smaller_than_a_thumbnail_is_neither_cut_nor_mirrored(
    height: int, width: int, n_variants: int
) -> None:
    assert len(hashes_of(landscape(height, width))) == n_variants


def test_a_crop_is_left_out_where_what_it_shows_is_too_plain() -> None:
    plain_inside = np.full((360, 640), 120, np.uint8)
    frame = np.random.default_rng(1).integers(16, 236, (9, 16), dtype=np.uint8).repeat(40, 0)
    rim = np.ones((360, 640), np.bool_)
    rim[30:-30, 50:-50] = False
    plain_inside[rim] = frame.repeat(40, 1)[rim]

    hashes = hashes_of(plain_inside)

    assert {WHOLE, MIRRORED} <= set(hashes)
    gone = variant_number("crop-9-9-9-9")
    assert hash_luma(cut(plain_inside, crop_of(gone)), full_range=False).quality < MIN_QUALITY
    assert not {gone, MIRRORED | gone} & set(hashes)


def test_a_crop_is_left_out_where_its_terms_tie() -> None:
    stripes = np.tile(np.where(np.arange(640) // 20 % 2, 200, 40).astype(np.uint8), (360, 1))
    stripes[:20] = landscape(20, 640)

    hashes = hashes_of(stripes)

    gone = variant_number("crop-0-0-8-0")
    part = hash_luma(cut(stripes, crop_of(gone)), full_range=False)
    assert (part.quality >= MIN_QUALITY, part.is_stable) == (True, False)
    assert {WHOLE, MIRRORED} <= set(hashes)
    assert not {gone, MIRRORED | gone} & set(hashes)


def test_a_picture_that_may_not_be_matched_has_no_variants() -> None:
    assert hashes_of(np.full((360, 640), 120, np.uint8)) == {}


def test_variants_are_chosen_and_joined_in_order() -> None:
    some = variants_of(PICTURE, full_range=False, recipes=("mirror",))

    joined = some.of(np.array([1])).and_those_of(some.of(np.array([True, False])))

    assert isinstance(joined, Variants)
    assert joined.numbers.tolist() == [MIRRORED, WHOLE]
    assert np.array_equal(joined.hashes, some.hashes[::-1])
