"""Made scenes of people and screens: a talking head, a chat, a news ticker, slides, code, credits.

Rule: each function draws what a seed decides once, and gives what paints a moment of it.
"""

from math import sin

from PIL import Image, ImageDraw

from loadtest.made_parts import (
    HEIGHT,
    WIDTH,
    Chance,
    Paint,
    backdrop,
    colour,
    lettering,
    photograph,
    window,
    words,
)


def talking_head(chance: Chance) -> Paint:
    """Show somebody who talks, nods and blinks before a shelf."""
    shelf = backdrop(chance)
    books = ImageDraw.Draw(shelf)
    for row in range(4):
        for i in range(26):
            x, tall = i * 25, int(chance.integers(40, 80))
            books.rectangle((x, row * 90 + 85 - tall, x + 22, row * 90 + 85), colour(chance))
    skin, hair, coat = colour(chance, 120, 230), colour(chance, 10, 120), colour(chance)
    pace = chance.uniform(0.6, 1.8, 3)

    def paint(at_s: float) -> Image.Image:
        picture = shelf.copy()
        draw = ImageDraw.Draw(picture)
        x, y = WIDTH / 2 + 40 * sin(at_s * pace[0]), 150 + 12 * sin(at_s * pace[1] * 2)
        draw.ellipse((x - 190, y + 100, x + 190, y + 420), coat)
        draw.ellipse((x - 98, y - 130, x + 98, y + 60), hair)
        draw.ellipse((x - 85, y - 100, x + 85, y + 120), skin)
        for side in (-35, 35):
            lid = 2 if at_s * pace[2] % 3 < 0.15 else 12
            draw.ellipse((x + side - 14, y - 20 - lid, x + side + 14, y - 20 + lid), "white")
            draw.ellipse((x + side - 6, y - 26, x + side + 6, y - 14), "black")
        tall = 4 + 14 * abs(sin(at_s * 7) * sin(at_s * 2.3))
        draw.ellipse((x - 32, y + 60 - tall, x + 32, y + 60 + tall), (90, 20, 30))
        return picture

    return paint


def chat(chance: Chance) -> Paint:
    """Scroll a chat of short lines with names in colours."""
    lines = [
        (words(chance, 1), words(chance, int(chance.integers(2, 6))), colour(chance, 90, 255))
        for _ in range(80)
    ]
    ground, pace, font = colour(chance, 10, 50), float(chance.uniform(1.2, 3)), lettering(24)

    def paint(at_s: float) -> Image.Image:
        picture = Image.new("RGB", (WIDTH, HEIGHT), ground)
        draw = ImageDraw.Draw(picture)
        first = int(at_s * pace)
        for i in range(first, first + 12):
            who, text, coat = lines[i % len(lines)]
            y = (i - at_s * pace) * 34
            draw.text((8, y), who, coat, font)
            draw.text((140, y), text, (230, 230, 230), font)
        return picture

    return paint


def ticker(chance: Chance) -> Paint:
    """Run headlines over a strip; meant to be laid over the foot of a picture."""
    text, font = words(chance, 60), lettering(150)
    ground, title = colour(chance, 0, 110), colour(chance, 120, 255)

    def paint(at_s: float) -> Image.Image:
        picture = Image.new("RGB", (WIDTH, HEIGHT), ground)
        draw = ImageDraw.Draw(picture)
        draw.text((WIDTH - at_s * 160, 140), text, "white", font)
        draw.rectangle((0, 0, WIDTH, 110), title)
        draw.text((20, 0), "BREAKING", ground, lettering(100))
        return picture

    return paint


def newscast(chance: Chance) -> Paint:
    """Show an anchor, a picture that changes, and a ticker."""
    head, stories = talking_head(chance), [photograph(chance, 480, 360) for _ in range(4)]
    strip = ticker(chance)
    pace = float(chance.uniform(3, 5))

    def paint(at_s: float) -> Image.Image:
        picture = head(at_s)
        story = stories[int(at_s / pace) % len(stories)]
        shift = int(60 * (at_s / pace % 1))
        picture.paste(story.crop((shift, 20, shift + 260, 220)), (360, 24))
        picture.paste(strip(at_s).resize((WIDTH, 60)), (0, HEIGHT - 60))
        return picture

    return paint


