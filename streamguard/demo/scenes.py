"""The demo's pictures: seeded scenes in motion, the bars around them, and the known clip as a file.

Rule: a scene is its seed; the same seed, time and size give the same picture on every run.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

FPS = 30
"""Frames a second of everything the demo makes."""

_TEXELS = 512
"""Side of a scene's world, texels; the world repeats, so the camera never meets an edge."""

_LUMA_SLOPE, _CHROMA_SLOPE = 1.5, 2.0
"""Amplitude falls as 1 / frequency to this power: 1 is a photograph, more is softer and needs fewer
bits, 3 is blurred."""

_LOWEST_CYCLES = 2.0
"""Cycles a world below which the spectrum stays level, so that no view is one flat slope."""

_N_SHAPES = 3
"""Soft bright or dark boxes that cross the view."""

_BLACK = 16
_NEUTRAL = 128
"""Luma of black and chroma of grey, limited range. Source: ITU-R BT.709."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One 4:2:0 picture in limited range.

    luma:   (H, W) uint8; H and W are even.
    chroma: (2, H/2, W/2) uint8, blue difference first.
    """

    luma: NDArray[np.uint8]
    chroma: NDArray[np.uint8]

    def to_video_frame(self) -> av.VideoFrame:
        """Copy the planes into a frame for the encoder."""
        planes = np.concatenate((self.luma.ravel(), self.chroma.ravel()))
        return av.VideoFrame.from_ndarray(planes.reshape(-1, self.luma.shape[1]), format="yuv420p")


@dataclass(frozen=True, slots=True)
class Scene:
    """One place with things moving in it, for as long as one likes."""

    name: str
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class _World:
    """What a seed stands for.

    luma:     (T, T) float32, levels.
    chroma:   (2, T, T) float32, levels.
    start:    (2,) where the camera starts, worlds, vertical first.
    velocity: (2,) worlds a second.
    phase:    (3,) phases of sway, zoom and brightness, radians.
    shapes:   (S, 7) a shape a row: y, x, velocity y, velocity x (views a second), half height,
              half width (views), level.
    """

    luma: NDArray[np.float32]
    chroma: NDArray[np.float32]
    start: NDArray[np.float64]
    velocity: NDArray[np.float64]
    phase: NDArray[np.float64]
    shapes: NDArray[np.float64]


@lru_cache(maxsize=16)
def _world(seed: int) -> _World:
    """Draw everything that is random about a scene, once."""
    rng = np.random.default_rng(seed)
    heading = rng.uniform(0.0, 2.0 * np.pi)
    shapes = np.column_stack(
        (
            rng.uniform(0.0, 1.0, (_N_SHAPES, 2)),
            rng.choice((-1.0, 1.0), (_N_SHAPES, 2)) * rng.uniform(0.05, 0.15, (_N_SHAPES, 2)),
            rng.uniform(0.06, 0.16, (_N_SHAPES, 2)),
            rng.choice((50.0, 200.0), _N_SHAPES),
        )
    )
    return _World(
        luma=126.0 + 75.0 * np.tanh(1.2 * _field(rng, _LUMA_SLOPE)),
        chroma=_NEUTRAL + 14.0 * np.stack([_field(rng, _CHROMA_SLOPE) for _ in range(2)]),
        start=rng.uniform(0.0, 1.0, 2),
        velocity=0.02 * np.array((np.sin(heading), np.cos(heading))),
        phase=rng.uniform(0.0, 2.0 * np.pi, 3),
        shapes=shapes,
    )


def _field(rng: np.random.Generator, slope: float) -> NDArray[np.float32]:
    """Draw a (T, T) float32 random field that repeats, with mean 0 and variance 1."""
    noise = np.fft.rfft2(rng.standard_normal((_TEXELS, _TEXELS)))
    cycles = np.hypot(
        np.fft.fftfreq(_TEXELS, 1 / _TEXELS)[:, None], np.fft.rfftfreq(_TEXELS, 1 / _TEXELS)
    )
    noise[0, 0] = 0.0
    field = np.fft.irfft2(noise / np.maximum(cycles, _LOWEST_CYCLES) ** slope)
    unit: NDArray[np.float32] = (field / field.std()).astype(np.float32)
    return unit


