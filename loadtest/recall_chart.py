"""A chart of recall: for each group of transforms, the share found in each mode.

Rule: drawing only; a chart shows the same counts as the tables.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from loadtest.recall_rows import Row, grouped, share

COLOURS = ((38, 84, 124), (46, 150, 122), (240, 170, 60), (150, 150, 158), (190, 80, 90))
LEFT, TOP, BAR, GAP, WIDE = 150, 64, 11, 14, 560
INK, LINE, GROUND = (30, 32, 38), (222, 222, 226), "white"


def draw_chart(rows: Sequence[Row], modes: Sequence[str], out: Path) -> None:
    """Draw the share found by group and mode, 0 to 100 %, as PNG; modes of no row are left out."""
    shown = [row for row in rows if row.mode in modes]
    modes = [mode for mode in modes if any(row.mode == mode for row in shown)]
    groups = grouped(shown, lambda row: row.group + (" (apart)" if row.is_apart else ""))
    tall = len(modes) * BAR + GAP
    picture = Image.new("RGB", (LEFT + WIDE + 70, TOP + len(groups) * tall + 30), GROUND)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    _draw_frame(draw, font, modes, TOP + len(groups) * tall)
    for number, (name, part) in enumerate(groups.items()):
        y = TOP + number * tall
        draw.text((LEFT - 8, y + tall / 2 - GAP), name, INK, font, anchor="ra")
        by_mode = grouped(part, lambda row: row.mode)
        for place, mode in enumerate(modes):
            found = share(by_mode.get(mode, []))
            if not found.n_pairs:
                continue
            top, right = y + place * BAR, LEFT + WIDE * found.part
            draw.rectangle((LEFT, top, right, top + BAR - 2), COLOURS[place % len(COLOURS)])
            draw.text((right + 4, top - 2), found.told, INK, ImageFont.load_default(10))
    picture.save(out)


def _draw_frame(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    modes: Sequence[str],
    bottom: int,
) -> None:
    """Draw the title, the legend and the grid."""
    draw.text((12, 8), "Pairs of content and transform found, %", INK, ImageFont.load_default(16))
    x = LEFT
    for place, mode in enumerate(modes):
        draw.rectangle((x, 36, x + 12, 48), COLOURS[place % len(COLOURS)])
        draw.text((x + 17, 35), mode, INK, font)
        x += 34 + int(draw.textlength(mode, font))
    for percent in range(0, 101, 20):
        at = LEFT + WIDE * percent / 100
        draw.line((at, TOP - 6, at, bottom), LINE)
        draw.text((at, bottom + 4), f"{percent}", INK, font, anchor="ma")
