import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.regions import (
    LEVEL_TOLERANCE,
    Rectangle,
    content_rectangle,
    count_bars,
)


def busy(height: int, width: int, seed: int = 1) -> NDArray[np.uint8]:
    """Paint a picture with no flat line in it."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def framed(luma: NDArray[np.uint8], margins: Rectangle, level: int) -> NDArray[np.uint8]:
    """Surround a picture with bars: y0 rows above, y1 below, x0 columns left, x1 right."""
    pad = ((margins.y0, margins.y1), (margins.x0, margins.x1))
    return np.pad(luma, pad, constant_values=level)


@pytest.mark.parametrize(
    "margins",
    [
        Rectangle(45, 45, 0, 0),
        Rectangle(0, 0, 80, 80),
        Rectangle(45, 60, 80, 100),
        Rectangle(60, 0, 0, 0),
        Rectangle(0, 0, 0, 90),
    ],
    ids=["letterbox", "pillarbox", "window", "top only", "right only"],
)
@pytest.mark.parametrize("level", [0, 16, 128, 235, 255])
def test_content_lies_between_bars_of_any_level(margins: Rectangle, level: int) -> None:
    luma = busy(270, 480)

    found = content_rectangle(framed(luma, margins, level))

    assert found == Rectangle(margins.y0, margins.y0 + 270, margins.x0, margins.x0 + 480)
    assert np.array_equal(found.of(framed(luma, margins, level)), luma)


@settings(max_examples=40, deadline=None)
@given(
    margins=st.builds(Rectangle, *[st.integers(4, 60)] * 4),
    height=st.integers(120, 240),
    width=st.integers(120, 240),
    noise=st.integers(0, LEVEL_TOLERANCE // 2),
    seed=st.integers(0, 2**16),
)
def test_codec_noise_in_the_bars_moves_no_edge(
    margins: Rectangle, height: int, width: int, noise: int, seed: int
) -> None:
    luma = framed(busy(height, width, seed), margins, 0).astype(np.int16) + 8
    ripple = np.random.default_rng(seed).integers(-noise, noise + 1, luma.shape)

    found = content_rectangle(np.clip(luma + ripple, 0, 255).astype(np.uint8))

    assert found == Rectangle(margins.y0, margins.y0 + height, margins.x0, margins.x0 + width)


@pytest.mark.parametrize(("off", "is_bar"), [(LEVEL_TOLERANCE, True), (LEVEL_TOLERANCE + 1, False)])
def test_line_belongs_to_the_bar_up_to_the_tolerance(off: int, *, is_bar: bool) -> None:
    luma = framed(busy(200, 300), Rectangle(20, 0, 0, 0), 16)
    luma[19, 150:] += np.uint8(off)

    found = content_rectangle(luma)

    assert found == Rectangle(20 if is_bar else 19, 220, 0, 300)


@pytest.mark.parametrize(("n_bright", "is_bar"), [(10, True), (11, False)])
def test_line_belongs_to_the_bar_while_nine_tenths_of_it_do(n_bright: int, *, is_bar: bool) -> None:
    luma = framed(busy(200, 100), Rectangle(20, 0, 0, 0), 16)
    luma[19, :n_bright] = 200

    found = content_rectangle(luma)

    assert found == Rectangle(20 if is_bar else 19, 220, 0, 100)


@pytest.mark.parametrize(("n_rows", "is_cut"), [(4, True), (3, False)])
def test_bar_thinner_than_one_percent_is_left_alone(n_rows: int, *, is_cut: bool) -> None:
    luma = busy(400, 400)
    luma[:n_rows] = 16

    found = content_rectangle(luma)

    assert found == (Rectangle(4, 400, 0, 400) if is_cut else None)


@pytest.mark.parametrize(("side", "is_kept"), [(200, True), (199, False)])
def test_content_smaller_than_a_quarter_is_no_content(side: int, *, is_kept: bool) -> None:
    luma = np.full((400, 400), 16, np.uint8)
    luma[50 : 50 + side, 80 : 80 + side] = busy(side, side)

    found = content_rectangle(luma)

    assert found == (Rectangle(50, 250, 80, 280) if is_kept else None)


def test_torn_line_at_the_very_edge_does_not_hide_a_bar() -> None:
    luma = framed(busy(300, 400), Rectangle(40, 40, 0, 0), 16)
    luma[0] = busy(1, 400)[0]

    found = content_rectangle(luma)

    assert found == Rectangle(40, 340, 0, 400)


@pytest.mark.parametrize(
    "luma",
    [
        busy(270, 480),
        np.full((270, 480), 16, np.uint8),
        busy(2, 2),
        np.zeros((1, 1), np.uint8),
    ],
    ids=["busy", "plain", "tiny", "one pixel"],
)
def test_picture_without_bars_has_no_rectangle(luma: NDArray[np.uint8]) -> None:
    assert content_rectangle(luma) is None


@pytest.mark.parametrize(
    ("content", "n_bars"),
    [
        (Rectangle(32, 232, 0, 300), 2),
        (Rectangle(0, 264, 40, 260), 2),
        (Rectangle(32, 232, 40, 260), 4),
        (Rectangle(0, 232, 0, 300), 1),
        (Rectangle(0, 264, 0, 300), 0),
    ],
    ids=["letterbox", "pillarbox", "window", "one bar", "none"],
)
def test_bars_are_counted_where_they_are(content: Rectangle, n_bars: int) -> None:
    luma = np.full((264, 300), 16, np.uint8)
    content.of(luma)[:] = busy(content.y1 - content.y0, content.x1 - content.x0)

    assert count_bars(luma, content) == n_bars
    assert count_bars(busy(264, 300), content) == 0


@pytest.mark.parametrize(("n_busy", "holds"), [(4, True), (5, False)])
def test_bar_holds_while_three_quarters_of_its_lines_are_flat(n_busy: int, *, holds: bool) -> None:
    luma = framed(busy(200, 300), Rectangle(16, 0, 0, 0), 16)
    luma[:n_busy] = busy(n_busy, 300)

    assert count_bars(luma, Rectangle(16, 216, 0, 300)) == holds


def test_padding_of_rows_is_not_seen() -> None:
    luma = framed(busy(270, 480), Rectangle(30, 30, 50, 50), 16)
    padded = np.full((330, 640), 99, np.uint8)
    padded[:, :580] = luma

    assert content_rectangle(padded[:, :580]) == content_rectangle(luma)


def test_area_is_zero_where_the_ends_pass_each_other() -> None:
    assert Rectangle(10, 4, 0, 5).area == 0
    assert Rectangle(0, 2, 0, 3).area == 6
