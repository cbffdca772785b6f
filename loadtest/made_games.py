"""Made scenes that look like games: side view, maze, road, space, pool table, board.

Rule: each function draws what a seed decides once, and gives what paints a moment of it.
"""

from math import pi, sin

import numpy as np
from PIL import Image, ImageDraw

from loadtest.made_parts import (
    HEIGHT,
    WIDTH,
    Chance,
    Paint,
    backdrop,
    colour,
    lettering,
    noise,
    photograph,
    toned,
)

TILE = 40


def platformer(chance: Chance) -> Paint:
    """Run to the right past hills, over platforms, with coins and creatures."""
    hills = photograph(chance, WIDTH * 3, HEIGHT)
    speed, jump = float(chance.uniform(60, 150)), float(chance.uniform(0.7, 1.3))
    tiles, n_columns = backdrop(chance, TILE, TILE), 120
    floors = HEIGHT - TILE * (
        1 + chance.integers(0, 5, n_columns) * (chance.random(n_columns) > 0.3)
    )
    coats = [colour(chance) for _ in range(3)]

    def paint(at_s: float) -> Image.Image:
        shift = speed * at_s
        left = int(shift * 0.3) % (2 * WIDTH)
        picture = hills.crop((left, 0, left + WIDTH, HEIGHT))
        draw = ImageDraw.Draw(picture)
        for column in range(int(shift // TILE), int(shift // TILE) + WIDTH // TILE + 2):
            x, floor = int(column * TILE - shift), int(floors[column % n_columns])
            picture.paste(tiles, (x, floor))
            if column % 5 == 0:
                y = floor - 60 + 10 * sin(at_s * 4 + column)
                draw.ellipse((x + 8, y, x + 30, y + 22), (250, 210, 40), coats[2], 3)
            if column % 7 == 3:
                x += int(30 * sin(at_s * 2 + column))
                draw.rectangle((x, floor - 26, x + 30, floor), coats[1], coats[2], 3)
        y = HEIGHT - 110 - abs(sin(at_s * pi * jump)) * 120
        draw.ellipse((250, y, 290, y + 40), coats[0])
        draw.rectangle((255, y + 36, 285, y + 74), coats[2])
        draw.text((12, 8), f"SCORE {int(at_s * 37) * 10:06d}", "white", lettering(22))
        return picture

    return paint


def maze(chance: Chance) -> Paint:
    """Walk through a maze seen from above; the view follows."""
    size = 32
    walls = chance.random((size, size)) < 0.38
    floor, wall = backdrop(chance, TILE, TILE), backdrop(chance, TILE, TILE)
    ground = Image.new("RGB", (size * TILE, size * TILE))
    for row, column in np.ndindex(size, size):
        ground.paste(wall if walls[row, column] else floor, (column * TILE, row * TILE))
    pace, turns = chance.uniform(0.1, 0.35, 2), chance.uniform(0, 2 * pi, 2)
    others = [
        (chance.uniform(0.2, 0.8, 2), chance.uniform(0.3, 1.2, 2), colour(chance))
        for _ in range(24)
    ]
    hero = colour(chance, 150, 255)

    def paint(at_s: float) -> Image.Image:
        span_x, span_y = size * TILE - WIDTH, size * TILE - HEIGHT
        left = int(span_x * (0.5 + 0.5 * sin(pace[0] * at_s * pi + turns[0])))
        top = int(span_y * (0.5 + 0.5 * sin(pace[1] * at_s * pi + turns[1])))
        picture = ground.crop((left, top, left + WIDTH, top + HEIGHT))
        draw = ImageDraw.Draw(picture)
        for at, rate, coat in others:
            x = size * TILE * at[0] + 120 * sin(rate[0] * at_s * 2) - left
            y = size * TILE * at[1] + 90 * sin(rate[1] * at_s * 2 + 1) - top
            draw.ellipse((x - 20, y - 20, x + 20, y + 20), coat, (0, 0, 0), 3)
        draw.rectangle((WIDTH / 2 - 16, HEIGHT / 2 - 16, WIDTH / 2 + 16, HEIGHT / 2 + 16), hero)
        return picture

    return paint


def road(chance: Chance) -> Paint:
    """Drive down a winding road with trees left and right."""
    sky = photograph(chance, WIDTH * 2, HEIGHT)
    verge, tar = (colour(chance, 30, 150), colour(chance, 30, 150)), colour(chance, 50, 110)
    bend, speed = chance.uniform(0.1, 0.4, 2), float(chance.uniform(8, 18))
    trees = [
        (float(z), float(chance.uniform(1.3, 4) * chance.choice([-1, 1])), colour(chance))
        for z in range(0, 400, 3)
    ]
    horizon = HEIGHT * 45 // 100

    def centre(z: float, at_s: float) -> float:
        return 90 * sin(bend[0] * at_s * 2 + z * 0.05) * z / 20 + 30 * sin(bend[1] * at_s * 3)

    def paint(at_s: float) -> Image.Image:
        start = int(WIDTH / 2 + WIDTH / 2 * sin(bend[0] * at_s))
        picture = sky.crop((start, 0, start + WIDTH, HEIGHT))
        draw = ImageDraw.Draw(picture)
        for y in range(horizon, HEIGHT, 3):
            z = 90.0 / (y - horizon + 3)
            half, middle = 700 / (z + 1.2), WIDTH / 2 + centre(z, at_s)
            band = int(z * 3 + at_s * speed) % 2
            draw.rectangle((0, y, WIDTH, y + 3), verge[band])
            draw.rectangle((middle - half, y, middle + half, y + 3), tar)
            if band:
                draw.rectangle((middle - half * 0.03, y, middle + half * 0.03, y + 3), "white")
        for at_z, side, coat in sorted(trees, key=lambda tree: -((tree[0] - at_s * speed) % 400)):
            far = (at_z - at_s * speed) % 400 / 12 + 0.4
            if far < 14:
                size = 260 / (far + 0.6)
                x = WIDTH / 2 + centre(far, at_s) + side * 480 / (far + 1.2)
                foot = horizon + 90 / (far + 0.3)
                draw.rectangle((x - size * 0.06, foot - size, x + size * 0.06, foot), (70, 50, 30))
                crown = (x - size * 0.4, foot - size * 1.7, x + size * 0.4, foot - size * 0.7)
                draw.ellipse(crown, coat)
        return picture

    return paint


def space(chance: Chance) -> Paint:
    """Fly past stars, planets and other ships."""
    nebula = toned(
        noise(chance, WIDTH * 2, HEIGHT, 2) ** 2,
        [(4, 4, 16), colour(chance, 40, 160), colour(chance, 120, 230)],
    )
    stars = chance.uniform(0, 1, (160, 3))
    planets = [
        (
            float(chance.uniform(0, 2 * WIDTH)),
            float(chance.uniform(40, 320)),
            float(chance.uniform(30, 95)),
            colour(chance, 60, 240),
        )
        for _ in range(5)
    ]
    ships = [
        (chance.uniform(0, 6.3, 2), chance.uniform(0.3, 1.1, 2), colour(chance, 120, 255))
        for _ in range(6)
    ]
    speed = float(chance.uniform(30, 80))

    def paint(at_s: float) -> Image.Image:
        shift = int(speed * at_s * 0.4) % WIDTH
        picture = nebula.crop((shift, 0, shift + WIDTH, HEIGHT))
        draw = ImageDraw.Draw(picture)
        for x, y, depth in stars:
            px, py = (x * WIDTH - at_s * speed * (1 + 4 * depth)) % WIDTH, y * HEIGHT
            draw.rectangle((px, py, px + 1 + 2 * depth, py + 1 + 2 * depth), "white")
        for x, y, radius, coat in planets:
            px = (x - at_s * speed) % (2 * WIDTH) - WIDTH / 4
            draw.ellipse((px - radius, y - radius, px + radius, y + radius), coat)
            draw.arc(
                (px - radius * 1.5, y - radius / 3, px + radius * 1.5, y + radius / 3),
                0,
                360,
                "white",
                4,
            )
        for phase, rate, coat in ships:
            x = WIDTH * (0.5 + 0.45 * sin(at_s * rate[0] + phase[0]))
            y = HEIGHT * (0.5 + 0.42 * sin(at_s * rate[1] + phase[1]))
            draw.polygon([(x - 26, y - 14), (x + 30, y), (x - 26, y + 14), (x - 14, y)], coat)
        return picture

    return paint


def pool_table(chance: Chance) -> Paint:
    """Roll balls over a table, from wall to wall."""
    room, cloth = backdrop(chance), backdrop(chance, WIDTH - 90, HEIGHT - 90)
    balls = [
        (
            chance.uniform(0, 1, 2),
            chance.uniform(-0.5, 0.5, 2),
            colour(chance),
            float(chance.uniform(12, 34)),
        )
        for _ in range(14)
    ]

    def paint(at_s: float) -> Image.Image:
        picture = room.copy()
        picture.paste(cloth, (45, 45))
        draw = ImageDraw.Draw(picture)
        draw.rectangle((40, 40, WIDTH - 40, HEIGHT - 40), None, (70, 40, 20), 12)
        for at, pace, coat, radius in balls:
            x, y = np.abs((at + pace * at_s) % 2 - 1) * (WIDTH - 160, HEIGHT - 160) + (80, 80)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), coat, (10, 10, 10), 2)
            draw.ellipse((x - radius / 2, y - radius / 2, x, y), "white")
        return picture

    return paint


