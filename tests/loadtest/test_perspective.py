import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.perspective import Angles, projected

ASPECT = 16 / 9
degrees = st.floats(-8, 8)


def test_a_screen_that_is_not_turned_fills_the_picture() -> None:
    corners = projected(Angles(0, 0, 0), ASPECT)

    assert [pytest.approx(point) for point in ((0, 0), (1, 0), (0, 1), (1, 1))] == list(corners)


def test_a_smaller_zoom_leaves_room_around() -> None:
    corners = projected(Angles(0, 0, 0, zoom=0.9), ASPECT)

    assert corners[0] == pytest.approx((0.05, 0.05))
    assert corners[3] == pytest.approx((0.95, 0.95))


@given(yaw=degrees, pitch=degrees, roll=degrees)
def test_turning_the_other_way_mirrors_the_corners(yaw: float, pitch: float, roll: float) -> None:
    there = projected(Angles(yaw, pitch, roll), ASPECT)
    back = projected(Angles(-yaw, pitch, -roll), ASPECT)

    for (x, y), (mirrored_x, mirrored_y) in zip(
        there, (back[1], back[0], back[3], back[2]), strict=True
    ):
        assert x == pytest.approx(1 - mirrored_x, abs=1e-6)
        assert y == pytest.approx(mirrored_y, abs=1e-6)


def test_the_side_that_is_turned_away_is_shorter() -> None:
    top_left, top_right, bottom_left, bottom_right = projected(Angles(6, 0, 0), ASPECT)

    left, right = bottom_left[1] - top_left[1], bottom_right[1] - top_right[1]
    assert abs(left - right) == pytest.approx(0.065, abs=0.005)  # 2 * sin(6) * half / distance
