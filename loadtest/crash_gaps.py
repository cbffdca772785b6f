"""Holds published gaps against what was not seen, and accounts against what was sent.

Rule: pure; instants are CLOCK_MONOTONIC.
"""

from collections import Counter
from collections.abc import Iterable

from loadtest.crash_log import Gap, StreamLog
from loadtest.live_figures import CLIP_MS, Sent

SLACK_S = 0.010
"""Instants in events are whole milliseconds, and two processes' wall clocks were read at different
times: what is closer than this is the same instant."""


def against(unseen: tuple[float, float], gaps: Iterable[Gap]) -> tuple[float, float]:
    """Hold the truth against gaps: how much of it none of them has, and how much more they have."""
    pieces = _merged(gaps)
    start_s, end_s = unseen
    touching = [
        piece for piece in pieces if piece[0] < end_s + SLACK_S and piece[1] > start_s - SLACK_S
    ]
    within_s = sum(max(0.0, min(b, end_s) - max(a, start_s)) for a, b in touching)
    missing_s = max(0.0, end_s - start_s - within_s)
    longer_s = sum(b - a for a, b in touching) - within_s
    return (missing_s if missing_s > SLACK_S else 0.0), longer_s


def _merged(gaps: Iterable[Gap]) -> list[tuple[float, float]]:
    """Join gaps that follow each other or overlap."""
    pieces: list[tuple[float, float]] = []
    for start_s, end_s in sorted((gap.start_s, gap.end_s) for gap in gaps):
        if pieces and start_s <= pieces[-1][1] + SLACK_S:
            pieces[-1] = (pieces[-1][0], max(pieces[-1][1], end_s))
        else:
            pieces.append((start_s, end_s))
    return pieces


def lost_clips(lines: Iterable[Sent], log: StreamLog, window_s: tuple[float, float]) -> list[Sent]:
    """Give the known clips that a server sent and that are neither flagged nor in a gap."""
    return [
        x
        for x in lines
        if x.kind == "clip"
        and window_s[0] <= x.sent_s < window_s[1]
        and not (_is_flagged(x, log) or _is_in_gap(x, log))
    ]


def _is_flagged(clip: Sent, log: StreamLog) -> bool:
    return any(0 <= flag.pts_ms - clip.pts_ms + 1 < CLIP_MS for flag in log.flags)


def _is_in_gap(clip: Sent, log: StreamLog) -> bool:
    return any(gap.start_s - SLACK_S <= clip.sent_s <= gap.end_s + SLACK_S for gap in log.gaps)


def unaccounted_s(log: StreamLog) -> dict[str, float]:
    """Give for each session that ended what is neither screened nor in a gap, seconds a timeline.

    By the clock, from the first packet to the end. Less than nothing: more was claimed than was.
    Both ends of a timeline are reckoned from media times, so that it is their number that counts.
    """
    began = {one.session: one.at_s for one in reversed(log.timelines)}
    gaps_s = dict.fromkeys(began, 0.0)
    for gap in log.gaps:
        gaps_s[gap.session] += gap.length_s
    n_timelines = Counter(one.session for one in log.timelines)
    return {
        session: (end.at_s - began[session] - end.screened_s - gaps_s[session])
        / n_timelines[session]
        for session, end in log.ends.items()
    }
