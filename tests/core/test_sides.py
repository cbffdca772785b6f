import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.look import views_of
from streamguard.core.pdq import thumbnail
from streamguard.core.pdq_reference import MIN_SIDE
from streamguard.core.sides import sides_of
from streamguard.core.types import MATCH_DISTANCE_BITS, MIN_QUALITY, View
from tests.made_pictures import landscape

PICTURE = landscape(360, 640)
OVERLAY = landscape(360, 640, seed=9)
RIM, ACROSS, DOWN, LEFT, RIGHT, TOP, BOTTOM = range(7)
"""The parts without a rim, without left and right, without top and bottom, and without one side."""


def sides(luma: NDArray[np.uint8]) -> tuple[View, ...]:
    (full,) = views_of(luma, full_range=True)
    return full.sides()


def bits_apart(one: View, other: View) -> int:
    return int(np.bitwise_count(one.pdq ^ other.pdq).sum())


def covered(rows: slice, columns: slice) -> NDArray[np.uint8]:
    picture = PICTURE.copy()
    picture[rows, columns] = OVERLAY[rows, columns]
    return picture


@pytest.mark.parametrize(
    ("rows", "columns", "free"),
    [
        (slice(0, 88), slice(0, 156), {LEFT, TOP, ACROSS, DOWN}),
        (slice(0, 88), slice(484, 640), {RIGHT, TOP, ACROSS, DOWN}),
        (slice(272, 360), slice(0, 156), {LEFT, BOTTOM, ACROSS, DOWN}),
        (slice(272, 360), slice(484, 640), {RIGHT, BOTTOM, ACROSS, DOWN}),
        (slice(0, 118), slice(430, 640), {RIGHT, TOP}),
        (slice(0, 360), slice(484, 640), {RIGHT, ACROSS}),
        (slice(272, 360), slice(0, 640), {BOTTOM, DOWN}),
    ],
)
def test_what_lies_over_a_side_leaves_other_parts_alone(
    rows: slice, columns: slice, free: set[int]
) -> None:
    clean, seen = sides(PICTURE), sides(covered(rows, columns))

    apart = [bits_apart(one, other) for one, other in zip(clean, seen, strict=True)]

    # the thumbnail's pixels reach a little over the border of what is left out
    assert all(apart[side] <= 8 for side in free)
    assert min(bits for side, bits in enumerate(apart) if side not in free) > 16


def test_a_camera_and_a_chat_on_the_other_side_leave_the_middle_alone() -> None:
    seen = covered(slice(0, 88), slice(0, 156))
    seen[:, 484:] = OVERLAY[:, 484:]

    apart = [bits_apart(one, other) for one, other in zip(sides(PICTURE), sides(seen), strict=True)]

    assert apart[ACROSS] <= 8
    assert min(apart[DOWN:]) > 16


@pytest.mark.parametrize(("percent", "is_match"), [(4, True), (5, True), (6, True), (8, False)])
def test_a_frame_around_a_picture_is_left_out(percent: int, *, is_match: bool) -> None:
    rows, columns = 360 * percent // 100, 640 * percent // 100
    framed = landscape(360 + 2 * rows, 640 + 2 * columns, seed=9)
    framed[rows:-rows, columns:-columns] = PICTURE
    (full,) = views_of(PICTURE, full_range=True)

    within = sides(framed)[RIM]

    assert (bits_apart(within, full) <= MATCH_DISTANCE_BITS) is is_match


def test_no_part_of_a_picture_matches_another() -> None:
    parts = sides(PICTURE)

    assert [view.region for view in parts] == ["full"] * 7
    assert all(
        bits_apart(one, other) > MATCH_DISTANCE_BITS
        for i, one in enumerate(parts)
        for other in parts[:i]
    )


@given(seed=st.integers(0, 50))
def test_a_turned_picture_has_the_sides_of_its_axes_exchanged(seed: int) -> None:
    thumb = thumbnail(landscape(360, 640, seed))

    rim, across, down, left, right, top, bottom = sides_of(thumb, "full", full_range=True)
    exchanged = sides_of(np.ascontiguousarray(thumb.T), "full", full_range=True)

    assert [view.quality for view in exchanged] == [
        view.quality for view in (rim, down, across, top, bottom, left, right)
    ]


@pytest.mark.parametrize(("side", "busy"), [(LEFT, slice(42)), (RIGHT, slice(22, None))])
def test_a_part_without_structure_may_not_be_matched(side: int, busy: slice) -> None:
    thumb = np.full((64, 64), 120, np.float32)
    noise = np.random.default_rng(3).uniform(0, 255, (64, 64)).astype(np.float32)
    outside = slice(22) if side == LEFT else slice(42, None)
    thumb[:, outside] = noise[:, outside]

    views = sides_of(thumb, "content", full_range=True)

    assert views[side].quality < MIN_QUALITY
    assert not views[side].is_matchable
    assert views[LEFT + RIGHT - side].is_matchable
    thumb[:, busy] = noise[:, busy]
    assert sides_of(thumb, "content", full_range=True)[side].is_matchable


@pytest.mark.parametrize(("contrast", "is_more"), [(6, True), (255, False)])
def test_limited_range_counts_as_more_contrast(contrast: int, *, is_more: bool) -> None:
    noise = np.random.default_rng(3).uniform(0, contrast, (64, 64)).astype(np.float32)

    full = sides_of(noise, "full", full_range=True)
    limited = sides_of(noise, "full", full_range=False)

    for one, other in zip(limited, full, strict=True):
        assert (one.quality > other.quality) is is_more
        assert one.quality <= 100


def test_a_picture_too_small_to_hash_has_no_sides() -> None:
    (full,) = views_of(np.zeros((MIN_SIDE - 1, 320), np.uint8), full_range=True)

    assert full.sides() == ()


def test_each_region_has_parts_of_its_own() -> None:
    full, content = views_of(np.pad(PICTURE, 40, constant_values=16), full_range=True)

    assert [side.region for side in content.sides()] == ["content"] * 7
    assert [bits_apart(a, b) for a, b in zip(content.sides(), sides(PICTURE), strict=True)] == [
        0
    ] * 7
    assert full.sides()[0].region == "full"


@pytest.mark.parametrize("n_first", [1, 3, 7])
def test_the_first_parts_are_the_same_alone(n_first: int) -> None:
    [full] = views_of(PICTURE, full_range=True)

    alone = full.sides(n_first=n_first)

    assert [view.pdq.tobytes() for view in alone] == [
        view.pdq.tobytes() for view in full.sides()[:n_first]
    ]
    assert [view.quality for view in alone] == [view.quality for view in full.sides()[:n_first]]
