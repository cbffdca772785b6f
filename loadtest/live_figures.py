"""What a run under load comes to: coverage, and send-to-flag.

Rule: the origin's report is what was sent and the log what was told; whatever a stream sent that no
session answers for counts as not covered, and a clip without a flag as late without end.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.live_log import LogFollower, SeenFlag, SeenGap

TICKS_MS = 90
"""Of MPEG's clock, a millisecond."""

CLIP_MS = 12_000
"""A flag that begins so long after a clip is another one's: clips are farther apart."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A line of the origin's report: a keyframe that it sent, or what became of a connection.

    kind:   "keyframe", or "clip" for the first one of a known clip; others as origin_stream.Tell.
    sent_s: CLOCK_MONOTONIC of its last byte, or of what happened.
    """

    kind: str
    stream: str
    pts_ms: int
    sent_s: float


def sent_within(report: Path, window_s: tuple[float, float]) -> list[Sent]:
    """Read which keyframes the origin sent within a window of CLOCK_MONOTONIC."""
    return [
        line
        for line in lines_of(report)
        if line.kind in {"keyframe", "clip"} and window_s[0] <= line.sent_s < window_s[1]
    ]


def lines_of(report: Path) -> list[Sent]:
    """Read all that the origin told."""
    split = (line.split() for line in report.read_text().splitlines())
    return [
        Sent(kind, stream, int(ticks) // TICKS_MS, float(at)) for kind, stream, ticks, at in split
    ]


def latencies_ms(sent: Iterable[Sent], flags: Iterable[SeenFlag]) -> list[float]:
    """Say for each clip how long it took from its first keyframe to a flag; inf where none came."""
    by_stream: Mapping[str, list[SeenFlag]] = defaultdict(list)
    for flag in flags:
        by_stream[flag.stream].append(flag)
    found = []
    for clip in sent:
        if clip.kind == "clip":
            answers = (
                (flag.seen_s - clip.sent_s) * 1000
                for flag in by_stream[clip.stream]
                if 0 <= flag.pts_ms - clip.pts_ms + 1 < CLIP_MS
            )
            found.append(next(answers, math.inf))
    return found


def coverage(
    sent: Sequence[Sent], log: LogFollower, gop_s: float, detector: str
) -> tuple[float, dict[str, float]]:
    """Give the share of media time that was screened, and what kept the rest from it, seconds."""
    wall_s = time.time() - time.monotonic()
    times: dict[str, list[Sent]] = defaultdict(list)
    for keyframe in sent:
        times[keyframe.stream].append(keyframe)
    answered = {account["stream"]["stream_id"] for account in log.accounts} & log.started
    gaps = [gap for gap in log.gaps if gap.detector == detector]
    lost: dict[str, float] = defaultdict(float)
    all_ms = 0.0
    for stream, keyframes in times.items():
        start_ms, end_ms = keyframes[0].pts_ms, keyframes[-1].pts_ms + gop_s * 1000
        all_ms += end_ms - start_ms
        if stream not in answered:
            lost["no session"] += end_ms - start_ms
            continue
        from_s = keyframes[0].sent_s + wall_s
        for gap in gaps:
            if gap.stream == stream:
                lost[gap.reason] += _overlap_ms(gap, start_ms, end_ms, from_s)
    share = 1 - sum(lost.values()) / all_ms if all_ms else 0.0
    return share, {reason: ms / 1000 for reason, ms in lost.items() if ms}


def _overlap_ms(gap: SeenGap, start_ms: float, end_ms: float, from_s: float) -> float:
    """Say how much of a stretch lies in a gap; one without media time is told by the clock."""
    if gap.end_pts_ms > gap.start_pts_ms:
        return max(0.0, min(gap.end_pts_ms, end_ms) - max(gap.start_pts_ms, start_ms))
    until_s = from_s + (end_ms - start_ms) / 1000
    return max(0.0, min(gap.end_s, until_s) - max(gap.start_s, from_s)) * 1000
