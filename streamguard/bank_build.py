"""Makes bank entries of videos and images.

Rule: a bank holds every frame, for then a stream's keyframes suffice to find a copy; neighbours
that hardly differ are kept once. What has no matchable frame is refused, not silently empty.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from streamguard.adapters.pyav_hasher import hash_source
from streamguard.core.bank_values import Entry
from streamguard.core.errors import BankError, ConfigError
from streamguard.core.location import parse_location
from streamguard.core.ports import Clock
from streamguard.core.prune import prune
from streamguard.core.types import View

VARIANTS = ("full", "content")
"""What a bank's variant numbers mean: the whole picture, or what lies between its bars."""

PROGRESS_EVERY = 500
"""Frames between two reports of progress."""


def make_entry(
    source: str, name: str, policy: str, clock: Clock, progress: Callable[[int], None]
) -> Entry:
    """Hash every frame of a video, or an image, into a bank entry.

    Raises:
        BankError: no frame of it can be matched, or the name or policy code is malformed.
        StreamguardError: the source cannot be read to its end.
    """
    location = parse_location(source)
    if location.is_live:
        raise ConfigError("a bank is built from files: download or record the video first")
    seen: list[tuple[int, View]] = []
    last_us = n_frames = 0
    for hashed in hash_source(location, clock, every_frame=True):
        seen.extend((hashed.offset_us, view) for view in hashed.views)
        last_us = max(last_us, hashed.offset_us)
        n_frames += 1
        if n_frames % PROGRESS_EVERY == 0:
            progress(n_frames)
    kept = prune(seen)
    if not kept:
        raise BankError(
            f"{location.label}: none of its {n_frames} frames can be matched (blank, or without "
            "structure): leave it out"
        )
    kind: Literal["video", "image"] = "image" if n_frames == 1 else "video"
    return Entry(
        name=name,
        policy=policy,
        kind=kind,
        duration_us=last_us,
        hashes=np.stack([view.pdq for _, view in kept]),
        offsets_us=np.array([max(0, offset_us) for offset_us, _ in kept], np.int64),
        variants=np.array([VARIANTS.index(view.region) for _, view in kept], np.uint8),
    )
