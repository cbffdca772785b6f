"""A chart of peers: CPU a second of stream, and the share of copies that each found.

Rule: drawing only; a chart shows the same figures as the tables.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

LEFT, TOP, TALL, WIDE, RIGHT = 170, 60, 34, 420, 190
OURS, OTHERS = (38, 84, 124), (150, 150, 158)
INK, GROUND = (30, 32, 38), "white"
OUR_NAMES = frozenset({"keyframes", "auto"})


def draw_peers(figures: Mapping[str, Mapping[str, Any]], out: Path) -> None:
    """Draw a bar for each method, as PNG; the longest fills the width."""
    size = (LEFT + WIDE + RIGHT, TOP + len(figures) * TALL + 16)
    picture = Image.new("RGB", size, GROUND)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    title = "CPU milliseconds for a second of a 1080p30 stream, and copies found"
    draw.text((12, 14), title, INK, ImageFont.load_default(16))
    longest = max(each["cpu_s_per_stream_s"] for each in figures.values())
    for number, (name, of) in enumerate(figures.items()):
        y = TOP + number * TALL
        right = LEFT + WIDE * of["cpu_s_per_stream_s"] / longest
        draw.text((LEFT - 10, y + 4), name.replace("_", " "), INK, font, anchor="ra")
        draw.rectangle((LEFT, y, right, y + TALL - 12), OURS if name in OUR_NAMES else OTHERS)
        found = f", {100 * of['recall']:.0f} % found" if "recall" in of else ""
        text = f"{1000 * of['cpu_s_per_stream_s']:.1f} ms{found}"
        draw.text((right + 6, y + 3), text, INK, font)
    picture.save(out)
