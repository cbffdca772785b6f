import numpy as np
import pytest

from streamguard.core.errors import ConfigError
from streamguard.core.variants import (
    CROP_NUMBERS,
    FIRST_HALF,
    MIRRORED,
    NO_CROP,
    SIDE_NUMBERS,
    Crop,
    Half,
    are_crops,
    check_recipes,
    crop_of,
    group_of,
    half_of,
    variant_name,
    variant_number,
)

LISTED = """
whole content crop-4-4-4-4 crop-9-9-9-9 crop-0-0-0-8 crop-0-0-8-0 crop-0-8-0-0 crop-8-0-0-0
crop-0-0-8-8 crop-8-8-0-0 crop-0-8-0-8 crop-0-8-8-0 crop-8-0-0-8 crop-8-0-8-0 crop-2-6-2-6
crop-2-6-6-2 crop-6-2-2-6 crop-6-2-6-2 crop-6-9-6-9 crop-6-9-9-6 crop-9-6-6-9 crop-9-6-9-6
crop-2-2-2-2 crop-6-6-6-6 crop-0-0-0-4 crop-0-0-4-0 crop-0-4-0-0 crop-4-0-0-0 crop-0-0-4-4
crop-4-4-0-0 crop-0-4-0-4 crop-0-4-4-0 crop-4-0-0-4 crop-4-0-4-0 crop-0-4-0-8 crop-0-4-8-0
crop-0-8-0-4 crop-0-8-4-0 crop-4-0-0-8 crop-4-0-8-0 crop-8-0-0-4 crop-8-0-4-0 crop-2-8-6-6
crop-6-6-2-8 crop-6-6-8-2 crop-8-2-6-6 crop-2-8-2-8 crop-2-8-8-2 crop-8-2-2-8 crop-8-2-8-2
crop-8-8-8-8 crop-2-6-4-4 crop-4-4-2-6 crop-4-4-6-2 crop-6-2-4-4 crop-3-6-9-9 crop-6-3-9-9
crop-9-9-3-6 crop-9-9-6-3 crop-0-0-0-10 crop-0-0-10-0 crop-0-10-0-0 crop-10-0-0-0
crop-0-10-0-10 crop-0-10-10-0 crop-10-0-0-10 crop-10-0-10-0
"""
"""By number. Banks that were built hold these numbers: add at the end, change nothing."""

NAMES = LISTED.split()

SIDES = [
    *("without-left-right", "without-top-bottom"),
    *("without-left", "without-right", "without-top", "without-bottom"),
]
"""Those of the numbers 113 and 114, and of the last ones, 124 to 127."""

HALVES = [
    *("upper-half", "left-half", "quarter"),
    *("content-upper-half", "content-left-half", "content-quarter"),
    *("crop-upper-half", "crop-left-half", "crop-quarter"),
]
"""Those of the numbers before, 115 to 123."""

PLAIN = [*range(len(NAMES)), *range(113, 128)]
ALL = [*PLAIN, *(MIRRORED | number for number in PLAIN)]


def test_numbers_keep_their_meaning() -> None:
    assert [variant_name(number) for number in range(len(NAMES))] == NAMES
    assert list(CROP_NUMBERS) == list(range(2, len(NAMES)))
    assert [variant_name(number) for number in SIDE_NUMBERS] == SIDES
    assert SIDE_NUMBERS == (113, 114, 124, 125, 126, 127)
    assert [variant_name(number) for number in range(115, 124)] == HALVES
    assert CROP_NUMBERS.stop <= 113 < FIRST_HALF == 115


def test_each_number_has_a_name_of_its_own_that_leads_back_to_it() -> None:
    names = [variant_name(number) for number in ALL]

    assert len(set(names)) == len(ALL)
    assert [variant_number(name) for name in names] == ALL


