"""What all peers are held against: disguised copies of real clips, as one 1080p30 broadcast.

Rule: one file and one set of originals for all; a clip follows itself never, so that what is found
can be told apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.cached_video import cached_video, digest_of
from loadtest.contents import Content, real_contents
from loadtest.copies import make_copy, planned_copy
from loadtest.encoding import Scene, encode_broadcast, seconds_of
from loadtest.programs import CACHE
from loadtest.transforms import BY_NAME

CONTENTS = ("bigbuckbunny", "bikes", "carphone_pristine", "vtest", "Megamind", "cup")
DISGUISES = (
    "crf28-1080p",
    "crf45-360p",
    "letterbox",
    "crop-5",
    "mirror",
    "logo",
    "facecam-bottomright",
    "sepia",
    "speed-1.10",
)
"""One or two of each group of the recall test."""

SCENE_S = 6.0
SEED = 7


@dataclass(frozen=True, slots=True)
class Shown:
    """A disguised copy, and where it stands in the programme, seconds."""

    content: str
    disguise: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Programme:
    """The file, what it shows, and the originals."""

    video: Path
    shown: Sequence[Shown]
    contents: Sequence[Content]

    @property
    def length_s(self) -> float:
        """Tell how long it is."""
        return self.shown[-1].end_s


def programme(contents: Sequence[str], disguises: Sequence[str]) -> Programme:
    """Make it, or take it from the cache: each content in each disguise.

    Raises:
        FootageUnavailable: a clip cannot be had.
        ProgramUnavailable: there is no ffmpeg, or it failed.
    """
    originals = real_contents(set(contents))
    scenes, shown, at_s = [], [], 0.0
    for disguise in disguises:
        for content in originals:
            copy = planned_copy(content, BY_NAME[disguise], SEED)
            make_copy(copy)
            length_s = round(min(SCENE_S, seconds_of(copy.path) - 0.1), 3)
            scenes.append(Scene(copy.path, 0.0, length_s))
            shown.append(Shown(content.name, disguise, at_s, at_s + length_s))
            at_s += length_s
    name = f"peers-{digest_of([scene.clip.name for scene in scenes], SCENE_S)}.mp4"
    video = cached_video(CACHE / name, lambda out: encode_broadcast(scenes, out, crop=False))
    return Programme(video, shown, originals)
