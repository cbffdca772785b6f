import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.edges import (
    N_BLOCKS,
    LineMemory,
    Lines,
    lines_between_columns,
    lines_between_rows,
)
from streamguard.core.insets import (
    MAX_CANDIDATES,
    MIN_APART_SHARE,
    MIN_AREA_SHARE,
    MIN_DENSITY,
    MIN_LONG_SHARE,
    MIN_SHORT_SHARE,
    MIN_STRETCH,
    MIN_WORTH,
    find_insets,
)
from streamguard.core.regions import Rectangle
from tests.core.made_layouts import scene, window

SIDE = 160
BLANK = np.zeros((SIDE, SIDE), np.uint8)


def insets(*pictures: NDArray[np.uint8]) -> tuple[Rectangle, ...]:
    """Find the insets that show after several pictures."""
    rows, columns = LineMemory(), LineMemory()
    for luma in pictures:
        between_rows = rows.join(lines_between_rows(luma))
        between_columns = columns.join(lines_between_columns(luma))
    return find_insets(between_rows, between_columns, luma)


def drawn(edges: dict[int, tuple[int, int]], density: float = 1.0) -> Lines:
    """Give lines of a picture of SIDE, marked at these places from one block to another."""
    lines = Lines(np.zeros((N_BLOCKS, SIDE - 5), np.float32), step=1)
    for place, (start, end) in edges.items():
        lines.density[start:end, place - lines.place_of(0)] = density
    return lines


@pytest.mark.parametrize("shape", [(360, 640), (720, 1280), (1080, 1920)])
@pytest.mark.parametrize(
    ("top", "left", "size"),
    [(0.25, 0.25, 0.5), (0.05, 0.45, 0.5), (0.3, 0.1, 0.6), (0.1, 0.2, 0.75), (0.05, 0.05, 0.9)],
    ids=["half", "half at the right", "off-centre", "three quarters", "nine tenths"],
)
def test_window_over_a_scene_comes_first_and_true_to_the_pixel(
    shape: tuple[int, int], top: float, left: float, size: float
) -> None:
    height, width = shape
    y0, x0 = int(top * height) + 1, int(left * width) + 1
    inset = Rectangle(y0, y0 + int(size * height), x0, x0 + int(size * width))

    assert insets(window(shape, inset, seed=5))[0] == inset


@settings(max_examples=60, deadline=None)
@given(
    y0=st.integers(16, 200),
    x0=st.integers(16, 400),
    height=st.integers(150, 320),
    width=st.integers(200, 600),
    seed=st.integers(0, 900),
)
def test_window_that_stays_while_all_else_moves_is_among_the_candidates(
    y0: int, x0: int, height: int, width: int, seed: int
) -> None:
    inset = Rectangle(y0, min(344, y0 + height), x0, min(624, x0 + width))
    if inset.y1 - inset.y0 < 0.36 * 360 or inset.x1 - inset.x0 < 0.19 * 640:
        return

    found = insets(*(window((360, 640), inset, seed + 3 * i) for i in range(3)))

    assert inset in found
    assert len(found) <= MAX_CANDIDATES


def test_what_lies_beside_a_panel_is_a_candidate() -> None:
    luma = scene(720, 1280, seed=1)
    luma[:, 1000:] = 24

    assert Rectangle(0, 720, 0, 1000) in insets(luma)


def test_what_lies_above_a_banner_is_a_candidate() -> None:
    luma = scene(720, 1280, seed=1)
    luma[612:] = scene(108, 1280, seed=2)

    assert Rectangle(0, 612, 0, 1280) in insets(luma)


