"""Decides how much of each stream is decoded, by what there is time for and where the risk is.

Rule: grow slowly, shed at once, and never below the floor: every keyframe of every stream.
Times are of the monotonic clock, given by the caller.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from streamguard.core.sampling import Level

NEW_S = 60.0
"""How long a session is new: an attacker's account is made for the attack."""

RECENT_S = 300.0
"""How long after a flag, an evasion or a sudden audience a stream is worth more than others."""

SUDDEN_FACTOR = 2.0
SUDDEN_VIEWERS = 50
"""An audience that doubles within five minutes, and by so many at least, is sudden."""

BUSY_SHARE = 0.8
"""Busier than this the pool has no time for what is not owed (measured on two cores: 200 streams
of 1080p keep them 75 % busy with a p99 of 73 ms, 220 had up to 943 ms)."""

LATE_S = 0.25
"""A queue older than this eats the latency that is promised (p95 of 250 ms)."""

OVERDUE_S = 2.0
"""A queue older than this does not come from keyframes that fall due together (160 aligned ones of
1080p take two cores 1.5 s, measured): there are too many streams."""

CALM_S = 3.0
"""How long it must be calm for one step of growth."""

RECOVERY_S = 10.0
"""How long it must be calm for a rung to be taken back: long GOPs are caught up with in bursts."""

STEP_UP_S = 1.0
"""How long a rung of the ladder is given to help before the next is taken."""

GROWTH_SHARE = 8
"""One step of growth: one stream more, or an eighth of those that are dense already."""


class Concern(IntEnum):
    """Why a stream is worth more than its keyframes; the higher the sooner."""

    NONE = 0
    NEW = 1
    GROWING = 2
    FLAGGED = 3
    EVASIVE = 4
    REPORTED = 5
    PINNED = 6


class Shed(StrEnum):
    """What is left out under overload: each rung is what comes before it, and more."""

    NOTHING = "nothing"
    RISK_DENSE = "risk_dense"
    LONG_GOP = "long_gop"


_RUNGS = tuple(Shed)


@dataclass(frozen=True, slots=True)
class Risk:
    """What people and servers know of a stream.

    is_pinned:        an operator wants all of it looked at.
    reported_until_s: a trusted flagger reported it; up to then that counts.
    n_viewers:        how many watch, where the server says.
    """

    is_pinned: bool = False
    reported_until_s: float = -math.inf
    n_viewers: int | None = None


NO_RISK = Risk()
"""Nothing is known."""


class Suspicion:
    """What is known of the risk of one session; one thread."""

    def __init__(self) -> None:
        self._began_s: float | None = None  # a stream that is not on air has no risk
        self._flagged_s = self._evaded_s = self._grew_s = -math.inf
        self._audience: deque[tuple[float, int]] = deque()
        self.risk = Risk()
        """What was last told of it."""

    def tune(self, risk: Risk, now_s: float) -> None:
        """Take what people and servers know."""
        self.risk = risk
        if risk.n_viewers is None:
            return
        while self._audience and now_s - self._audience[0][0] > RECENT_S:
            self._audience.popleft()
        least = min((count for _, count in self._audience), default=risk.n_viewers)
        if risk.n_viewers >= max(SUDDEN_FACTOR * least, least + SUDDEN_VIEWERS):
            self._grew_s = now_s
        self._audience.append((now_s, risk.n_viewers))

    def began(self, now_s: float) -> None:
        """Take note that its first packet came; harmless when repeated."""
        if self._began_s is None:
            self._began_s = now_s

    def was_flagged(self, now_s: float) -> None:
        """Take note of a flag."""
        self._flagged_s = now_s

    def evaded(self, now_s: float) -> None:
        """Take note that its keyframes hide something."""
        self._evaded_s = now_s

    def concern(self, now_s: float) -> Concern:
        """Give the strongest reason to look closer; before its first packet there is none."""
        if self._began_s is None:
            return Concern.NONE
        reasons = (
            (Concern.PINNED, self.risk.is_pinned),
            (Concern.REPORTED, now_s < self.risk.reported_until_s),
            (Concern.EVASIVE, now_s - self._evaded_s < RECENT_S),
            (Concern.FLAGGED, now_s - self._flagged_s < RECENT_S),
            (Concern.GROWING, now_s - self._grew_s < RECENT_S),
            (Concern.NEW, now_s - self._began_s < NEW_S),
        )
        return next((concern for concern, holds in reasons if holds), Concern.NONE)


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the decode pool is.

    busy_share:  share of its threads' time in which they worked, 0..1.
    queue_age_s: how long the oldest packet has waited.
    """

    busy_share: float
    queue_age_s: float


class Governor:
    """Says how many streams may be dense, and what is shed; fed at a steady pace."""

    def __init__(self, dense_share: float) -> None:
        """dense_share: busy share up to which spare time is spent; 0 spends none."""
        self._dense_share = dense_share
        self._calm_since_s: float | None = None
        self._stepped_s = -math.inf
        self._rung = 0
        self.n_dense = 0
        """Streams that may be dense."""

    @property
    def shed(self) -> Shed:
        """Say what is left out."""
        return _RUNGS[self._rung]

    def decide(self, load: Load, n_wanting: int, now_s: float) -> None:
        """Take how busy the pool is, and how many streams want to be dense."""
        is_late = load.queue_age_s > LATE_S
        if is_late or load.busy_share > BUSY_SHARE:
            self._calm_since_s = None
            self._step_down(load, now_s)
        elif self._rung == 0 and load.busy_share >= self._dense_share:
            self._calm_since_s = None
        else:
            self._grow(n_wanting, now_s)
        self.n_dense = min(self.n_dense, n_wanting)

    def _step_down(self, load: Load, now_s: float) -> None:
        """Leave out more: first what the spare time bought, and only where that does not help..."""
        had_dense, self.n_dense = self.n_dense > 0, 0
        is_last = self._rung + 1 == len(_RUNGS)
        if is_last or now_s - self._stepped_s < STEP_UP_S:
            return
        if had_dense or self._rung == 0:
            self._rung, self._stepped_s = max(self._rung, 1), now_s
        elif load.queue_age_s > OVERDUE_S:
            self._rung, self._stepped_s = self._rung + 1, now_s

    def _grow(self, n_wanting: int, now_s: float) -> None:
        if self._calm_since_s is None:
            self._calm_since_s = now_s
        if now_s - self._calm_since_s < (RECOVERY_S if self._rung else CALM_S):
            return
        self._calm_since_s = now_s
        if self._rung:
            self._rung -= 1
        elif self._dense_share and self.n_dense < n_wanting:
            self.n_dense += 1 + self.n_dense // GROWTH_SHARE


def levels_of(concerns: Mapping[str, Concern], n_dense: int, shed: Shed) -> dict[str, Level]:
    """Give each stream its level; those of equal concern keep their order, so that none flaps.

    Who is reported, pinned or evasive keeps the frames of its long GOPs even under overload: for
    them there may be no floor at all.
    """
    wanting = [stream_id for stream_id, concern in concerns.items() if concern]
    wanting.sort(key=lambda stream_id: -concerns[stream_id])
    dense = set(wanting[:n_dense])
    return {
        stream_id: Level.DENSE
        if stream_id in dense
        else Level.FLOOR
        if shed is Shed.LONG_GOP and concern < Concern.EVASIVE
        else Level.STANDARD
        for stream_id, concern in concerns.items()
    }
