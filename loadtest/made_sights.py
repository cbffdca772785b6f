"""Made scenes of places: panned photographs, fly-overs, crowds, fireworks, night, water.

Rule: each function draws what a seed decides once, and gives what paints a moment of it.
"""

from math import pi, sin

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from loadtest.made_parts import (
    HEIGHT,
    WIDTH,
    Chance,
    Paint,
    backdrop,
    colour,
    noise,
    photograph,
    toned,
    window,
)


def handheld_landscape(chance: Chance) -> Paint:
    """Pan over a photograph with a shaky hand."""
    return _handheld(photograph(chance, 1280, 720), chance)


def handheld_city(chance: Chance) -> Paint:
    """Pan over house fronts with a shaky hand."""
    front = toned(noise(chance, 1280, 720, 3), [colour(chance, 90, 160), colour(chance, 160, 250)])
    draw = ImageDraw.Draw(front)
    x = 0
    while x < 1280:
        wide, top = int(chance.integers(70, 190)), int(chance.integers(60, 420))
        draw.rectangle((x, top, x + wide, 720), colour(chance), (30, 30, 30), 2)
        pane, step = colour(chance), int(chance.integers(22, 40))
        for wy in range(top + 14, 700, step):
            for wx in range(x + 8, x + wide - 12, step):
                draw.rectangle((wx, wy, wx + step // 2, wy + step // 2), pane)
        x += wide
    return _handheld(front, chance)


def _handheld(picture: Image.Image, chance: Chance) -> Paint:
    rate, phase = chance.uniform(0.25, 0.6, 4), chance.uniform(0, 2 * pi, 4)
    shake = chance.uniform(1, 5, 2)

    def paint(at_s: float) -> Image.Image:
        slow = [sin(r * at_s * 2 + p) for r, p in zip(rate, phase, strict=True)]
        x = 640 + 210 * slow[0] + shake[0] * sin(at_s * 17)
        y = 360 + 90 * slow[1] + shake[1] * sin(at_s * 23 + 1)
        return window(picture, x, y, 1.15 + 0.2 * slow[2], 0.07 * slow[3])

    return paint


def fly_over(chance: Chance) -> Paint:
    """Fly over fields and water, turning; seen from above."""
    ramp = [
        colour(chance, 0, 60),
        colour(chance, 40, 140),
        colour(chance, 100, 210),
        colour(chance, 190, 250),
    ]
    levels = noise(chance, 1400, 1400, 11)
    land = toned(levels, ramp)
    draw = ImageDraw.Draw(land)
    for _ in range(60):
        x, y = (int(v) for v in chance.integers(0, 1300, 2))
        draw.rectangle((x, y, x + int(chance.integers(20, 110)), y + 40), colour(chance))
    reach, rate = float(chance.uniform(200, 330)), float(chance.uniform(0.12, 0.3))
    turn = float(chance.uniform(-0.25, 0.25))

    def paint(at_s: float) -> Image.Image:
        x, y = 700 + reach * sin(rate * at_s * 2), 700 + reach * sin(rate * at_s * 3 + 1)
        return window(land, x, y, 1.1 + 0.25 * sin(at_s * 0.5), turn * at_s)

    return paint


def crowd(chance: Chance) -> Paint:
    """Watch rows of people who bob and sway before a lit stage."""
    stage = backdrop(chance)
    people = []
    for row in range(5):
        for seat in range(9 + row):
            at = (seat + 0.5 + chance.uniform(-0.3, 0.3)) / (9 + row)
            people.append(
                (
                    at * WIDTH,
                    150 + row * 45,
                    20 + row * 6,
                    colour(chance),
                    colour(chance, 60, 220),
                    chance.uniform(0.5, 2, 2),
                )
            )
    sweep = float(chance.uniform(0.4, 1.0))

    def paint(at_s: float) -> Image.Image:
        picture = stage.copy()
        draw = ImageDraw.Draw(picture)
        for beam in range(3):
            x = WIDTH * (0.5 + 0.45 * sin(at_s * sweep + beam * 2))
            draw.polygon(
                [(WIDTH * (beam + 1) / 4, 0), (x - 60, 260), (x + 60, 260)], (240, 230, 180)
            )
        for x, y, size, coat, skin, rate in people:
            px, py = x + 14 * sin(at_s * rate[0]), y - 16 * abs(sin(at_s * rate[1] * 2))
            draw.ellipse((px - size * 1.4, py + size * 0.7, px + size * 1.4, py + size * 4), coat)
            draw.ellipse((px - size, py - size, px + size, py + size), skin, (20, 20, 20))
        return picture

    return paint


def fireworks(chance: Chance) -> Paint:
    """Burst particles over a town, each on its way down."""
    town = photograph(chance, WIDTH, HEIGHT).point(lambda level: int(level * 0.6))
    bursts = [
        (
            float(chance.uniform(60, 580)),
            float(chance.uniform(40, 200)),
            chance.uniform(-110, 110, (60, 2)),
            colour(chance, 120, 255),
        )
        for _ in range(12)
    ]
    pace = float(chance.uniform(0.7, 1.2))

    def paint(at_s: float) -> Image.Image:
        picture = town.copy()
        draw = ImageDraw.Draw(picture)
        for number, (x, y, ways, coat) in enumerate(bursts):
            age = (at_s * pace + number * 0.9) % 3.6
            px, py = x + ways[:, 0] * age * 0.8, y + ways[:, 1] * age * 0.8 + 26 * age * age
            size = max(1.0, 7 - 2 * age)
            for dot_x, dot_y in zip(px.tolist(), py.tolist(), strict=True):
                draw.ellipse((dot_x - size, dot_y - size, dot_x + size, dot_y + size), coat)
        return picture

    return paint


def night_street(chance: Chance) -> Paint:
    """Stand in a dark street: lamps, lit windows, cars that pass."""
    street = photograph(chance, WIDTH, HEIGHT).point(lambda level: int(level * 0.22))
    draw = ImageDraw.Draw(street)
    for _ in range(40):
        x, y = int(chance.integers(0, WIDTH)), int(chance.integers(40, 240))
        draw.rectangle((x, y, x + 8, y + 12), (200, 170, int(chance.integers(40, 140))))
    cars = [
        (
            float(chance.uniform(0, 3)),
            float(chance.uniform(-260, 260)),
            int(chance.integers(250, 330)),
            colour(chance, 10, 70),
        )
        for _ in range(7)
    ]

    def paint(at_s: float) -> Image.Image:
        picture = street.copy()
        draw = ImageDraw.Draw(picture)
        for start, pace, y, coat in cars:
            x = (start * 400 + at_s * pace) % (WIDTH + 240) - 120
            draw.rectangle((x, y, x + 90, y + 28), coat)
            lamp = x + (92 if pace > 0 else -10)
            draw.ellipse((lamp - 8, y + 6, lamp + 10, y + 22), (255, 240, 200))
        return picture.filter(ImageFilter.GaussianBlur(1.2))

    return paint


def water(chance: Chance) -> Paint:
    """Watch a shore mirrored in moving water."""
    shore = photograph(chance, WIDTH + 200, HEIGHT)
    waves = chance.uniform(0.02, 0.12, 3), chance.uniform(1, 4, 3)
    rows = np.arange(HEIGHT // 2)
    drift = float(chance.uniform(8, 25))

    def paint(at_s: float) -> Image.Image:
        left = int(100 + 90 * sin(at_s * drift / 60))
        above = np.asarray(shore.crop((left, 100, left + WIDTH, 100 + HEIGHT // 2)))
        sway = sum(np.sin(rows * k + at_s * w) for k, w in zip(*waves, strict=True)) * (
            2 + rows / 18
        )
        columns = (np.arange(WIDTH)[None, :] + sway[:, None].astype(np.int64)) % WIDTH
        below = above[::-1][rows[:, None], columns] // 4 * 3
        return Image.fromarray(np.concatenate([above, below]))

    return paint
