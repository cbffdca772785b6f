"""Lays out the timeline of a case: when what was found, how strong it was, what was not seen.

Rule: pure: events in, lengths out, in the units of the drawing. Media times of another epoch cannot
be compared, so that the latest epoch is drawn and the others are counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streamguard.core.coverage_data import GapData
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.core.signal_data import Signal

WIDTH, HEIGHT = 600.0, 60.0
"""Of the part that is drawn in, in units of the drawing; the page stretches it."""

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
    ends = [one.window.end_pts_ms for one in shown] + [at_ms for at_ms, _ in watched]
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
    hits = tuple(hit for one in shown for hit in _hits(one, start, end))
    left_out = len(flags) - len(shown)
    summary = (
        f"{_counted(len(shown), 'flag')} from {clock(start)} to {clock(end)},"
        f" {_counted(len(holes), 'gap')} in what was screened"
        + (f"; {left_out} more before the stream was interrupted" if left_out else "")
    )
    line = _line_of(watched, start, end)
    if line:
        summary += f", at most {max(n_viewers for _, n_viewers in watched)} watched"
    return Timeline(epoch, start, end, bars, hits, holes, line, summary)


def clock(ms: int) -> str:
    """Say a media time: 1:02:03.4 or 2:03.4."""
    minutes, rest_ms = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest_ms / 1000:04.1f}"
    return f"{hours}:{minutes:02}:{seconds}" if hours else f"{minutes}:{seconds}"


def strength(signal: Signal) -> float:
    """Say how strong a signal is, 0 to 1: a score as it is, a distance by the bits that agree."""
    if signal.score is not None:
        return signal.score.score
    assert signal.match is not None  # noqa: S101  # a signal has one of the two
    return _agreeing(signal.match.distance_bits)


def _agreeing(distance_bits: int) -> float:
    """Give 1 for the same hash, 0 for one that is as far as chance."""
    return max(0.0, 1 - distance_bits / 128)


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


def _hits(flag: FlagData, start: int, end: int) -> Iterator[Hit]:
    """Place the samples that are told one by one; else the middle of the window."""
    middle_ms = (flag.window.start_pts_ms + flag.window.end_pts_ms) // 2
    for signal in flag.signals:
        match = signal.match
        told = zip(match.sample_pts_ms or (), match.distances_bits or ()) if match else ()  # noqa: B905  # both or neither, of one length
        found = [(at, _agreeing(bits)) for at, bits in told if start <= at <= end]
        for at_ms, strong in found or [(middle_ms, strength(signal))]:
            yield Hit(_x(at_ms, start, end), round(HEIGHT * (1 - strong), 1))


def _x(at_ms: int, start: int, end: int) -> float:
    return round(WIDTH * (at_ms - start) / (end - start), 1)


def _says(flag: FlagData) -> str:
    window = flag.window
    return f"flag from {clock(window.start_pts_ms)} to {clock(window.end_pts_ms)}"


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"
