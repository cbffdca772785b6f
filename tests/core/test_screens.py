import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.regions import Rectangle
from streamguard.core.screens import (
    MAX_LEAN_SHARE,
    MIN_LEAN_SHARE,
    MIN_ON_SIDE,
    MIN_STEP,
    N_SCANS,
    find_screen,
)
from tests.core.made_screens import LEANING, UPRIGHT, Corners, filmed, shown

OUTLINE = Rectangle(30, 247, 50, 420)
UPRIGHT_OUTLINE = Rectangle(40, 230, 60, 420)


def lowered(share: float) -> Corners:
    """Let the upright screen's upper right corner hang lower, by a share of its height."""
    return (UPRIGHT[0], (420.0, 40.0 + 190.0 * share), UPRIGHT[2], UPRIGHT[3])


@pytest.mark.parametrize("room", [0, 20, 255], ids=["black", "dark", "white"])
def test_corners_of_a_leaning_screen_are_found(room: int) -> None:
    luma = filmed(shown(), LEANING, room=room)

    screen = find_screen(luma, OUTLINE)

    assert screen is not None
    assert screen.corners == pytest.approx(np.array(LEANING), abs=1.5)


def test_grain_and_softness_do_not_hide_it() -> None:
    luma = filmed(shown(), LEANING).astype(np.int16)
    luma[1:-1, 1:-1] = (luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]) // 4
    luma += np.random.default_rng(2).integers(-6, 7, luma.shape, dtype=np.int16)

    screen = find_screen(np.clip(luma, 0, 255).astype(np.uint8), OUTLINE)

    assert screen is not None
    assert screen.corners == pytest.approx(np.array(LEANING), abs=2)


def test_upright_screen_is_no_more_than_its_rectangle() -> None:
    assert find_screen(filmed(shown(), UPRIGHT), UPRIGHT_OUTLINE) is None


@pytest.mark.parametrize(
    ("share", "is_found"),
    [(MIN_LEAN_SHARE / 2, False), (2 * MIN_LEAN_SHARE, True)],
)
def test_screen_must_lean_visibly(share: float, *, is_found: bool) -> None:
    screen = find_screen(filmed(shown(), lowered(share)), UPRIGHT_OUTLINE)

    assert (screen is not None) == is_found


@pytest.mark.parametrize(("off", "is_found"), [(0.9, True), (1.1, False)])
def test_corner_far_from_the_rectangle_is_none_of_its(off: float, *, is_found: bool) -> None:
    luma = filmed(shown(), lowered(MAX_LEAN_SHARE * off))

    screen = find_screen(luma, UPRIGHT_OUTLINE)

    assert (screen is not None) == is_found


@pytest.mark.parametrize(("step", "is_found"), [(MIN_STEP, False), (MIN_STEP + 1, True)])
def test_screen_must_stand_out_from_the_room(step: int, *, is_found: bool) -> None:
    luma = filmed(np.full((300, 570), 20 + step, np.uint8), LEANING, room=20)

    assert (find_screen(luma, OUTLINE) is not None) == is_found


@pytest.mark.parametrize(
    ("n_dark", "is_found"), [(N_SCANS - MIN_ON_SIDE - 1, True), (N_SCANS - MIN_ON_SIDE + 1, False)]
)
def test_enough_of_a_side_must_show(n_dark: int, *, is_found: bool) -> None:
    picture = shown()
    picture[:90, : round(570 * n_dark / N_SCANS)] = 20  # as dark as the room, along the upper side

    screen = find_screen(filmed(picture, LEANING), OUTLINE)

    assert (screen is not None) == is_found


def test_side_that_does_not_show_stays_where_it_was() -> None:
    known = find_screen(filmed(shown(), LEANING), OUTLINE)
    dark = shown(2)
    dark[:90] = 20

    screen = find_screen(filmed(dark, LEANING), OUTLINE, known)

    assert known is not None
    assert screen is not None
    assert screen.top == known.top
    assert screen.left != known.left
    assert screen.corners == pytest.approx(np.array(LEANING), abs=1.5)


def test_side_that_shows_moves_with_the_camera() -> None:
    known = find_screen(filmed(shown(), LEANING), OUTLINE)
    moved: Corners = tuple((x + 4, y + 3) for x, y in LEANING)  # type: ignore[assignment]  # four

    screen = find_screen(filmed(shown(), moved), OUTLINE, known)

    assert screen is not None
    assert screen.corners == pytest.approx(np.array(moved), abs=1.5)


def test_screen_cut_off_by_the_picture_has_no_side_there() -> None:
    luma = filmed(shown(), LEANING)

    screen = find_screen(luma[44:], Rectangle(0, 203, 50, 420))

    assert screen is None


@given(
    seed=st.integers(0, 2**32 - 1),
    sides=st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60), st.integers(0, 60)),
)
def test_whatever_is_found_lies_about_the_rectangle(
    seed: int, sides: tuple[int, int, int, int]
) -> None:
    rng = np.random.default_rng(seed)
    luma = np.kron(rng.integers(0, 256, (9, 16), dtype=np.uint8), np.ones((10, 10), np.uint8))
    outline = Rectangle(sides[0], 90 - sides[1], sides[2], 160 - sides[3])

    screen = find_screen(luma, outline)

    if screen is not None:
        corners = np.array(
            [(x, y) for y in (outline.y0, outline.y1) for x in (outline.x0, outline.x1)]
        )
        size = (outline.x1 - outline.x0, outline.y1 - outline.y0)
        assert (np.abs(screen.corners - corners) <= MAX_LEAN_SHARE * np.array(size)).all()
        assert screen.of(luma).size