def slides(chance: Chance) -> Paint:
    """Give a talk: slides with text, bars and pictures; the view pans over them and zooms."""
    decks = [_slide(chance) for _ in range(8)]
    stay, pans = float(chance.uniform(2.5, 4)), chance.uniform(-60, 60, (8, 2))

    def paint(at_s: float) -> Image.Image:
        number, part = int(at_s / stay) % len(decks), at_s / stay % 1
        dx, dy = pans[number] * (part - 0.5)
        return window(decks[number], 400 + dx, 225 + dy, 0.85 + 0.25 * part, 0)

    return paint


def _slide(chance: Chance) -> Image.Image:
    ground, ink = colour(chance, 170, 255), colour(chance, 0, 90)
    slide = Image.new("RGB", (800, 450), ground)
    draw = ImageDraw.Draw(slide)
    draw.rectangle((0, 0, 800, 70), colour(chance, 20, 140))
    draw.text((24, 12), words(chance, 3).title(), "white", lettering(40))
    left, right = (30, 420) if chance.random() < 0.5 else (420, 30)
    for line in range(6):
        draw.text((left, 96 + line * 52), "- " + words(chance, 3), ink, lettering(24))
    if chance.random() < 0.5:
        slide.paste(photograph(chance, 350, 320), (right, 96))
    else:
        for bar, tall in enumerate(chance.integers(30, 310, 6)):
            x = right + bar * 58
            draw.rectangle((x, 420 - int(tall), x + 44, 420), colour(chance, 30, 220))
    return slide


def code_editor(chance: Chance) -> Paint:
    """Scroll coloured source text, with a cursor and a file list."""
    colours, font = [colour(chance, 110, 255) for _ in range(4)], lettering(17)
    lines = [
        (
            int(chance.integers(0, 5)),
            words(chance, int(chance.integers(1, 6))),
            int(chance.integers(4)),
        )
        for _ in range(160)
    ]
    page = Image.new("RGB", (WIDTH, len(lines) * 24), colour(chance, 15, 50))
    draw = ImageDraw.Draw(page)
    for i, (indent, text, tone) in enumerate(lines):
        draw.text((150 + indent * 34, i * 24), text, colours[tone], font)
    side, pace = colour(chance, 50, 90), float(chance.uniform(30, 70))

    def paint(at_s: float) -> Image.Image:
        top = int(pace * at_s) % (page.height - HEIGHT)
        picture = page.crop((0, top, WIDTH, top + HEIGHT))
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, 0, 135, HEIGHT), side)
        for i, name in enumerate(FILES):
            is_open = int(at_s / 2) % len(FILES) == i
            draw.text((10, 8 + i * 25), f"{name}.py", colours[0 if is_open else 1], font)
        draw.rectangle((140, 170, WIDTH, 194), None, colours[2], 2)
        return picture

    return paint


FILES = ("app", "bank", "core", "draw", "edge", "flow", "grid", "hash", "index", "join", "loop")


def credits_roll(chance: Chance) -> Paint:
    """Roll names up over a dark picture."""
    ground, font = backdrop(chance).point(lambda level: level * 0.4), lettering(26)
    names = [(words(chance, 2).title(), words(chance, 2).title()) for _ in range(60)]
    pace = float(chance.uniform(30, 60))

    def paint(at_s: float) -> Image.Image:
        picture = ground.copy()
        draw = ImageDraw.Draw(picture)
        for i, (part, who) in enumerate(names):
            y = HEIGHT + i * 44 - at_s * pace
            if -40 < y < HEIGHT:
                draw.text((60, y), part, (180, 180, 180), font)
                draw.text((350, y), who, "white", font)
        return picture

    return paint


def starting_soon(chance: Chance) -> Paint:
    """Hold a slate: a title, a clock that counts down, slow shapes behind."""
    ground, title = backdrop(chance), words(chance, 2).upper()
    coat, ink = colour(chance), colour(chance, 200, 255)
    dots = chance.uniform(0, 1, (12, 3))

    def paint(at_s: float) -> Image.Image:
        picture = ground.copy()
        draw = ImageDraw.Draw(picture)
        for x, y, pace in dots:
            px = (x + at_s * 0.05 * (pace + 0.3)) % 1.2 * WIDTH - 60
            draw.ellipse((px - 30, y * HEIGHT - 30, px + 30, y * HEIGHT + 30), coat)
        draw.text((70, 90), title, ink, lettering(60))
        draw.text((70, 180), "STARTING SOON", ink, lettering(44))
        left_s = max(0, 300 - int(at_s))
        draw.text((70, 250), f"{left_s // 60:02d}:{left_s % 60:02d}", ink, lettering(60))
        return picture

    return paint