@pytest.mark.parametrize(
    "luma",
    [
        np.full((720, 1280), 90, np.uint8),
        np.add.outer(np.arange(720) // 6, np.arange(1280) // 12).astype(np.uint8),
        np.random.default_rng(1).integers(0, 256, (720, 1280), dtype=np.uint8),
        scene(720, 1280, seed=8),
        np.zeros((2, 2), np.uint8),
    ],
    ids=["flat", "gradient", "noise", "scene", "tiny"],
)
def test_picture_without_straight_edges_has_no_insets(luma: NDArray[np.uint8]) -> None:
    assert insets(luma) == ()
    assert insets(luma, luma, luma) == ()


def test_four_sides_make_a_rectangle() -> None:
    rows = drawn({40: (4, 12), 120: (4, 12)})
    columns = drawn({40: (4, 12), 120: (4, 12)})

    assert find_insets(rows, columns, BLANK)[0] == Rectangle(40, 120, 40, 120)


def test_corners_count_no_edge_goes_on_past_the_right_ones() -> None:
    rows = drawn({20: (4, 12), 100: (0, 16), 140: (4, 12)})
    columns = drawn({40: (2, 14), 120: (2, 14)})

    best, *_ = find_insets(rows, columns, BLANK)

    assert best == Rectangle(20, 140, 40, 120)


@pytest.mark.parametrize(
    ("density", "is_side"), [(MIN_DENSITY + 0.01, True), (MIN_DENSITY - 0.01, False)]
)
def test_side_is_marked_over_a_least_share(density: float, *, is_side: bool) -> None:
    rows = drawn({120: (0, 16)})
    rows.density[[0, 1, 2, 13, 14, 15], 40 - rows.place_of(0)] = density * 16 / 6

    found = find_insets(rows, drawn({}), BLANK)

    assert (Rectangle(40, 120, 0, SIDE) in found) is is_side


@pytest.mark.parametrize(
    ("density", "is_good"), [(MIN_WORTH + 0.01, True), (MIN_WORTH - 0.01, False)]
)
def test_edges_have_a_least_worth_on_average(density: float, *, is_good: bool) -> None:
    rows = drawn({40: (0, 16), 120: (0, 16)}, density)
    rows.density[6:10] = 0.0
    rows.density[:] *= 16 / 12

    found = find_insets(rows, drawn({}), BLANK)

    assert (Rectangle(40, 120, 0, SIDE) in found) is is_good


@pytest.mark.parametrize(("short", "is_large"), [(0, True), (1, False)])
@pytest.mark.parametrize("width", [SIDE, SIDE - 1], ids=["as wide as high", "upright"])
def test_inset_has_a_least_height_and_width(width: int, short: int, *, is_large: bool) -> None:
    shares = (MIN_SHORT_SHARE, MIN_LONG_SHARE)
    of_height, of_width = shares if width == SIDE else shares[::-1]
    y1 = 20 + int(np.ceil(of_height * SIDE)) - short
    x1 = 20 + int(np.ceil(of_width * width)) - short
    luma = BLANK[:, :width]

    lowest = find_insets(drawn({20: (0, 16), y1: (0, 16)}), drawn({}), luma)
    narrowest = find_insets(drawn({}), drawn({20: (0, 16), x1: (0, 16)}), luma)

    assert (Rectangle(20, y1, 0, width) in lowest) is is_large
    assert (Rectangle(0, SIDE, 20, x1) in narrowest) is is_large


@pytest.mark.parametrize(("short", "is_large"), [(0, True), (1, False)])
def test_inset_has_a_least_area(short: int, *, is_large: bool) -> None:
    height = 60
    width = int(np.ceil(MIN_AREA_SHARE * SIDE * SIDE / height)) - short
    rows = drawn({20: (2, 6), 20 + height: (2, 6)})
    columns = drawn({20: (2, 8), 20 + width: (2, 8)})

    found = find_insets(rows, columns, BLANK)

    assert (Rectangle(20, 20 + height, 20, 20 + width) in found) is is_large


@pytest.mark.parametrize(("density", "is_edge"), [(0.46, True), (0.44, False)])
def test_edge_has_a_least_stretch(density: float, *, is_edge: bool) -> None:
    assert 3 * (0.44 - MIN_DENSITY) < MIN_STRETCH < 3 * (0.46 - MIN_DENSITY)
    rows, columns = drawn({40: (6, 9), 120: (6, 9)}, density), drawn({60: (4, 12), 90: (4, 12)})

    found = find_insets(rows, columns, BLANK)

    assert (Rectangle(40, 120, 60, 90) in found) is is_edge


@pytest.mark.parametrize(("even", "uneven"), [(40, 80), (80, 40)])
def test_of_edges_marked_alike_the_even_one_is_better(even: int, uneven: int) -> None:
    rows = drawn({even: (0, 16), uneven: (4, 16)}, density=0.8)
    rows.density[:, even - rows.place_of(0)] = 0.6
    sums = rows.density.sum(axis=0)
    assert sums[even - rows.place_of(0)] == pytest.approx(sums[uneven - rows.place_of(0)])

    best, *_ = find_insets(rows, drawn({}), BLANK)

    assert even in {best.y0, best.y1}


def test_of_rectangles_marked_alike_the_larger_comes_first() -> None:
    edges = {16: (2, 7), 72: (2, 7), 80: (8, 15), 152: (8, 15)}

    best, second, *_ = find_insets(drawn(edges), drawn(edges), BLANK)

    assert best == Rectangle(80, 152, 80, 152)
    assert second == Rectangle(16, 72, 16, 72)


@pytest.mark.parametrize(("off", "n_found"), [(24, 1), (25, 2)])
def test_rectangles_that_hardly_differ_are_one(off: int, n_found: int) -> None:
    assert 24 <= MIN_APART_SHARE * 2000 < 25
    lines = Lines(np.zeros((N_BLOCKS, 2000), np.float32), step=1)
    lines.density[:, [500, 500 + off]] = [1.0, 0.9]

    found = find_insets(lines, drawn({}), np.zeros((2000, 2000), np.uint8))

    assert [inset.y1 for inset in found] == [2000] * n_found


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_no_layout_has_more_candidates_than_the_budget_allows(seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows, columns = (
        Lines(chance.choice([0, 1], (N_BLOCKS, 155), p=[0.4, 0.6]).astype(np.float32), 1)
        for _ in range(2)
    )

    found = find_insets(rows, columns, BLANK)

    assert 0 < len(found) <= MAX_CANDIDATES
    assert Rectangle(0, SIDE, 0, SIDE) not in found
    assert all(0 <= r.y0 < r.y1 <= SIDE and 0 <= r.x0 < r.x1 <= SIDE for r in found)
