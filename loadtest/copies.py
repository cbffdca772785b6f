"""Makes the disguised copies: a stretch of a content, transformed and encoded, once.

Rule: what a copy holds follows from its content, its transform and the seed; its name in the cache
says all of that, so that a change of any makes another file.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
from PIL import Image, ImageDraw

from loadtest.cached_video import cached_video, digest_of
from loadtest.contents import MADE_VERSION, UNRELATED_SEED, Content, made_video
from loadtest.encoding import KEYFRAMES, ffmpeg
from loadtest.made_contents import Made
from loadtest.programs import CACHE
from loadtest.transforms import More, Size, Transform, even

VERSION = 1
"""Of the way in which copies are made; a change makes all of them anew."""

WIDE = 16 / 9
SHORTEST_S = 4.0
"""The shortest copy, seconds."""

LOGO = CACHE / "made" / "logo.mp4"
HOST_S = 40.0
AFTER_S = 3.0
"""How long the unrelated stream goes on after the clip, seconds."""

_MORE: Mapping[More, Sequence[Made]] = {
    "logo": (),
    "facecam": tuple(Made("talking-head", UNRELATED_SEED + n, 20.0) for n in range(3)),
    "chat": tuple(Made("chat", UNRELATED_SEED + n, 20.0) for n in range(3)),
    "banner": tuple(Made("ticker", UNRELATED_SEED + n, 20.0) for n in range(3)),
    "host": tuple(
        Made(name, UNRELATED_SEED + n, HOST_S, 30)
        for n, name in enumerate(("platformer", "talking-head", "city", "chat", "plasma", "maze"))
    ),
}
"""What is laid over or under a copy: in turn, by chance; seeds that no content has."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which part of a content a copy shows, and from when on.

    start_s, length_s: of the content, seconds.
    enters_s:          of the copy: when the clip begins in it.
    """

    start_s: float
    length_s: float
    enters_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy in the cache, or on its way there.

    more: the second picture, where the transform wants one that is made.
    """

    content: Content
    transform: Transform
    stretch: Stretch
    more: Made | None
    path: Path

    @property
    def ends_s(self) -> float:
        """Tell when the clip ends in the copy, seconds."""
        return self.stretch.enters_s + self.stretch.length_s / self.transform.speed


def drawn_stretch(content: str, transform: Transform, duration_s: float, seed: int) -> Stretch:
    """Draw at random, of SHORTEST_S to the transform's longest, and of what the content has."""
    chance = random.Random(f"{seed} {content} {transform.name}")
    longest_s = min(transform.length_s, duration_s)
    is_whole = any(transform.lead_s)
    shortest_s = longest_s if is_whole else min(SHORTEST_S, longest_s)
    length_s = chance.uniform(shortest_s, longest_s)
    start_s = chance.uniform(0, duration_s - length_s)
    enters_s = chance.uniform(*transform.lead_s)
    return Stretch(round(start_s, 3), round(length_s, 3), round(enters_s, 3))


def _drawn_more(content: str, transform: Transform, seed: int) -> Made | None:
    """Draw which picture goes over or under the copy."""
    choice = _MORE[transform.more] if transform.more else ()
    return random.Random(f"{seed} {transform.name} {content}").choice(choice) if choice else None


def planned_copy(content: Content, transform: Transform, seed: int) -> Copy:
    """Say what a copy is and where it lies, without making it."""
    size, duration_s = seen(content.original)
    stretch = drawn_stretch(content.name, transform, duration_s, seed)
    graph = transform.graph(scaled(size, transform.height))
    coding = (transform.height, transform.crf, transform.speed, transform.fps)
    way = ("from its start",) if is_read_from_its_start(content.original) else ()
    original = (content.original.name, content.original.stat().st_size, *way)
    more = _drawn_more(content.name, transform, seed)
    over = (more, MADE_VERSION) if more else more
    digest = digest_of(VERSION, original, graph, over, coding, stretch)
    path = CACHE / "copies" / content.name / f"{transform.name}-{digest}.mp4"
    return Copy(content, transform, stretch, more, path)


