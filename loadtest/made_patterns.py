"""Made scenes of patterns: fractals, plasma, tunnels, shapes, solids, cells, gradients.

Rule: each function draws what a seed decides once, and gives what paints a moment of it.
"""

from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw

from loadtest.made_parts import (
    HEIGHT,
    WIDTH,
    Chance,
    Paint,
    backdrop,
    colour,
    noise,
    toned,
    window,
)

_X = np.linspace(-1.6, 1.6, WIDTH // 2, dtype=np.float32)[None, :]
_Y = np.linspace(-0.9, 0.9, HEIGHT // 2, dtype=np.float32)[:, None]


def fractal_zoom(chance: Chance) -> Paint:
    """Zoom and turn in a Julia set whose constant wanders."""
    angle, radius = float(chance.uniform(0, 2 * pi)), float(chance.uniform(0.7, 0.8))
    ramp = [colour(chance) for _ in range(6)]
    wander, turn = float(chance.uniform(0.03, 0.08)), float(chance.uniform(-0.3, 0.3))
    middle = complex(*chance.uniform(-0.4, 0.4, 2))

    def paint(at_s: float) -> Image.Image:
        point = radius * np.exp(1j * (angle + wander * at_s))
        look = np.exp(1j * turn * at_s) * (0.9 + 0.35 * cos(at_s * 0.6))
        z = ((_X + 1j * _Y) * look + middle).astype(np.complex64)
        steps = np.zeros(z.shape, np.float32)
        for _ in range(22):
            z = z * z + np.complex64(point)
            is_in = np.abs(z) < 4
            steps += is_in
            z = np.where(is_in, z, np.complex64(4))
        return toned((steps / 22) ** 0.7, ramp).resize((WIDTH, HEIGHT))

    return paint


def plasma(chance: Chance) -> Paint:
    """Mix slow waves into colours."""
    waves = chance.uniform(1.2, 6, (5, 2)) * chance.choice([-1, 1], (5, 2))
    pace, ramp = chance.uniform(0.5, 2.2, 5), [colour(chance) for _ in range(5)]

    def paint(at_s: float) -> Image.Image:
        field = sum(
            np.sin(_X * kx + _Y * ky + at_s * w + np.sin(_Y * kx - at_s))
            for (kx, ky), w in zip(waves.tolist(), pace.tolist(), strict=True)
        )
        levels = np.asarray(0.5 + np.asarray(field, np.float32) / 10, np.float32)
        return toned(levels, ramp).resize((WIDTH, HEIGHT))

    return paint


def tunnel(chance: Chance) -> Paint:
    """Fly through a pipe with painted walls."""
    size = 256
    wall = np.asarray(backdrop(chance, size, size))
    bend, speed, spin = (
        chance.uniform(0.15, 0.4, 2),
        float(chance.uniform(60, 130)),
        float(chance.uniform(-30, 30)),
    )

    def paint(at_s: float) -> Image.Image:
        dx = _X - 0.5 * sin(at_s * bend[0] * 2)
        dy = _Y - 0.3 * sin(at_s * bend[1] * 3)
        radius = np.sqrt(dx * dx + dy * dy) + 0.05
        depth = (40 / radius + at_s * speed).astype(np.int64) % size
        around = ((np.arctan2(dy, dx) / pi + 1) * size / 2 * 3 + at_s * spin).astype(
            np.int64
        ) % size
        lit = wall[depth, around] * np.minimum(1, radius * 1.4)[..., None]
        return Image.fromarray(lit.astype(np.uint8)).resize((WIDTH, HEIGHT))

    return paint


def scrolling_texture(chance: Chance) -> Paint:
    """Slide over a textured ground, fine and coarse."""
    fine = noise(chance, WIDTH * 3, HEIGHT * 3, 30)
    coarse = noise(chance, WIDTH * 3, HEIGHT * 3, 9)
    ramp = [colour(chance, 0, 60), colour(chance, 60, 190), colour(chance, 190, 255)]
    ground = toned((coarse + 0.6 * fine) / 1.6, ramp)
    way = chance.uniform(40, 90, 2)

    def paint(at_s: float) -> Image.Image:
        x = WIDTH * 1.5 + WIDTH * 0.9 * sin(at_s * way[0] / WIDTH)
        y = HEIGHT * 1.5 + HEIGHT * 0.9 * sin(at_s * way[1] / HEIGHT)
        return window(ground, x, y, 1, 0)

    return paint


def moving_shapes(chance: Chance) -> Paint:
    """Let discs, boxes and stars wander over each other."""
    ground = backdrop(chance)
    shapes = [
        (
            chance.uniform(0, 6.3, 2),
            chance.uniform(0.2, 0.9, 2),
            float(chance.uniform(22, 85)),
            colour(chance),
            int(chance.integers(3)),
        )
        for _ in range(16)
    ]

    def paint(at_s: float) -> Image.Image:
        picture = ground.copy()
        draw = ImageDraw.Draw(picture)
        for phase, rate, size, coat, form in shapes:
            x = WIDTH * (0.5 + 0.5 * sin(phase[0] + rate[0] * at_s))
            y = HEIGHT * (0.5 + 0.5 * sin(phase[1] + rate[1] * at_s))
            if form == 0:
                draw.ellipse((x - size, y - size, x + size, y + size), coat)
            elif form == 1:
                draw.rectangle((x - size, y - size * 0.6, x + size, y + size * 0.6), coat)
            else:
                spokes = [
                    (x + size * r * cos(a + at_s), y + size * r * sin(a + at_s)) for a, r in _STAR
                ]
                draw.polygon(spokes, coat)
        return picture

    return paint


_STAR = tuple((i * pi / 5, 1.0 if i % 2 else 0.45) for i in range(10))


def solids(chance: Chance) -> Paint:
    """Turn lit boxes in space."""
    ground = backdrop(chance).point(lambda level: level // 2)
    boxes = [
        (
            chance.uniform(-2.2, 2.2, 3) * (1, 0.6, 0.5),
            chance.uniform(-1.2, 1.2, 2),
            chance.uniform(0.25, 0.7, 3),
            np.array(colour(chance, 80, 255)),
        )
        for _ in range(9)
    ]

    def paint(at_s: float) -> Image.Image:
        picture = ground.copy()
        draw = ImageDraw.Draw(picture)
        faces = [face for box in boxes for face in _faces(box, at_s)]
        for _, points, coat in sorted(faces, key=lambda face: -face[0]):
            draw.polygon(points, coat, (15, 15, 15))
        return picture

    return paint


_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
_SIDES = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))


def _faces(
    box: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], at_s: float
) -> list[tuple[float, list[tuple[float, float]], tuple[int, int, int]]]:
    """Give each face's depth, its corners in the picture and its colour in this light."""
    middle, rate, size, coat = box
    a, b = rate * at_s
    about_y = np.array([(cos(a), 0, sin(a)), (0, 1, 0), (-sin(a), 0, cos(a))])
    about_x = np.array([(1, 0, 0), (0, cos(b), -sin(b)), (0, sin(b), cos(b))])
    turned = (_CORNERS * size) @ about_y @ about_x + middle
    x = WIDTH / 2 + turned[:, 0] / (turned[:, 2] + 5) * 620
    y = HEIGHT / 2 + turned[:, 1] / (turned[:, 2] + 5) * 620
    made = []
    for number, side in enumerate(_SIDES):
        lit = coat * (0.5 + 0.08 * number)
        corners = [(float(x[i]), float(y[i])) for i in side]
        made.append((float(turned[list(side), 2].mean()), corners, tuple(int(v) for v in lit)))
    return made  # type: ignore[return-value]  # three parts make a colour


