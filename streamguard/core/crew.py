"""Decides about worker processes: which one is given up, who gets a stream, when to start another.

Rule: it decides from what it is told; it starts and kills nothing.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Trouble = Literal["silent", "stuck", "fat", "died", "never_ready"]
"""Why a worker is given up: no sign of life; a decoder hangs, or none works; too much memory; it is
gone; it did not get ready."""


@dataclass(frozen=True, slots=True)
class CrewRules:
    """When a worker is given up.

    silent_s: no sign of life for so long. They come every half second; an event loop that is
        starved by a machine at its limit is a second late.
    stuck_s: one decode call takes so long. A 1080p keyframe takes 12 ms; FFmpeg's own limits let
        no packet take longer than a second.
    idle_s: packets wait, and no frame of any stream comes of them for so long. Under overload what
        has waited for five seconds is dropped, and frames come all the same.
    ready_s: loading banks and a model takes seconds; an index that is not in memory, more.
    drain_s: moving its streams to another takes two seconds at most.
    max_rss_bytes: resident memory beyond which it is recycled.
    """

    silent_s: float = 5.0
    stuck_s: float = 10.0
    idle_s: float = 15.0
    ready_s: float = 60.0
    drain_s: float = 10.0
    max_rss_bytes: int = 2 << 30


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is known of a worker.

    started_s, beat_s: Clock.monotonic() of its start and of its last sign of life.
    decoded_s: the same of the last frame that it decoded, of whatever stream.
    queue_age_s: how long the oldest packet has waited.
    """

    started_s: float
    is_ready: bool
    beat_s: float
    stuck_s: float
    rss_bytes: int
    decoded_s: float
    queue_age_s: float


def trouble_with(vitals: Vitals, rules: CrewRules, now_s: float) -> Trouble | None:
    """Say why a worker is to be given up, if so."""
    if not vitals.is_ready:
        return "never_ready" if now_s - vitals.started_s > rules.ready_s else None
    if now_s - vitals.beat_s > rules.silent_s:
        return "silent"
    is_idle = now_s - vitals.decoded_s > rules.idle_s and vitals.queue_age_s > rules.idle_s
    if vitals.stuck_s > rules.stuck_s or is_idle:
        return "stuck"
    return "fat" if vitals.rss_bytes > rules.max_rss_bytes else None


def least_loaded(loads: Mapping[int, int]) -> int:
    """Choose who gets the next stream, by how many each has, of at least one."""
    return min(loads, key=lambda number: (loads[number], number))


SPREAD, FEWEST = 0.25, 4
"""How uneven workers may be: the most loaded may have a quarter of a fair share more than the least
loaded, and four streams. It then has an eighth more than its share, which a crew at the promised
80 % of its capacity can bear (90 %); moving a stream costs it a connection and a second or two that
nobody sees, which less would not be worth."""


def too_loaded(loads: Mapping[int, int]) -> int | None:
    """Say which worker ought to give a stream to another, by how many each has; None: none."""
    if not loads:
        return None
    most = max(loads, key=lambda number: (loads[number], -number))
    share = sum(loads.values()) / len(loads)
    is_uneven = loads[most] - min(loads.values()) > max(FEWEST, SPREAD * share)
    return most if is_uneven else None


class CrashBrake:
    """Says how long to wait before another worker is started."""

    FREE = 5
    """So many deaths within a minute are bad luck..."""
    WINDOW_S = 60.0
    MOST_S = 15.0
    """...after which each start waits twice as long as the one before, up to this."""

    def __init__(self) -> None:
        self._deaths_s: deque[float] = deque(maxlen=64)

    def died(self, now_s: float) -> None:
        """Take note of a death that nobody asked for."""
        self._deaths_s.append(now_s)

    def delay_s(self, now_s: float) -> float:
        """Give the seconds to wait before the next start."""
        recent = sum(now_s - death_s < self.WINDOW_S for death_s in self._deaths_s)
        if recent < self.FREE:
            return 0.0
        return float(min(self.MOST_S, 0.5 * 2 ** (recent - self.FREE)))
