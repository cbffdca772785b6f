"""What the demo's channel shows and when: unrelated scenes, and the known one in three disguises.

Rule: a plan only; it opens nothing and draws nothing but by asking for a scene's picture.
"""

from dataclasses import dataclass
from typing import Literal

from streamguard.demo.scenes import FPS, Picture, Scene, letterboxed, scene_frame

WIDTH, HEIGHT = 640, 360
"""Size of the channel, pixels."""

KNOWN = Scene("known", seed=1)
"""The scene whose clip is in the demo's bank."""

KNOWN_CLIP_S = 20.0
"""Length of the known clip, seconds from the scene's start; insertions lie within it."""

Disguise = Literal["none", "letterbox", "pillarbox", "low_bitrate"]

_OTHERS = (Scene("meadow", 2), Scene("harbour", 3), Scene("market", 4), Scene("coast", 6))

_CONTENT_SIZE = {"letterbox": (WIDTH, 268), "pillarbox": (480, HEIGHT)}
"""Width and height of the picture between its bars, pixels: 2.39:1 and 4:3."""

BIT_RATE, _LOW_BIT_RATE = 400_000, 150_000
"""Of the video, bits a second; the lower one is the disguise `low_bitrate`."""

_FULL_S = 60.0
"""Shortest programme with every insertion at its full length, seconds."""

_BRIEF_S = 24.0
"""Programmes under this have one insertion: three would be too short to show a GOP, seconds."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One scene on air.

    start_s, end_s: programme time.
    from_s:         scene time at the segment's start.
    bit_rate:       bits a second to encode it with.
    """

    start_s: float
    end_s: float
    scene: Scene
    from_s: float = 0.0
    disguise: Disguise = "none"
    bit_rate: int = BIT_RATE

    @property
    def first_frame(self) -> int:
        """Index of the segment's first frame in the programme."""
        return round(self.start_s * FPS)

    @property
    def end_frame(self) -> int:
        """Index of the first frame after the segment."""
        return round(self.end_s * FPS)

    def picture(self, index: int) -> Picture:
        """Draw the programme's frame `index`, disguised."""
        t_s = self.from_s + (index - self.first_frame) / FPS
        picture = scene_frame(self.scene, t_s, WIDTH, HEIGHT)
        size = _CONTENT_SIZE.get(self.disguise)
        return letterboxed(picture, *size) if size else picture


def programme(seconds: float) -> list[Segment]:
    """Plan what is on air from 0 to `seconds`, without a break.

    A full minute shows the known scene from 10, 30 and 45 s on, six seconds each. A shorter one is
    the same, scaled; under 24 s there is one insertion, from a quarter to three quarters.
    """
    segments: list[Segment] = []
    on_air_s = 0.0
    for other, known in zip(_OTHERS, _insertions(seconds), strict=False):
        segments += [Segment(on_air_s, known.start_s, other), known]
        on_air_s = known.end_s
    return [*segments, Segment(on_air_s, seconds, _OTHERS[-1])]


def _insertions(seconds: float) -> list[Segment]:
    """Plan when the known scene is on air; each begins in the midst of the clip, between frames."""
    if seconds < _BRIEF_S:
        return [Segment(seconds / 4, seconds * 3 / 4, KNOWN, 5.01, "letterbox")]
    scale = min(1.0, seconds / _FULL_S)
    return [
        Segment(10.0 * scale, 16.0 * scale, KNOWN, 5.01, "letterbox"),
        Segment(30.0 * scale, 36.0 * scale, KNOWN, 9.52, "pillarbox"),
        Segment(45.0 * scale, 51.0 * scale, KNOWN, 12.26, "low_bitrate", _LOW_BIT_RATE),
    ]
