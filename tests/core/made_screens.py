"""Draws what a camera sees that films a screen from aside."""

import numpy as np
from numpy.typing import NDArray

Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""x and y, pixels: top left, top right, bottom left, bottom right."""

LEANING: Corners = ((62.0, 30.0), (405.0, 44.0), (50.0, 232.0), (420.0, 247.0))
UPRIGHT: Corners = ((60.0, 40.0), (420.0, 40.0), (60.0, 230.0), (420.0, 230.0))


def shown(seed: int = 1, shape: tuple[int, int] = (300, 570)) -> NDArray[np.uint8]:
    """Paint tiles of many levels, all brighter than a dark room and darker than a white one."""
    tiles = np.random.default_rng(seed).integers(70, 230, (10, 19), dtype=np.uint8)
    return np.kron(tiles, np.ones((shape[0] // 10, shape[1] // 19), np.uint8))


def filmed(
    picture: NDArray[np.uint8],
    corners: Corners,
    *,
    shape: tuple[int, int] = (270, 480),
    room: int = 20,
) -> NDArray[np.uint8]:
    """Paint a room of one level, (H, W) uint8, in which a screen shows a picture."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    back = np.linalg.inv(_matrix(corners))
    u, v, w = np.tensordot(back, np.stack([x, y, np.ones_like(x)]), axes=1)
    row = np.floor(v / w * picture.shape[0]).astype(int)
    column = np.floor(u / w * picture.shape[1]).astype(int)
    inside = (row >= 0) & (row < picture.shape[0]) & (column >= 0) & (column < picture.shape[1])
    luma = np.full(shape, room, np.uint8)
    luma[inside] = picture[row[inside], column[inside]]
    return luma


def _matrix(corners: Corners) -> NDArray[np.float64]:
    """Solve for the homography that takes the unit square to the corners."""
    lines, values = [], []
    for (u, v), (x, y) in zip(((0, 0), (1, 0), (0, 1), (1, 1)), corners, strict=True):
        lines += [[u, v, 1, 0, 0, 0, -u * x, -v * x], [0, 0, 0, u, v, 1, -u * y, -v * y]]
        values += [x, y]
    return np.append(np.linalg.solve(np.array(lines, float), np.array(values)), 1.0).reshape(3, 3)
