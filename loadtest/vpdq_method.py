"""How vPDQ finds a copy: a bag of frames, one hash a second, after the end of the file.

Rule: its method, with our PDQ: all frames are decoded, each int(rate)-th is hashed whole at its
native size; a copy is found if enough of its frames have a likeness among the other's.
Source: facebook/ThreatExchange, vpdq/README (0.2.5), and python-threatexchange 1.2.16.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from streamguard.core.pdq import hash_luma

MAX_DISTANCE_BITS = 31
MIN_QUALITY = 50
MIN_QUERY_PERCENT = 80
"""Of the query's frames: python-threatexchange's default, with 0 % of the other side's."""


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """One hashed frame.

    at_us: by frame number and mean rate, not by its time stamp.
    pdq:   (32,) uint8.
    """

    frame: int
    at_us: int
    quality: int
    pdq: NDArray[np.uint8]


@lru_cache(maxsize=256)
def features(video: Path) -> tuple[Feature, ...]:
    """Decode all of a video, and hash one frame a second; what has no quality is left out."""
    made = []
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        rate = float(stream.average_rate or stream.base_rate or 25)
        step = max(1, int(rate))
        for number, frame in enumerate(container.decode(stream)):
            if number % step:
                continue
            view = hash_luma(_luma(frame), full_range=frame.color_range == ColorRange.JPEG)
            if view.quality >= MIN_QUALITY:
                made.append(Feature(number, round(number / rate * 1e6), view.quality, view.bits))
    return tuple(made)


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    has_luma = frame.format.name.startswith(("yuv", "gray", "nv12"))
    plane = (frame if has_luma else frame.reformat(format="gray")).planes[0]
    octets = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]  # PyAV's stubs hide its buffer
    return np.array(octets.reshape(plane.height, plane.line_size)[:, : plane.width])


def matched_percent(query: Sequence[Feature], known: Sequence[Feature]) -> float:
    """Tell how many of the query's different hashes are near one of the other's, percent."""
    if not query or not known:
        return 0.0
    ours = np.unique(np.stack([feature.pdq for feature in query]), axis=0)
    theirs = np.stack([feature.pdq for feature in known])
    bits = np.bitwise_count(ours[:, None] ^ theirs[None]).sum(axis=2, dtype=np.uint16)
    return 100 * float((bits.min(axis=1) <= MAX_DISTANCE_BITS).mean())


def is_found(query: Path, known: Path) -> bool:
    """Say whether vPDQ's method calls one video a copy of the other."""
    return matched_percent(features(query), features(known)) >= MIN_QUERY_PERCENT