def board_game(chance: Chance) -> Paint:
    """Move pieces on a board, one after another, under a wandering light."""
    light, dark, room = colour(chance, 150, 240), colour(chance, 30, 120), backdrop(chance)
    n, size = 8, 42
    pieces = [
        (chance.integers(0, n, (20, 2)), colour(chance, 0, 255), int(chance.integers(3)))
        for _ in range(18)
    ]
    pace = float(chance.uniform(0.8, 1.6))

    def paint(at_s: float) -> Image.Image:
        picture = room.copy()
        draw = ImageDraw.Draw(picture)
        left = 150 + 60 * sin(at_s * 0.4)
        for row, column in np.ndindex(n, n):
            x, y = left + column * size, 12 + row * size
            draw.rectangle((x, y, x + size, y + size), (light, dark)[(row + column) % 2])
        for number, (way, coat, form) in enumerate(pieces):
            step = at_s * pace + number * 0.37
            here, there, part = way[int(step) % 20], way[int(step + 1) % 20], min(1, 3 * (step % 1))
            x, y = (here + (there - here) * part) * size + (left + size / 2, 12 + size / 2)
            match form:
                case 0:
                    draw.ellipse((x - 16, y - 16, x + 16, y + 16), coat, "black", 3)
                case 1:
                    draw.polygon([(x, y - 20), (x + 17, y + 15), (x - 17, y + 15)], coat, "black")
                case _:
                    draw.rectangle((x - 14, y - 14, x + 14, y + 14), coat, "black", 3)
        draw.text((16, 150), f"{int(at_s // 60)}:{at_s % 60:04.1f}", "white", lettering(30))
        return picture

    return paint
