"""How strong each thing that was found was over time: the points of its curve, and in words.

Rule: pure: flags of one epoch in, points out. What a flag tells of its samples one by one is
taken; of a flag that tells nothing of them, the middle of its window and its best.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streamguard.core.cases import signal_name
from streamguard.core.course import MAX_POINTS, Course, Point
from streamguard.core.event_data import FlagData
from streamguard.core.signal_data import BankMatch, ModelScore, Signal

MAX_NAMES = 8
"""Things that are drawn, those found last: as many as one flag names."""

MAX_DRAWN = 256
"""Points that are drawn of all of them, shared out evenly: the page gets 3 KB of them whenever
something is new."""

CHANCE_BITS = 128
"""Bits in which hashes that have nothing to do with each other differ: a strength of 0."""


@dataclass(frozen=True, slots=True)
class Strength:
    """One thing that was found, over time.

    name:      `bank/entry`, or `model/category`.
    is_score:  values are scores of a model, 0 to 1; else distances in bits.
    bound:     the value from which one sample alone counts.
    points:    media time in milliseconds and value, the oldest first; evenly thinned.
    starts_ms: where its flags begin; what lies between two of them is of the first one.
    """

    name: str
    is_score: bool
    bound: float
    points: tuple[tuple[int, float], ...]
    starts_ms: tuple[int, ...]

    def share(self, value: float) -> float:
        """Say how strong a value is, 0 to 1: a score as it is, a distance by bits that agree."""
        return value if self.is_score else max(0.0, 1 - value / CHANCE_BITS)

    def is_hit(self, value: float) -> bool:
        """Say whether something was found: only a model says also where there was nothing."""
        return not self.is_score or value >= self.bound

    @property
    def text(self) -> str:
        """The curve in words, for who does not see it."""
        best_ms, best = (max if self.is_score else min)(self.points, key=lambda one: one[1])
        last_ms, last = self.points[-1]
        strongest = "highest" if self.is_score else "nearest"
        counts = "counts from" if self.is_score else "alone a match up to"
        told = f"{len(self.points)} points" if len(self.points) > 1 else "1 point"
        return (
            f"{told} from {clock(self.points[0][0])} to {clock(last_ms)},"
            f" {strongest} {self._said(best)} at {clock(best_ms)},"
            f" last {self._said(last)}; {counts} {self._said(self.bound)}"
        )

    def _said(self, value: float) -> str:
        return f"{value:.2f}" if self.is_score else f"{value:.0f} bits"


def strengths(flags: Sequence[FlagData]) -> list[Strength]:
    """Give what was found in the flags of one epoch, those found last at the end."""
    found: dict[str, list[tuple[FlagData, Signal]]] = {}
    for flag in flags:
        for signal in flag.signals:
            name = signal_name(signal)
            found[name] = [*found.pop(name, []), (flag, signal)]
    names = list(found)[-MAX_NAMES:]
    n_points = min(MAX_POINTS, MAX_DRAWN // max(1, len(names)))
    return [_strength(name, found[name], n_points) for name in names]


def clock(ms: int) -> str:
    """Say a media time: 1:02:03.4 or 2:03.4."""
    minutes, rest_ms = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest_ms / 1000:04.1f}"
    return f"{hours}:{minutes:02}:{seconds}" if hours else f"{minutes}:{seconds}"


def _strength(name: str, found: list[tuple[FlagData, Signal]], n_points: int) -> Strength:
    """Join what the flags tell of one thing; the weaker of two points close by goes."""
    latest = found[-1][1]
    is_score = latest.score is not None
    sign = -1 if is_score else 1
    told = [
        Point(sign * value, at_ms * 1000)
        for flag, signal in found
        for at_ms, value in _points(flag, signal)
    ]
    course = Course(points=tuple(told)).within(n_points)
    return Strength(
        name=name,
        is_score=is_score,
        bound=latest.score.threshold if latest.score else _match(latest).max_distance_bits,
        points=tuple((one.pts_us // 1000, sign * one.weakness) for one in course.points),
        starts_ms=tuple(flag.window.start_pts_ms for flag, _ in found),
    )


def _points(flag: FlagData, signal: Signal) -> Iterator[tuple[int, float]]:
    window = flag.window
    told = _of_score(signal.score) if signal.score else _of_match(_match(signal))
    points = [one for one in told if one[0] >= window.start_pts_ms]
    if points:
        yield from points
        return
    best = signal.score.score if signal.score else _match(signal).distance_bits
    yield (window.start_pts_ms + window.end_pts_ms) // 2, best


def _of_score(score: ModelScore) -> Iterator[tuple[int, float]]:
    if score.course:
        yield from zip(score.course.sample_pts_ms, score.course.scores, strict=True)


def _of_match(match: BankMatch) -> Iterator[tuple[int, float]]:
    if match.course:
        yield from zip(match.course.sample_pts_ms, match.course.distances_bits, strict=True)
    elif match.sample_pts_ms and match.distances_bits:
        yield from zip(match.sample_pts_ms, match.distances_bits, strict=False)


def _match(signal: Signal) -> BankMatch:
    assert signal.match is not None  # noqa: S101  # a signal has one of the two
    return signal.match