def test_mirrored_variants_are_named_after_what_they_mirror() -> None:
    assert variant_name(MIRRORED) == "mirror"
    assert variant_name(MIRRORED | 1) == "content-mirror"
    assert variant_name(MIRRORED | 2) == "crop-4-4-4-4-mirror"
    assert variant_name(MIRRORED | 124) == "without-left-mirror"
    assert variant_name(MIRRORED | 115) == "upper-half-mirror"


@pytest.mark.parametrize(
    ("of", "half", "name"),
    [
        ("whole", Half.UPPER, "upper-half"),
        ("content", Half.LEFT, "content-left-half"),
        ("crop-4-4-4-4", Half.QUARTER, "crop-quarter"),
        ("crop-9-9-3-6", Half.UPPER, "crop-upper-half"),
        ("mirror", Half.UPPER, "upper-half-mirror"),
        ("crop-0-0-0-8-mirror", Half.UPPER, "crop-upper-half-mirror"),
    ],
)
def test_a_half_is_named_after_what_it_is_half_of(of: str, half: Half, name: str) -> None:
    assert variant_name(half_of(variant_number(of), half)) == name


def test_crops_and_their_halves_are_told_from_pictures_and_theirs() -> None:
    names = [variant_name(number) for number in ALL]

    are = are_crops(np.array(ALL, np.uint8))

    assert {name for name, is_crop in zip(names, are, strict=True) if is_crop} == {
        name for name in names if name.startswith(("crop-", "without-"))
    }


@pytest.mark.parametrize("number", [len(NAMES), 112, MIRRORED | len(NAMES), MIRRORED | 112])
def test_a_number_of_a_newer_bank_is_named_by_itself(number: int) -> None:
    assert variant_name(number) == f"variant-{number}"
    with pytest.raises(ConfigError, match="no variant named"):
        variant_number(f"variant-{number}")


def test_a_name_tells_what_is_cut_off() -> None:
    assert crop_of(variant_number("crop-4-0-8-0")) == Crop(left=4, right=0, top=8, bottom=0)
    assert crop_of(variant_number("crop-4-0-8-0-mirror")) == Crop(4, 0, 8, 0)
    assert crop_of(variant_number("without-right")) == Crop(0, 34, 0, 0)
    assert crop_of(variant_number("without-top-mirror")) == Crop(0, 0, 34, 0)
    assert {crop_of(number) for number in (0, 1, 123, MIRRORED, MIRRORED | 1)} == {NO_CROP}


def test_crops_favour_no_side() -> None:
    crops = {crop_of(number) for number in CROP_NUMBERS}

    assert {Crop(c.right, c.left, c.top, c.bottom) for c in crops} == crops
    assert {Crop(c.left, c.right, c.bottom, c.top) for c in crops} == crops
    assert {Crop(c.top, c.bottom, c.left, c.right) for c in crops} == crops


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("whole", "whole"),
        ("content", "content"),
        ("mirror", "mirror"),
        ("content-mirror", "mirror"),
        ("crop-4-4-4-4", "crops"),
        ("crop-8-0-4-0-mirror", "crops-mirror"),
        ("without-left", "overlays"),
        ("without-left-right", "overlays"),
        ("without-bottom-mirror", "overlays-mirror"),
        ("upper-half", "halves"),
        ("crop-quarter", "halves"),
        ("content-left-half-mirror", "halves-mirror"),
    ],
)
def test_each_variant_counts_towards_one_group(name: str, group: str) -> None:
    assert group_of(variant_number(name)) == group


def test_recipes_are_put_in_order_and_none_is_no_recipe() -> None:
    assert check_recipes(["crops", "mirror", "crops"]) == ("mirror", "crops")
    assert check_recipes(["crops-fine"]) == ("crops-fine",)
    assert check_recipes(["overlays", "crops"]) == ("crops", "overlays")
    assert check_recipes(["none"]) == ()
    assert check_recipes([]) == ()


@pytest.mark.parametrize("names", [["turned"], ["mirror", "none"], [""]])
def test_an_unknown_recipe_is_refused(names: list[str]) -> None:
    with pytest.raises(ConfigError, match="choose of mirror, crops, crops-fine, overlays"):
        check_recipes(names)
