"""Finds a file's keyframes by the index of its container, without reading the file.

Rule: an index that is not whole and plain tells nothing.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from av.video.stream import VideoStream

from streamguard.core.sampling import MAX_KEYFRAME_GAP_US

INDEXED = "mov"
"""FFmpeg's name of the format whose files begin or end with an index of all packets: MP4."""


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A keyframe as the index tells of it; times are the container's ticks.

    ticks:    its decode time.
    n_before: packets between it and the keyframe before.
    within:   a time within its GOP; who seeks it lands on the keyframe, however much is held back.
    size:     bytes.
    """

    ticks: int
    n_before: int
    within: int
    size: int


def keyframes_of(video: VideoStream) -> list[Keyframe]:
    """List a video's keyframes, but for the last one.

    Returns:
        None where packets may be missing in the index, where their order is not plain, or where
        keyframes come more rarely than every 2.5 s, so that what lies between them matters.
    """
    index = video.index_entries
    if INDEXED not in video.container.format.name.split(",") or len(index) != video.frames:
        return []
    found: list[tuple[int, int, int]] = []
    n_before, latest = 0, -math.inf
    for entry in index:
        ticks = entry.timestamp
        if ticks <= latest or entry.is_discard or not (found or entry.is_keyframe):
            return []
        latest = ticks
        if entry.is_keyframe:
            found.append((ticks, n_before, entry.size))
            n_before = 0
        else:
            n_before += 1
    most = MAX_KEYFRAME_GAP_US / (1_000_000 * (video.time_base or math.inf))
    if any(after - ticks > most for (ticks, _, _), (after, _, _) in pairwise(found)):
        return []
    return [
        Keyframe(ticks, n_before, (ticks + after) // 2, size)
        for (ticks, n_before, size), (after, _, _) in pairwise(found)
    ]
