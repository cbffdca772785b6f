"""Draws the pictures that streams show while nothing is on: test cards, and slates with a line.

Rule: drawn here, so that nothing needs a licence. A line in another font, size or place is another
picture: 8 pixels larger or smaller it lies 40 to 64 bits away, 16 pixels lower 52 to 78 (measured
on three lines at 128 pixels; other tones of paper and ink are 0 bits). No list of fonts covers
that: what its own encoders and intros show, a platform adds itself.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1280, 720
"""Size of a drawing, pixels; its hash is the same at any size."""

LINES = (
    "STARTING SOON",
    "STREAM STARTING SOON",
    "BE RIGHT BACK",
    "STREAM OFFLINE",
    "PLEASE STAND BY",
    "THANKS FOR WATCHING",
    "NO SIGNAL",
    "TECHNICAL\nDIFFICULTIES",
    "INTERMISSION",
    "STREAM ENDED",
)
"""What slates say."""

TEXT_HEIGHTS = (72, 128)
"""Sizes of the line, pixels."""

_BLACK, _WHITE = 16, 235
_BARS = (180, 168, 145, 133, 63, 51, 28)
"""Luma of 75 % colour bars from white to blue. Source: SMPTE EG 1, ITU-R BT.601."""
_CASTELLATION = (28, 16, 51, 16, 133, 16, 180)
_PLUGE = (20, 235, 26, 16, 16, 10, 22)


def slates() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Give the name and the luma, (720, 1280) uint8 of limited range, of each drawing."""
    yield "colour bars", _bars(full_height=True)
    yield "SMPTE colour bars", _bars(full_height=False)
    yield "crosshatch with a circle", _card()
    yield (
        "grey steps",
        np.repeat(np.linspace(_BLACK, _WHITE, 11).astype(np.uint8), 117)[None, :WIDTH].repeat(
            HEIGHT, axis=0
        ),
    )
    for line in LINES:
        for height in TEXT_HEIGHTS:
            name = f"{' '.join(line.split()).lower()}, {height} px"
            yield f"{name}, dark", _slate(line, height, paper=_BLACK, ink=_WHITE)
            yield f"{name}, light", _slate(line, height, paper=_WHITE, ink=_BLACK)


def _bars(*, full_height: bool) -> NDArray[np.uint8]:
    picture = np.broadcast_to(_columns(_BARS), (HEIGHT, WIDTH)).copy()
    if not full_height:
        picture[HEIGHT * 2 // 3 : HEIGHT * 3 // 4] = _columns(_CASTELLATION)
        picture[HEIGHT * 3 // 4 :] = _columns(_PLUGE)
    return picture


def _columns(levels: tuple[int, ...]) -> NDArray[np.uint8]:
    """Give one line of bars of equal width, (1280,) uint8."""
    bar = np.arange(WIDTH) * len(levels) // WIDTH
    return np.array(levels, np.uint8)[bar]


def _card() -> NDArray[np.uint8]:
    image = Image.new("L", (WIDTH, HEIGHT), 90)
    draw = ImageDraw.Draw(image)
    for at in range(0, WIDTH, 80):
        draw.line((at, 0, at, HEIGHT), fill=_WHITE, width=3)
        draw.line((0, at, WIDTH, at), fill=_WHITE, width=3)
    draw.ellipse((WIDTH // 2 - 320, 40, WIDTH // 2 + 320, HEIGHT - 40), outline=_WHITE, width=6)
    for number, level in enumerate(_BARS):
        left = WIDTH // 2 - 210 + 60 * number
        draw.rectangle((left, 300, left + 59, 420), fill=level)
    return np.asarray(image)


def _slate(line: str, height: int, *, paper: int, ink: int) -> NDArray[np.uint8]:
    image = Image.new("L", (WIDTH, HEIGHT), paper)
    font = ImageFont.load_default(height)
    place = (WIDTH / 2, HEIGHT / 2)
    ImageDraw.Draw(image).multiline_text(
        place, line, font=font, fill=ink, anchor="mm", align="center"
    )
    return np.asarray(image)