def scene_frame(scene: Scene, t_s: float, width: int, height: int) -> Picture:
    """Take the picture of a scene at a time; the view fills whatever size is asked for.

    Args:
        scene: what to look at.
        t_s: scene time, seconds.
        width: even, pixels.
        height: even, pixels.
    """
    world = _world(scene.seed)
    sway, zoom, light = np.sin(world.phase + t_s * np.array((0.9, 0.7, 0.5)))
    span = 0.45 * (1.0 + 0.1 * zoom) * np.array((0.5625, 1.0))
    corner = world.start + world.velocity * t_s + 0.02 * sway - span / 2.0
    luma = _look(world.luma, corner, span, (height, width))
    for shape in world.shapes:
        _draw_shape(luma, shape, t_s)
    luma += 8.0 * light
    chroma = np.stack(
        [_look(plane, corner, span, (height // 2, width // 2)) for plane in world.chroma]
    )
    return Picture(luma=np.clip(luma, 16.0, 235.0).astype(np.uint8), chroma=chroma.astype(np.uint8))


def _look(
    plane: NDArray[np.float32],
    corner: NDArray[np.float64],
    span: NDArray[np.float64],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Cut a view out of a world that repeats, bilinear; -> (H, W) float32.

    corner, span: (2,) top left and extent of the view, worlds, vertical first.
    """
    (above, below, down), (left, right, across) = (
        _taps(float(corner[axis]), float(span[axis]), size[axis]) for axis in (0, 1)
    )
    rows = plane[above]
    rows += down[:, None] * (plane[below] - rows)
    view = rows.take(left, axis=1)
    view += across * (rows.take(right, axis=1) - view)
    return view


def _taps(
    corner: float, span: float, n_pixels: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Find the two texels beside each pixel centre on one axis, and the share of the second."""
    at = (corner + span * (np.arange(n_pixels) + 0.5) / n_pixels) * _TEXELS
    first = np.floor(at)
    index = first.astype(np.intp)
    return index % _TEXELS, (index + 1) % _TEXELS, (at - first).astype(np.float32)


def _draw_shape(luma: NDArray[np.float32], shape: NDArray[np.float64], t_s: float) -> None:
    """Blend one soft box into the view, in place; leaving on one side it returns on the other."""
    y, x, velocity_y, velocity_x, half_height, half_width, level = shape
    cover_y = _soft_edge(luma.shape[0], y + velocity_y * t_s, half_height)
    cover_x = _soft_edge(luma.shape[1], x + velocity_x * t_s, half_width)
    luma += np.outer(cover_y, cover_x) * (np.float32(level) - luma)


def _soft_edge(n_pixels: int, centre: float, half: float) -> NDArray[np.float32]:
    """Say how much of each pixel a shape covers on one axis; -> (n_pixels,) float32, 0..1."""
    at = (np.arange(n_pixels) + 0.5) / n_pixels
    away = (at - centre + 0.75) % 1.5 - 0.75
    cover: NDArray[np.float32] = np.exp(-((away / half) ** 4)).astype(np.float32)
    return cover


def letterboxed(picture: Picture, width: int, height: int) -> Picture:
    """Shrink a picture to width x height and centre it between black bars; the size stays.

    Args:
        picture: what was on the screen.
        width: of the content, pixels, a multiple of 4.
        height: of the content, pixels, a multiple of 4.
    """
    full_height, full_width = picture.luma.shape
    top, left = (full_height - height) // 4 * 2, (full_width - width) // 4 * 2
    small = VideoReformatter().reformat(
        picture.to_video_frame(), width, height, "yuv420p", threads=1
    )
    planes = small.to_ndarray()
    luma = np.full_like(picture.luma, _BLACK)
    luma[top : top + height, left : left + width] = planes[:height]
    chroma = np.full_like(picture.chroma, _NEUTRAL)
    chroma[:, top // 2 : (top + height) // 2, left // 2 : (left + width) // 2] = planes[
        height:
    ].reshape(2, height // 2, width // 2)
    return Picture(luma=luma, chroma=chroma)


def write_clip(
    path: Path, scene: Scene, seconds: float, width: int = 640, height: int = 360
) -> None:
    """Write a scene from its start as MP4 (H.264, good quality): what a bank is built from."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "18"}
        for index in range(round(seconds * FPS)):
            frame = scene_frame(scene, index / FPS, width, height).to_video_frame()
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
