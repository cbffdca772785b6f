"""A chart of capacity: send-to-flag and cores by the number of streams.

Rule: drawing only; a chart shows the same figures as the tables.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

LEFT, TOP, WIDE, TALL, GAP = 60, 44, 520, 170, 46
INK, LINE, BAR, GROUND = (30, 32, 38), (222, 222, 226), (190, 80, 90), "white"
COLOURS = ((38, 84, 124), (240, 170, 60), (46, 150, 122))
MAX_MS, N_CORES = 600.0, 2.0
"""Tops of the axes; what lies above is drawn at the top."""

Row = Mapping[str, Any]
Line = tuple[str, Callable[[Row], float | None]]

LATENCY: Sequence[Line] = (
    ("p95", lambda row: row["p95_ms"]),
    ("p99", lambda row: row["p99_ms"]),
)
CORES: Sequence[Line] = (
    ("all", lambda row: sum(row["cores"][part] for part in ("supervisor", "workers", "origin"))),
    ("workers", lambda row: row["cores"]["workers"]),
    ("origin", lambda row: row["cores"]["origin"]),
)


def draw_capacity(rows: Sequence[Row], what: str, out: Path) -> None:
    """Draw two panels over the number of streams, as PNG."""
    rows = sorted(rows, key=lambda row: int(row["streams"]))
    picture = Image.new("RGB", (LEFT + WIDE + 90, TOP + 2 * TALL + GAP + 40), GROUND)
    draw = ImageDraw.Draw(picture)
    draw.text((12, 10), what, INK, ImageFont.load_default(16))
    _panel(draw, TOP, ("send-to-flag, ms", MAX_MS, 500.0), LATENCY, rows)
    _panel(draw, TOP + TALL + GAP, ("cores", N_CORES, N_CORES), CORES, rows)
    picture.save(out)


def _panel(
    draw: ImageDraw.ImageDraw,
    top: int,
    axis: tuple[str, float, float],
    lines: Sequence[Line],
    rows: Sequence[Row],
) -> None:
    """Draw one panel; axis: its name, its top and its bar."""
    name, most, bar = axis
    font = ImageFont.load_default(12)
    last = max(int(row["streams"]) for row in rows)
    draw.rectangle((LEFT, top, LEFT + WIDE, top + TALL), outline=LINE)
    draw.text((LEFT + 6, top + 4), name, INK, font)
    for share in (0.0, 0.5, 1.0):
        y = top + TALL * (1 - share)
        draw.text((LEFT - 6, y), f"{most * share:g}", INK, font, anchor="rm")
    bar_y = top + TALL * (1 - bar / most)
    draw.line((LEFT, bar_y, LEFT + WIDE, bar_y), BAR)
    for row in rows:
        x = LEFT + WIDE * int(row["streams"]) / last
        draw.text((x, top + TALL + 4), str(row["streams"]), INK, font, anchor="ma")
    for (label, value_of), colour in zip(lines, COLOURS, strict=False):
        points = []
        for row in rows:
            value = value_of(row)
            height = min(1.0, (most if value is None else value) / most)
            x = LEFT + WIDE * int(row["streams"]) / last
            points.append((x, top + TALL * (1 - height)))
        draw.line(points, colour, 2)
        for x, y in points:
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), colour)
        draw.text((points[-1][0] + 8, points[-1][1]), label, colour, font, anchor="lm")
