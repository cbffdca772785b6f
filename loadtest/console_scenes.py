"""What is shown on the streams of the console's load test, and kept as evidence of it.

Rule: all of it is made footage; what takes long is made once and cached.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from loadtest.cached_video import cached_video, digest_of
from loadtest.contents import made_video
from loadtest.encoding import KEYFRAMES, Scene, encode_broadcast, ffmpeg
from loadtest.made_contents import Made
from loadtest.programs import CACHE

GENERATORS = (
    *("platformer", "maze", "road", "pool-table", "board-game", "slides", "newscast"),
    *("code-editor", "landscape", "city", "fly-over", "crowd"),
)
"""Of pictures with enough in them to be found again."""

SEED = 9_000
SCENE_S = 4.0
"""So much of each is on the streams: two keyframes."""

FROM_S = 1.0
"""Where in a scene that begins: what is banked is hashed at other instants than the stream, so that
a scene that moves is found by all frames of it, not by keyframes that happen to be the same."""


def scene_of(number: int, seconds: float) -> Path:
    """Give a scene like no other number's."""
    return made_video(Made(GENERATORS[number % len(GENERATORS)], SEED + number, seconds))


def broadcast_of(scene: Path, seconds: float) -> Path:
    """Encode a scene as live encoders send it, 1080p30 at 4.5 Mbit/s: what is kept as evidence."""

    def make(out: Path) -> None:
        print(f"encoding {scene.stem} as 1080p30, once", file=sys.stderr)
        encode_broadcast([Scene(scene, 0.0, seconds)], out, crop=True)

    return cached_video(CACHE / "made" / f"broadcast-{scene.name}", make)


def programme_of(scenes: Sequence[Path]) -> Path:
    """Join a stretch of each scene, with keyframes halfway between those of its evidence."""
    name = f"banking-{digest_of([scene.name for scene in scenes], SCENE_S, FROM_S)}.mp4"
    shape = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "23", *KEYFRAMES)

    def make(out: Path) -> None:
        listed = out.with_suffix(".txt")
        stretch = f"inpoint {FROM_S}\noutpoint {FROM_S + SCENE_S}\n"
        listed.write_text("".join(f"file '{one.absolute()}'\n{stretch}" for one in scenes))
        ffmpeg("-f", "concat", "-safe", "0", "-i", listed, *shape, out)

    return cached_video(CACHE / "made" / name, make)
