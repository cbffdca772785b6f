"""Makes bank entries of videos and images.

Rule: a bank holds every frame, for then a stream's keyframes suffice to find a copy; neighbours
that hardly differ are kept once. What has no matchable frame is refused, not silently empty.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from streamguard.adapters.pyav_hasher import read_frames
from streamguard.core.bank_values import Entry
from streamguard.core.cuts import Variants, variants_of
from streamguard.core.errors import BankError, ConfigError
from streamguard.core.location import Location, parse_location
from streamguard.core.ports import Clock
from streamguard.core.prune import Pruner
from streamguard.core.types import Frame

PROGRESS_EVERY = 500
"""Frames between two reports of progress."""

MAX_FRAMES_AHEAD = 8
"""Most frames that are decoded and not yet hashed: 25 MB at 1080p."""


@dataclass(frozen=True, slots=True)
class EntryPlan:
    """What is to become of a source: see Entry, and streamguard.core.variants for the recipes.

    every_frame: hash all of them; else keyframes alone, in a twentieth of the time.
    """

    name: str
    policy: str
    recipes: tuple[str, ...] = ()
    every_frame: bool = True


def make_entry(
    source: str, plan: EntryPlan, clock: Clock, progress: Callable[[int, int], None]
) -> Entry:
    """Hash the frames of a video, or an image, into a bank entry.

    Now and then `progress` is told how many frames were hashed and how many hashes are kept; each
    of these takes 50 bytes of memory until the entry is made.

    Raises:
        BankError: no frame of it can be matched, or the name or policy code is malformed.
        StreamguardError: the source cannot be read to its end.
    """
    location = parse_location(source)
    if location.is_live:
        raise ConfigError("a bank is built from files: download or record the video first")
    pruner = Pruner(plan.recipes)
    kept = []
    offsets_us: list[int] = []
    last_us = n_frames = 0
    for offset_us, variants in _hashed(location, clock, plan):
        chosen = pruner.choose(offset_us, variants)
        if len(chosen):
            kept.append(chosen)
        offsets_us += [max(0, offset_us)] * len(chosen)
        last_us = max(last_us, offset_us)
        n_frames += 1
        if n_frames % PROGRESS_EVERY == 0:
            progress(n_frames, len(offsets_us))
    if not offsets_us:
        raise BankError(
            f"{location.label}: none of its {n_frames} frames can be matched (blank, or without "
            "structure): leave it out"
        )
    return Entry(
        name=plan.name,
        policy=plan.policy,
        kind="image" if n_frames == 1 else "video",
        duration_us=last_us,
        hashes=np.concatenate([some.hashes for some in kept]),
        offsets_us=np.array(offsets_us, np.int64),
        variants=np.concatenate([some.numbers for some in kept]),
    )


def _hashed(location: Location, clock: Clock, plan: EntryPlan) -> Iterator[tuple[int, Variants]]:
    """Yield the hashes of each frame with its offset; frames are hashed on all cores."""
    ahead: deque[tuple[int, Future[Variants]]] = deque()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for offset_us, frame in read_frames(location, clock, every_frame=plan.every_frame):
            ahead.append((offset_us, pool.submit(_look, frame, plan.recipes)))
            if len(ahead) > MAX_FRAMES_AHEAD:
                yield _first(ahead)
        while ahead:
            yield _first(ahead)


def _first(ahead: deque[tuple[int, Future[Variants]]]) -> tuple[int, Variants]:
    offset_us, future = ahead.popleft()
    return offset_us, future.result()


def _look(frame: Frame, recipes: tuple[str, ...]) -> Variants:
    return variants_of(frame.luma, full_range=frame.full_range, recipes=recipes)