def cells(chance: Chance) -> Paint:
    """Grow blots of colour that meet and part."""
    seeds = [(chance.uniform(0, 6.3, 2), chance.uniform(0.15, 0.6, 2)) for _ in range(14)]
    coats = np.array([colour(chance) for _ in seeds], np.uint8)
    grain = (noise(chance, WIDTH // 2, HEIGHT // 2, 8) * 60).astype(np.int16)[..., None]

    def paint(at_s: float) -> Image.Image:
        far = np.stack(
            [
                (_X - 1.5 * sin(phase[0] + rate[0] * at_s)) ** 2
                + (_Y - 0.85 * sin(phase[1] + rate[1] * at_s)) ** 2
                for phase, rate in seeds
            ]
        )
        lit = np.clip(coats[far.argmin(0)].astype(np.int16) - grain, 0, 255)
        return Image.fromarray(lit.astype(np.uint8)).resize((WIDTH, HEIGHT))

    return paint


def gradients(chance: Chance) -> Paint:
    """Let soft lights of many colours drift through each other."""
    ramp = [colour(chance, 0, 60), *(colour(chance) for _ in range(3)), colour(chance, 200, 255)]
    lights = [
        (chance.uniform(0, 6.3, 2), chance.uniform(0.2, 0.8, 2), float(chance.choice([-1.0, 1.0])))
        for _ in range(14)
    ]

    def paint(at_s: float) -> Image.Image:
        field = np.full((HEIGHT // 2, WIDTH // 2), 0.5, np.float32)
        for phase, rate, sign in lights:
            x = 1.5 * sin(phase[0] + rate[0] * at_s)
            y = 0.8 * sin(phase[1] + rate[1] * at_s)
            field += 0.6 * sign * np.exp(-((_X - x) ** 2 + (_Y - y) ** 2) / 0.09)
        return toned(np.clip(field, 0, 1), ramp).resize((WIDTH, HEIGHT))

    return paint