def make_copy(copy: Copy) -> None:
    """Encode a copy into the cache unless it is there.

    Raises:
        ProgramUnavailable: there is no ffmpeg, or it failed.
    """
    cached_video(copy.path, lambda out: ffmpeg(*_arguments(copy, out)))


@cache
def seen(video: Path) -> tuple[Size, float]:
    """Tell a video's size and its length, seconds."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        return Size(stream.width, stream.height), (container.duration or 0) / 1e6


@cache
def is_read_from_its_start(video: Path) -> bool:
    """Say whether a decoder must not begin in the middle of a video.

    Old x264 wrote 4:4:4 pictures in a way of its own, and says in the first packet alone which
    version it was: begun later, all that follows decodes to green and grey blocks, without an end.
    Source: FFmpeg's h264 decoder, which looks for builds below 151 where pictures are 4:4:4.
    """
    with av.open(str(video)) as container:
        return container.streams.video[0].codec_context.pix_fmt == "yuv444p"


def scaled(size: Size, height: int) -> Size:
    """Fit a picture into the 16:9 frame of this height, as a ladder's rungs do."""
    share = min(height / size.height, height * WIDE / size.width)
    return Size(even(size.width * share), even(size.height * share))


def _arguments(copy: Copy, out: Path) -> list[str | Path]:
    """Give ffmpeg's arguments: the stretch, what goes with it, the graph, and the encoder."""
    transform, stretch = copy.transform, copy.stretch
    size = scaled(seen(copy.content.original)[0], transform.height)
    original, span = copy.content.original, (stretch.start_s, stretch.length_s)
    is_from_start = is_read_from_its_start(original)
    seek = [] if is_from_start else ["-ss", f"{span[0]}", "-t", f"{span[1]}"]
    trim = f"trim={span[0]}:{sum(span):.3f}," if is_from_start else ""
    inputs: list[str | Path] = [*seek, "-i", original]
    if transform.more:
        more = made_video(copy.more) if copy.more else cached_video(LOGO, _draw_logo)
        inputs += ["-stream_loop", "-1", "-i", more]
    picture = f"scale={size.width}:{size.height},setsar=1"
    rate = f",fps={transform.fps}" if transform.fps else ""
    graph = f"[0:v]{trim}setpts=(PTS-STARTPTS)/{transform.speed}{rate},{picture}[v];"
    graph += transform.graph(size).replace("[more]", "[1:v]")
    if any(transform.lead_s):
        graph += _surroundings(stretch)
    length_s = copy.ends_s + (AFTER_S if any(transform.lead_s) else 0)
    coded = ["-c:v", "libx264", "-preset", "veryfast", "-crf", str(transform.crf), *KEYFRAMES]
    ending = ["-t", f"{length_s:.3f}", "-an", "-pix_fmt", "yuv420p", "-threads", "1"]
    return [*inputs, "-filter_complex", graph, "-map", "[out]", *ending, *coded, out]


def _surroundings(stretch: Stretch) -> str:
    """Put the unrelated stream before and after [clip]."""
    before = f"trim=0:{stretch.enters_s},setpts=PTS-STARTPTS"
    rest_s = stretch.enters_s + AFTER_S
    after = f"trim={stretch.enters_s}:{rest_s},setpts=PTS-STARTPTS"
    return (
        f";[1:v]setsar=1,format=yuv420p,split[a][b];[a]{before}[before];[b]{after}[after];"
        "[before][clip][after]concat=n=3[out]"
    )


def _draw_logo(out: Path) -> None:
    logo = Image.new("RGB", (120, 90), (200, 20, 40))
    draw = ImageDraw.Draw(logo)
    draw.ellipse((20, 10, 100, 80), "white")
    draw.polygon([(48, 25), (48, 65), (82, 45)], (20, 40, 120))
    picture = out.with_suffix(".png")
    logo.save(picture)
    ffmpeg("-loop", "1", "-i", picture, "-t", "20", "-r", "25", "-pix_fmt", "yuv420p", out)
