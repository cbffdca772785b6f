"""Lays out the timeline of a case: when what was found, how strong it was, what was not seen.

Rule: pure: events in, lengths out, in the units of the drawing. Media times of another epoch cannot
be compared, so that the latest epoch is drawn and the others are counted.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from streamguard.core.coverage_data import GapData
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.review.pages.strengths import Strength, clock, strengths

WIDTH, HEIGHT = 600.0, 60.0
"""Of the part that is drawn in, in units of the drawing; the page stretches it."""

TRACK_TOP, TRACK_HEIGHT = 84.0, 44.0
"""Of the track of strengths below it and its clock."""

SHORTEST_MS = 10_000
"""What is shorter is drawn within so much, so that a moment looks like one."""

LEAST_WIDTH = 2.0
"""Units: narrower than that nothing is seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch: x and width in units, and what it is in words."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A sample that was found: x and y in units, the stronger the higher."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Curve:
    """How strong one thing was over time.

    lines:   corners of its lines, `x,y x,y`, one for each flag.
    bound_y: where it begins to count, units.
    name, text: what it is, and the curve in words.
    """

    lines: tuple[str, ...]
    bound_y: float
    is_score: bool
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is drawn; times in milliseconds of the epoch.

    audience: corners of the line of who watched, `x,y x,y`; "" where nobody says.
    summary:  the drawing in words, for who does not see it.
    """

    epoch: int
    start_ms: int
    end_ms: int
    flags: tuple[Bar, ...]
    hits: tuple[Hit, ...]
    gaps: tuple[Bar, ...]
    curves: tuple[Curve, ...]
    audience: str
    summary: str


def timeline(
    flags: Sequence[FlagData],
    gaps: Sequence[GapData] = (),
    audience: Sequence[tuple[float, int]] = (),
) -> Timeline | None:
    """Lay out what is known of a session; None where there is no flag.

    audience: who watched since when, seconds since 1970 UTC, the oldest first.
    """
    if not flags:
        return None
    epoch = max(one.stream.epoch for one in flags)
    shown = [one for one in flags if one.stream.epoch == epoch]
    start = min(one.window.start_pts_ms for one in shown)
    watched = _in_media_time(shown, audience)
    found = strengths(shown)
    ends = [one.window.end_pts_ms for one in shown] + [at_ms for at_ms, _ in watched]
    ends += [one.points[-1][0] for one in found]
    end = max(start + SHORTEST_MS, *ends)
    unseen = [
        one
        for one in gaps
        if one.stream.epoch == epoch and one.end_pts_ms >= start and one.start_pts_ms <= end
    ]

    def bar(from_ms: int, to_ms: int, text: str) -> Bar:
        left = _x(max(from_ms, start), start, end)
        right = _x(min(to_ms, end), start, end)
        return Bar(left, round(max(LEAST_WIDTH, right - left), 1), text)

    bars = tuple(bar(one.window.start_pts_ms, one.window.end_pts_ms, _says(one)) for one in shown)
    holes = tuple(
        bar(one.start_pts_ms, one.end_pts_ms, f"not screened: {one.reason}") for one in unseen
    )
    hits = tuple(hit for one in found for hit in _hits(one, start, end))
    curves = tuple(_curve(one, start, end) for one in found)
    left_out = len(flags) - len(shown)
    summary = (
        f"{_counted(len(shown), 'flag')} from {clock(start)} to {clock(end)},"
        f" {_counted(len(holes), 'gap')} in what was screened"
        + (f"; {left_out} more before the stream was interrupted" if left_out else "")
    )
    line = _line_of(watched, start, end)
    if line:
        summary += f", at most {max(n_viewers for _, n_viewers in watched)} watched"
    return Timeline(epoch, start, end, bars, hits, holes, curves, line, summary)


def _in_media_time(
    flags: Sequence[FlagData], audience: Sequence[tuple[float, int]]
) -> list[tuple[int, int]]:
    """Say when in the stream so many watched, milliseconds, by the first flag's two clocks."""
    window = flags[0].window
    starts_s = utc_seconds(window.start_time)
    return [
        (window.start_pts_ms + round((at_s - starts_s) * 1000), n_viewers)
        for at_s, n_viewers in audience
    ]


def _line_of(watched: Sequence[tuple[int, int]], start: int, end: int) -> str:
    """Draw steps: so many watch until it is said otherwise."""
    most = max((n_viewers for _, n_viewers in watched), default=0)
    corners: list[tuple[float, float]] = []
    for at_ms, n_viewers in watched:
        x, y = _x(max(at_ms, start), start, end), round(HEIGHT * (1 - n_viewers / max(1, most)), 1)
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    if corners:
        corners.append((WIDTH, corners[-1][1]))
    return " ".join(f"{x},{y}" for x, y in corners)


def _hits(found: Strength, start: int, end: int) -> Iterator[Hit]:
    """Place the samples in which something was found."""
    for at_ms, value in found.points:
        if found.is_hit(value):
            yield Hit(_x(at_ms, start, end), round(HEIGHT * (1 - found.share(value)), 1))


def _curve(found: Strength, start: int, end: int) -> Curve:
    """Draw a line for each flag; one point alone is drawn as a short one."""
    lines = []
    for _, points in groupby(found.points, lambda one: bisect_right(found.starts_ms, one[0])):
        corners = [(_x(at_ms, start, end), _y(found.share(value))) for at_ms, value in points]
        if len(corners) == 1:
            ((x, y),) = corners
            left = min(x, WIDTH - LEAST_WIDTH)
            corners = [(left, y), (round(left + LEAST_WIDTH, 1), y)]
        lines.append(" ".join(f"{x},{y}" for x, y in corners))
    bound_y = _y(found.share(found.bound))
    return Curve(tuple(lines), bound_y, found.is_score, found.name, found.text)


def _y(share: float) -> float:
    return round(TRACK_TOP + TRACK_HEIGHT * (1 - share), 1)


def _x(at_ms: int, start: int, end: int) -> float:
    return round(WIDTH * (at_ms - start) / (end - start), 1)


def _says(flag: FlagData) -> str:
    window = flag.window
    return f"flag from {clock(window.start_pts_ms)} to {clock(window.end_pts_ms)}"


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"
