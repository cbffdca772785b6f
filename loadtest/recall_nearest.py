"""How near a copy that was missed came to its entry: for whoever wants to know why.

Rule: it looks at frames as screening does, but holds them against all hashes of the entry, at any
distance.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from streamguard.adapters.pyav_hasher import read_frames
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.bank_values import Entry
from streamguard.core.location import parse_location
from streamguard.core.look import views_of
from streamguard.core.region_memory import RegionMemory
from streamguard.core.sampling import FramePicker
from streamguard.core.types import MATCH_DISTANCE_BITS, NEAR_DISTANCE_BITS, View
from streamguard.core.variants import variant_name


def nearest_looks(copy: Path, entry: Entry, span_s: tuple[float, float], *, is_dense: bool) -> str:
    """Tell the nearest distance of any sample within a span, its view and variant, and the rest.

    is_dense: look at four frames a second, else at keyframes alone.
    """
    looked: list[tuple[int, float, View, int]] = []
    n_samples = n_matchable = 0
    for at_s, views in samples_of(copy, is_dense=is_dense):
        if not span_s[0] <= at_s <= span_s[1]:
            continue
        matchable = [view for view in views if view.is_matchable]
        n_samples += 1
        n_matchable += bool(matchable)
        for view in matchable:
            bits = np.bitwise_count(entry.hashes ^ view.pdq).sum(axis=1, dtype=np.uint16)
            row = int(bits.argmin())
            looked.append((int(bits[row]), at_s, view, row))
    return _told(looked, entry, n_samples, n_matchable)


def samples_of(video: Path, *, is_dense: bool) -> Iterator[tuple[float, tuple[View, ...]]]:
    """Yield the time in seconds and the views of each frame that screening would look at."""
    picker, memory = FramePicker(), RegionMemory()
    location = parse_location(str(video))
    for offset_us, frame in read_frames(location, SystemClock(), every_frame=is_dense):
        packet = frame.packet
        if picker.wants(packet.epoch, packet.pts_us, is_keyframe=packet.is_keyframe):
            views = views_of(frame.luma, full_range=frame.full_range, memory=memory)
            yield offset_us / 1e6, views


def _told(
    looked: list[tuple[int, float, View, int]], entry: Entry, n_samples: int, n_matchable: int
) -> str:
    if not looked:
        return f"none of {n_samples} samples can be matched"
    bits, at_s, view, row = min(looked, key=lambda look: look[0])
    best: dict[float, int] = {}
    for look in looked:
        best[look[1]] = min(look[0], best.get(look[1], 256))
    n_strong = sum(value <= MATCH_DISTANCE_BITS for value in best.values())
    n_near = sum(value <= NEAR_DISTANCE_BITS for value in best.values())
    return (
        f"nearest {bits} bits at {at_s:.2f} s, {view.region} (quality {view.quality}) to "
        f"{variant_name(int(entry.variants[row]))} at {entry.offsets_us[row] / 1e6:.2f} s; of "
        f"{n_samples} samples {n_matchable} matchable, {n_near} within {NEAR_DISTANCE_BITS}, "
        f"{n_strong} within {MATCH_DISTANCE_BITS}; by sample {sorted(best.values())[:8]}"
    )
