"""How near a copy that was missed came to its entry: for whoever wants to know why.

Rule: it looks at frames as screening does, but holds them against all hashes of the entry, at any
distance.
"""

from pathlib import Path

import numpy as np

from loadtest.encoding import keyframes_ms
from streamguard.adapters.pyav_hasher import hash_source
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.bank_values import Entry
from streamguard.core.location import parse_location
from streamguard.core.sampling import DENSE_INTERVAL_US
from streamguard.core.types import MATCH_DISTANCE_BITS, NEAR_DISTANCE_BITS, View
from streamguard.core.variants import variant_name


def nearest_looks(copy: Path, entry: Entry, span_s: tuple[float, float], *, is_dense: bool) -> str:
    """Tell the nearest distance of any sample within a span, its view and variant, and the rest.

    is_dense: look at four frames a second, else at keyframes alone.
    """
    looked: list[tuple[int, float, View, int]] = []
    n_samples = n_matchable = 0
    due_us = 0
    keyframes = {round(at_ms) for at_ms in keyframes_ms(copy)}
    for hashed in hash_source(parse_location(str(copy)), SystemClock(), every_frame=True):
        is_key = any(abs(hashed.offset_us / 1000 - at_ms) < 2 for at_ms in keyframes)
        is_due = is_key or (is_dense and hashed.offset_us >= due_us)
        if not is_due or not span_s[0] <= hashed.offset_us / 1e6 <= span_s[1]:
            continue
        due_us = hashed.offset_us + DENSE_INTERVAL_US
        n_samples += 1
        views = [view for view in hashed.views if view.is_matchable]
        n_matchable += bool(views)
        for view in views:
            bits = np.bitwise_count(entry.hashes ^ view.pdq).sum(axis=1, dtype=np.uint16)
            row = int(bits.argmin())
            looked.append((int(bits[row]), hashed.offset_us / 1e6, view, row))
    return _told(looked, entry, n_samples, n_matchable)


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
