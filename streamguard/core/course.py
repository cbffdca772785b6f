"""How strong a finding was from sample to sample, in few points.

Rule: the order in which samples come changes nothing, and whatever is left out was weaker than the
point that stands for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

MAX_POINTS = 64
"""Points of one course: on a timeline of 600 units one every tenth, and an hour in steps of less
than two minutes. With 8 bytes for a time and 4 for a distance an event grows by 800 bytes."""

FIRST_STEP_US = 100_000
"""A tenth of a second, what timelines tell apart: dense sampling takes four samples a second."""


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One sample; of two the less is the stronger one.

    weakness: as Decision ranks findings, the smaller, the better.
    pts_us:   its media time.
    """

    weakness: float
    pts_us: int


@dataclass(frozen=True, slots=True)
class Course:
    """The points of one finding within one epoch, in the order of time.

    step_us: of the samples within each stretch of so many microseconds, counted from 0, the
             strongest one stands. It doubles whenever there would be too many points, so that they
             stay evenly spread.
    """

    step_us: int = FIRST_STEP_US
    points: tuple[Point, ...] = ()

    def and_of(self, pts_us: int, weakness: float) -> "Course":
        """Take a sample; one of an earlier time may come later."""
        point = Point(weakness, pts_us)
        if self.points:  # as samples come, the last one is at hand: no need to look at all
            last = self.points[-1]
            n_steps = pts_us // self.step_us - last.pts_us // self.step_us
            if n_steps == 0:
                return Course(self.step_us, (*self.points[:-1], min(last, point)))
            if n_steps > 0 and len(self.points) < MAX_POINTS:
                return Course(self.step_us, (*self.points, point))
        return _thinned(self.step_us, (*self.points, point), MAX_POINTS)

    def within(self, n_points: int) -> "Course":
        """Give the same in so many points at most, 2 or more."""
        return _thinned(self.step_us, self.points, n_points)


def _thinned(step_us: int, points: Iterable[Point], n_points: int) -> Course:
    kept = _strongest(step_us, points)
    while len(kept) > n_points:
        step_us *= 2
        kept = _strongest(step_us, kept.values())
    return Course(step_us, tuple(kept[place] for place in sorted(kept)))


def _strongest(step_us: int, points: Iterable[Point]) -> dict[int, Point]:
    """Give the strongest point of each stretch."""
    kept: dict[int, Point] = {}
    for point in points:
        place = point.pts_us // step_us
        kept[place] = min(point, kept.get(place, point))
    return kept
