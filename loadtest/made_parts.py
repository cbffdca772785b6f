"""Parts that made scenes are composed of: noise, photographs, sprites, lettering.

Rule: all chance comes from the generator that is passed in; the same seed gives the same picture.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 640, 360
"""Of every made picture, pixels."""

Chance: TypeAlias = np.random.Generator
Paint: TypeAlias = Callable[[float], Image.Image]
"""Paints the RGB picture, WIDTH x HEIGHT, of a moment in seconds."""

Colour: TypeAlias = tuple[int, int, int]

WORDS = (
    *("river", "stone", "morning", "paper", "garden", "engine", "window", "market", "winter"),
    *("signal", "bridge", "orange", "teacher", "mountain", "letter", "copper", "island", "summer"),
    *("kitchen", "railway", "planet", "thunder", "village", "pocket", "harvest", "silver"),
    *("captain", "library", "forest", "lantern", "bicycle", "number", "question", "answer"),
)


def lettering(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give Pillow's own typeface at a size, pixels."""
    return ImageFont.load_default(size)


def words(chance: Chance, n_words: int) -> str:
    """Give so many words that mean nothing."""
    return " ".join(str(word) for word in chance.choice(WORDS, n_words))


def colour(chance: Chance, low: int = 20, high: int = 235) -> Colour:
    """Draw a colour, each part from low to high."""
    red, green, blue = (int(part) for part in chance.integers(low, high + 1, 3))
    return red, green, blue


def noise(chance: Chance, width: int, height: int, coarsest: int = 4) -> NDArray[np.float32]:
    """Draw clouds: (height, width) float32 in 0..1, octaves from `coarsest` cells on."""
    total = np.zeros((height, width), np.float32)
    cells, weight = coarsest, 1.0
    while cells * 2 < min(width, height):
        grid = chance.random((cells + 1, max(2, cells * width // height) + 1), np.float32)
        octave = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += weight * np.asarray(octave)
        cells, weight = cells * 2, weight * 0.55
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / (high - low), np.float32)


def toned(levels: NDArray[np.floating[Any]], colours: list[Colour]) -> Image.Image:
    """Colour a field of 0..1 by a ramp through these colours."""
    at = np.linspace(0, 1, len(colours))
    table = np.array(colours, np.float32)
    ramp = np.stack([np.interp(np.linspace(0, 1, 256), at, table[:, i]) for i in range(3)], 1)
    return Image.fromarray(ramp.astype(np.uint8)[(levels * 255).astype(np.uint8)])


def backdrop(chance: Chance, width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Draw a textured ground of three colours, dark to light: PDQ asks for contrast."""
    ramp = [colour(chance, 5, 90), colour(chance, 60, 190), colour(chance, 160, 250)]
    return toned(noise(chance, width, height, int(chance.integers(3, 9))), ramp)


def photograph(chance: Chance, width: int, height: int) -> Image.Image:
    """Draw what passes for a photograph: sky, ridges with texture, things in front."""
    sky = toned(
        (noise(chance, width, height, 2) + np.linspace(0, 1, height, dtype=np.float32)[:, None])
        / 2,
        [colour(chance, 40, 140), colour(chance, 120, 250), (250, 240, 225)],
    )
    ground = backdrop(chance, width, height)
    ridge = Image.new("L", (width, height))
    draw = ImageDraw.Draw(ridge)
    for layer in range(3):
        level = height * (0.4 + 0.2 * layer)
        steps = chance.normal(0, height * 0.05, 24).cumsum()
        xs = np.linspace(0, width, 24)
        line = [
            (float(x), float(level + dy - steps.mean())) for x, dy in zip(xs, steps, strict=True)
        ]
        draw.polygon([*line, (width, height), (0, height)], fill=110 + 60 * layer)
    sky.paste(ground, mask=ridge)
    front = ImageDraw.Draw(sky)
    for _ in range(int(chance.integers(8, 22))):
        thing(front, chance, width, height)
    return sky


def thing(draw: ImageDraw.ImageDraw, chance: Chance, width: int, height: int) -> None:
    """Draw a house, a ball or a pole somewhere in the lower two thirds."""
    x, y = float(chance.uniform(0, width)), float(chance.uniform(height * 0.35, height))
    size = float(chance.uniform(0.03, 0.14)) * height
    fill, edge = colour(chance), colour(chance, 0, 80)
    match int(chance.integers(3)):
        case 0:
            draw.rectangle((x, y - 2 * size, x + 1.5 * size, y), fill, edge, 2)
            for window in range(3):
                left = x + size * (0.15 + 0.45 * window)
                draw.rectangle((left, y - 1.6 * size, left + size * 0.25, y - size), edge)
        case 1:
            draw.ellipse((x - size, y - size, x + size, y + size), fill, edge, 2)
        case _:
            draw.line((x, y, x + size * 0.2, y - 3 * size), fill, max(2, int(size * 0.2)))
            draw.ellipse((x - size, y - 4 * size, x + size, y - 2.4 * size), fill)


def window(picture: Image.Image, x: float, y: float, zoom: float, turn: float) -> Image.Image:
    """Look at a part of a picture: its middle x, y in pixels, zoom, turn in radians."""
    cos, sin = np.cos(turn) / zoom, np.sin(turn) / zoom
    left = x - cos * WIDTH / 2 + sin * HEIGHT / 2
    top = y - sin * WIDTH / 2 - cos * HEIGHT / 2
    affine = (cos, -sin, left, sin, cos, top)
    return picture.transform(
        (WIDTH, HEIGHT), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR
    )
