import numpy as np
import pytest
from numpy.typing import NDArray

from streamguard.core.pdq import hash_luma
from streamguard.core.pdq_reference import SIDE
from streamguard.core.quad import Quad, Side, pixels_at
from streamguard.core.types import MATCH_DISTANCE_BITS
from tests.core.made_screens import LEANING, Corners, filmed, shown


def quad_between(corners: Corners) -> Quad:
    """Give the quad with these corners."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    across = [
        Side(s := (b - a) / (d - c), a - s * c)
        for a, b, c, d in ((y0, y1, x0, x1), (y2, y3, x2, x3))
    ]
    down = [
        Side(s := (b - a) / (d - c), a - s * c)
        for a, b, c, d in ((x0, x2, y0, y2), (x1, x3, y1, y3))
    ]
    return Quad(*across, *down)


def bits_between(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int(np.bitwise_count(one ^ other).sum())


def test_sides_meet_in_the_corners() -> None:
    assert quad_between(LEANING).corners == pytest.approx(np.array(LEANING))


def test_upright_quad_is_the_rectangle_shrunk() -> None:
    luma = np.repeat(np.arange(0, 192, dtype=np.uint8)[:, None], 320, axis=1)
    quad = Quad(Side(0, 0), Side(0, 192), Side(0, 64), Side(0, 256))

    straight = quad.of(luma)

    assert straight.shape == (SIDE, SIDE)
    assert np.array_equal(straight[:, 0], np.arange(1, 192, 3))
    assert (straight == straight[:, :1]).all()


def test_points_are_weighed_as_a_tent() -> None:
    luma = np.zeros((192, 192), np.uint8)
    luma[:, 1::3] = 160  # the middle one of each three points
    quad = Quad(Side(0, 0), Side(0, 192), Side(0, 0), Side(0, 192))

    straight = quad.of(luma)

    assert (straight == 80).all()


@pytest.mark.parametrize("seed", range(5))
def test_filmed_picture_turned_straight_matches_the_picture(seed: int) -> None:
    picture = shown(seed)
    luma = filmed(picture, LEANING)

    straight = hash_luma(quad_between(LEANING).of(luma), full_range=True)

    known = hash_luma(picture, full_range=True)
    assert bits_between(straight.bits, known.bits) <= MATCH_DISTANCE_BITS
    assert bits_between(hash_luma(luma, full_range=True).bits, known.bits) > MATCH_DISTANCE_BITS


def test_rows_may_be_padded() -> None:
    luma = filmed(shown(), LEANING)
    padded = np.zeros((270, 512), np.uint8)
    padded[:, :480] = luma

    straight = quad_between(LEANING).of(padded[:, :480])

    assert np.array_equal(straight, quad_between(LEANING).of(luma))


def test_what_lies_outside_is_the_border() -> None:
    luma = np.full((100, 100), 50, np.uint8)
    luma[0], luma[-1] = 10, 90
    quad = Quad(Side(0, -60), Side(0, -20), Side(0, -5), Side(0, 130))

    straight = quad.of(luma)

    assert (straight == 10).all()


def test_pixels_are_read_at_rows_by_columns() -> None:
    luma = np.arange(12, dtype=np.uint8).reshape(3, 4)
    rows, columns = np.array([[0.0], [2.9]], np.float32), np.array([[1.0, 3.9]], np.float32)

    assert pixels_at(luma, rows, columns).tolist() == [[1, 3], [9, 11]]
