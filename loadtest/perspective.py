"""Where the corners of a screen land in the picture of a camera that films it.

Rule: geometry only. The camera stands DISTANCE screen widths away, aimed at the screen's middle.
"""

from dataclasses import dataclass

import numpy as np

DISTANCE = 1.6
"""From the camera to the screen, in widths of the screen: somebody who films a monitor."""


@dataclass(frozen=True, slots=True)
class Angles:
    """How the screen is turned against the camera, degrees.

    yaw, pitch, roll: about the upright, the level and the viewing axis.
    zoom:             1 shows a screen that is not turned edge to edge; less shows the room, too.
    """

    yaw: float
    pitch: float
    roll: float
    zoom: float = 1.0


def projected(angles: Angles, aspect: float) -> tuple[tuple[float, float], ...]:
    """Project the corners of a screen of this width by height.

    Returns:
        Four points (x, y), shares of the picture's width and height from the top left, in the order
        of ffmpeg's perspective: top left, top right, bottom left, bottom right.
    """
    half_height = 0.5 / aspect
    corners = np.array([(x, y, 0.0) for y in (-half_height, half_height) for x in (-0.5, 0.5)])
    turned = corners @ _turn(angles).T
    scale = angles.zoom * DISTANCE / (DISTANCE + turned[:, 2])
    x_share = 0.5 + turned[:, 0] * scale
    y_share = 0.5 + turned[:, 1] * scale * aspect
    return tuple((float(x), float(y)) for x, y in zip(x_share, y_share, strict=True))


def _turn(angles: Angles) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Give the rotation: roll, then pitch, then yaw."""
    yaw, pitch, roll = np.radians([angles.yaw, angles.pitch, angles.roll])
    about_x = [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    about_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    about_z = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    matrix = np.array(about_y) @ np.array(about_x) @ np.array(about_z)
    return np.asarray(matrix, np.float64)
