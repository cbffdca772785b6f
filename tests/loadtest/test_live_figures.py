import math
from pathlib import Path

import pytest

from loadtest.live_figures import CLIP_MS, Sent, coverage, latencies_ms, sent_within
from loadtest.live_log import LogFollower, SeenFlag, SeenGap

GOP_S = 2.0


def keyframes(stream: str, n: int) -> list[Sent]:
    return [Sent("keyframe", stream, 2000 * i, 100.0 + 2 * i) for i in range(n)]


def told(*streams: str, gaps: tuple[SeenGap, ...] = ()) -> LogFollower:
    log = LogFollower(Path("unused"))
    log.started |= set(streams)
    log.accounts += [{"stream": {"stream_id": stream}} for stream in streams]
    log.gaps += gaps
    return log


def gap(stream: str, start_ms: int, end_ms: int, detector: str = "hash") -> SeenGap:
    return SeenGap(stream, detector, "overload", start_ms, end_ms, 0.0, 0.0)


def test_a_run_without_gaps_is_covered() -> None:
    share, lost = coverage(keyframes("a", 5), told("a"), GOP_S, "hash")

    assert (share, lost) == (1.0, {})


def test_a_gap_counts_as_far_as_it_lies_in_the_window() -> None:
    gaps = (gap("a", 9_000, 50_000), gap("b", 0, 50_000))

    share, lost = coverage(keyframes("a", 5), told("a", gaps=gaps), GOP_S, "hash")

    assert share == pytest.approx(0.9)
    assert lost == {"overload": 1.0}


def test_a_gap_of_another_detector_is_another_matter() -> None:
    gaps = (gap("a", 0, 10_000, detector="classifier"),)

    share, _ = coverage(keyframes("a", 5), told("a", gaps=gaps), GOP_S, "hash")

    assert share == 1.0


def test_a_stream_that_no_session_answers_for_is_not_covered() -> None:
    sent = [*keyframes("a", 5), *keyframes("b", 5)]

    share, lost = coverage(sent, told("a"), GOP_S, "hash")

    assert share == 0.5
    assert lost == {"no session": 10.0}


@pytest.mark.parametrize(
    ("flag_pts_ms", "expected"),
    [(5_999, 80.0), (6_000, 80.0), (6_000 + CLIP_MS - 2, 80.0), (6_000 + CLIP_MS, math.inf)],
)
def test_a_flag_answers_for_a_clip_that_began_not_long_before(
    flag_pts_ms: int, expected: float
) -> None:
    clip = Sent("clip", "a", 6_000, 50.0)

    late = latencies_ms([clip], [SeenFlag("a", flag_pts_ms, 50.08)])

    assert late == [pytest.approx(expected)]


def test_a_flag_of_another_stream_answers_for_nothing() -> None:
    late = latencies_ms([Sent("clip", "a", 0, 50.0)], [SeenFlag("b", 0, 50.1)])

    assert late == [math.inf]


def test_what_was_sent_is_read_within_the_window_alone(tmp_path: Path) -> None:
    report = tmp_path / "sent.txt"
    report.write_text("keyframe 0001 180000 9.9\nclip 0001 360000 10.0\nkeyframe 0002 9 20.0\n")

    sent = sent_within(report, (10.0, 20.0))

    assert sent == [Sent("clip", "0001", 4_000, 10.0)]
