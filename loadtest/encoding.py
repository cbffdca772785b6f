"""Encodes with ffmpeg what load tests screen: disguised copies, and broadcasts of real footage.

Rule: nothing is drawn; every picture is real footage. What takes long is made once and cached.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import av

from loadtest.programs import CACHE, find, output_of

GOP_S = 2.0
KEYFRAMES = (
    *("-bf", "2", "-g", "1000", "-sc_threshold", "0"),
    *("-force_key_frames", f"expr:gte(t,n_forced*{GOP_S})"),
)
"""Two B-frames, and keyframes by the time alone: at every frame rate, and at no cut."""

BROADCAST_GOP = 60
BROADCAST = (
    "-c:v libx264 -preset veryfast -b:v 4500k -maxrate 4950k -bufsize 9000k -bf 2"
    f" -g {BROADCAST_GOP} -keyint_min {BROADCAST_GOP} -sc_threshold 0"
).split()
"""1080p30 as live encoders send it: 4.5 Mbit/s, a keyframe every 2 s."""

_FILLED = "scale=1920:1080:force_original_aspect_ratio=increase,crop=1920:1080"
_BETWEEN_BARS = "scale=1920:1080:force_original_aspect_ratio=decrease,pad=1920:1080:-1:-1"
_WIDE = 16 / 9


class Form(StrEnum):
    """What is put around the picture of a copy."""

    LETTERBOX = "letterbox"  # bars to 16:9; a picture that is 16:9 gets bars on all four sides
    PLAIN = "plain"  # nothing
    PILLARBOX = "pillarbox"  # bars left and right, a third of the width in all


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of a clip, seconds."""

    clip: Path
    start_s: float
    length_s: float


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg, quietly, over what is there.

    Raises:
        ProgramUnavailable: there is no ffmpeg, or it failed.
    """
    output_of([str(find("ffmpeg")), "-v", "error", "-nostdin", "-y", *map(str, arguments)])


def encode_copy(scene: Scene, form: Form, out: Path, *, gop: int = 60) -> None:
    """Encode a stretch of a clip anew: x264 at crf 32, two B-frames, bars around it."""
    cut = ("-ss", f"{scene.start_s:.3f}", "-i", scene.clip, "-t", f"{scene.length_s:.3f}")
    picture = ("-an", "-vf", f"{_padding(scene.clip, form)},format=yuv420p")
    ffmpeg(*cut, *picture, "-c:v", "libx264", "-crf", "32", "-g", str(gop), "-bf", "2", out)


def encode_broadcast(scenes: Sequence[Scene], out: Path, *, crop: bool) -> None:
    """Encode scenes one after the other as a 1080p30 broadcast.

    crop: cut what is not 16:9, so that the picture is full; else whole pictures between bars.
    """
    shape = _FILLED if crop else _BETWEEN_BARS
    inputs: list[str | Path] = []
    chains: list[str] = []
    for i, scene in enumerate(scenes):
        inputs += ["-i", scene.clip]
        cut = f"trim={scene.start_s}:{scene.start_s + scene.length_s},setpts=PTS-STARTPTS"
        chains.append(f"[{i}:v]{cut},fps=30,{shape},setsar=1,format=yuv420p[v{i}]")
    joined = "".join(f"[v{i}]" for i in range(len(scenes)))
    graph = ";".join([*chains, f"{joined}concat=n={len(scenes)}[out]"])
    ffmpeg(*inputs, "-filter_complex", graph, "-map", "[out]", *BROADCAST, out)


def repeat(unit: Path, seconds: float, out: Path) -> None:
    """Play a video again and again until it is so long; nothing is encoded anew."""
    ffmpeg("-stream_loop", "-1", "-i", unit, "-c", "copy", "-t", f"{seconds:.3f}", out)


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """Give a file of the cache, made by `make` where it is missing."""
    made = CACHE / name
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        aside = made.with_name(f"part-{name}")
        make(aside)
        aside.replace(made)
    return made


def seconds_of(clip: Path) -> float:
    """Tell how long a video is."""
    with av.open(str(clip)) as container:
        return (container.duration or 0) / 1e6


def keyframes_ms(video: Path) -> list[float]:
    """List the presentation times of a video's keyframes, milliseconds."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        return sorted(
            float(packet.pts * packet.time_base) * 1000
            for packet in container.demux(stream)
            if packet.is_keyframe and packet.pts is not None and packet.time_base
        )


def _padding(clip: Path, form: Form) -> str:
    """Give the ffmpeg filter that puts bars around a clip's picture."""
    with av.open(str(clip)) as container:
        width, height = container.streams.video[0].width, container.streams.video[0].height
    if form is Form.PLAIN:
        return "null"
    if form is Form.PILLARBOX:
        return _pad(width * 4 / 3, height)
    if abs(width / height - _WIDE) < 0.01:
        return _pad(width * 1.25, height * 1.25)
    return _pad(max(width, height * _WIDE), max(height, width / _WIDE))


def _pad(width: float, height: float) -> str:
    """Centre the picture in a larger one; 4:2:0 wants even sizes and places."""
    even = f"{2 * round(width / 2)}:{2 * round(height / 2)}"
    return f"crop=trunc(iw/2)*2:trunc(ih/2)*2,pad={even}:trunc((ow-iw)/4)*2:trunc((oh-ih)/4)*2"
