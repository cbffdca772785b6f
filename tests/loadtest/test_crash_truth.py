from collections.abc import Sequence
from dataclasses import replace

import pytest

from loadtest.crash_gaps import SLACK_S, against, lost_clips, unaccounted_s
from loadtest.crash_log import End, Flag, Gap, StreamLog, Timeline
from loadtest.crash_truth import (
    REACH_S,
    Broadcast,
    Case,
    Kill,
    Kind,
    hit_of,
    is_hit,
)
from loadtest.live_figures import Sent

NEXT_S = 120.0
"""When the next kill comes; the one that is looked at comes at 100 s."""


def line(kind: str, at_s: float, pts_ms: int = 0) -> Sent:
    return Sent(kind, "a", pts_ms, at_s)


def gap(start_s: float, end_s: float, session: str = "s") -> Gap:
    return Gap(session, "interrupted", start_s, end_s, end_s - start_s)


def flag(made_s: float, pts_ms: int = 0) -> Flag:
    return Flag("f", "s", 1, pts_ms, made_s)


def killed(case: Case = "worker", back_s: float = 100.0) -> Kill:
    return Kill(case, 100.0, back_s)


BACK = (line("gone", 100.1), line("connect", 101.0), line("join", 101.2), line("keyframe", 102.0))


WENT_ON = Timeline("s", 1, 101.25)


def broadcast(
    *gaps: Gap,
    lines: Sequence[Sent] = (line("keyframe", 99.0), *BACK),
    kind: Kind = "http",
    flags: Sequence[Flag] = (flag(102.1),),
    after: Timeline = WENT_ON,
) -> Broadcast:
    log = StreamLog([Timeline("s", 0, 10.0), after], [*gaps], [*flags])
    return Broadcast(kind, True, lines, log)  # noqa: FBT003  # known throughout


def test_a_stream_that_came_back_is_measured_from_kill_to_first_sample() -> None:
    hit = hit_of(killed(), broadcast(gap(99.6, 101.3)), NEXT_S)

    assert hit.reconnect_s == pytest.approx(1.0)
    assert hit.sample_s == pytest.approx(1.1)
    assert hit.unseen_s == pytest.approx(1.2)
    assert (hit.missing_s, hit.is_session_right) == (0.0, True)
    assert hit.longer_s == pytest.approx(0.5)


def test_a_stream_that_never_came_back_has_no_times() -> None:
    hit = hit_of(killed(), broadcast(lines=[line("keyframe", 99.0), line("gone", 100.1)]), NEXT_S)

    assert (hit.reconnect_s, hit.sample_s, hit.is_session_right) == (None, None, False)


def test_a_stream_that_came_back_after_the_next_kill_did_not_come_back() -> None:
    assert hit_of(killed(), broadcast(), 101.1).reconnect_s is None


def test_what_was_sent_before_the_kill_reaches_only_so_far() -> None:
    sparse = [line("keyframe", 99.0 - REACH_S), *BACK]

    hit = hit_of(killed(), broadcast(gap(98.9, 101.3), lines=sparse), NEXT_S)

    assert hit.unseen_s == pytest.approx(2.2)
    assert hit.missing_s == 0.0


def test_a_first_keyframe_that_is_late_does_not_reach_back_to_the_first_frame() -> None:
    late = [line("keyframe", 99.0), *BACK[:-1], line("keyframe", 101.2 + REACH_S + 1.0)]

    hit = hit_of(killed(), broadcast(gap(100.0, 101.2), lines=late), NEXT_S)

    assert hit.unseen_s == pytest.approx(2.2)
    assert hit.missing_s == pytest.approx(1.0)


@pytest.mark.parametrize(("late_s", "expected_s"), [(SLACK_S / 2, 0.0), (0.05, 0.05)])
def test_a_gap_that_begins_after_the_kill_is_shorter_than_the_truth(
    late_s: float, expected_s: float
) -> None:
    missing_s, longer_s = against((100.0, 101.2), [gap(100.0 + late_s, 101.2)])

    assert missing_s == pytest.approx(expected_s)
    assert longer_s == pytest.approx(0.0)


def test_a_hole_between_two_pieces_of_a_gap_is_missing() -> None:
    missing_s, _ = against((100.0, 104.0), [gap(99.5, 101.0), gap(102.0, 104.0)])

    assert missing_s == pytest.approx(1.0)


def test_pieces_that_overlap_or_follow_each_other_are_one_gap() -> None:
    pieces = [gap(99.0, 100.5), gap(100.5, 102.0), gap(101.0, 103.0), gap(50.0, 60.0)]

    assert against((100.0, 103.0), pieces) == (0.0, pytest.approx(1.0))


@pytest.mark.parametrize("after", [Timeline("s", 0, 101.3), Timeline("t", 1, 101.3)])
def test_a_session_that_went_on_under_another_name_or_without_a_new_epoch_is_wrong(
    after: Timeline,
) -> None:
    assert not hit_of(killed(), broadcast(after=after), NEXT_S).is_session_right


FOUND = (
    *(line("gone", 100.1), line("publish", 103.0)),
    *(line("connect", 103.8), line("join", 104.6)),
)


def found_after(*gaps: Gap, session: str = "t") -> Broadcast:
    stream = broadcast(*gaps, lines=FOUND, kind="found", flags=[flag(104.7)])
    stream.log.timelines[-1] = Timeline(session, 0, 104.6)
    stream.log.ends["s"] = End(103.5, "ended", 90.0)
    return stream


def test_a_publish_that_is_found_after_its_server_died_is_measured_from_itself() -> None:
    server = killed("server", back_s=101.5)

    hit = hit_of(server, found_after(gap(100.0, 103.5), gap(103.3, 104.0, "t")), NEXT_S)

    assert hit.reconnect_s == pytest.approx(0.8)
    assert hit.sample_s == pytest.approx(0.9)
    assert (hit.unseen_s, hit.missing_s, hit.is_session_right) == (0.0, 0.0, True)


def test_a_publish_that_is_found_too_late_for_its_first_verdict_to_reach_back_has_a_gap() -> None:
    late = replace(found_after(), lines=[*FOUND[:2], line("connect", 105.0), line("join", 107.0)])

    hit = hit_of(killed("server"), late, NEXT_S)

    assert hit.missing_s == pytest.approx(107.0 - REACH_S - 103.0)


@pytest.mark.parametrize(("made_s", "expected"), [(102.9, 0), (104.65, 1)])
def test_a_flag_of_the_new_publish_in_the_old_session_is_misplaced(
    made_s: float, expected: int
) -> None:
    stream = found_after()
    stream.log.flags.insert(0, flag(made_s))
    stream.log.flags[-1] = replace(stream.log.flags[-1], session="t")

    assert hit_of(killed("server"), stream, NEXT_S).n_misplaced == expected


def test_another_publish_in_the_same_session_is_wrong() -> None:
    server = killed("server", back_s=101.5)

    assert not hit_of(server, found_after(session="s"), NEXT_S).is_session_right


@pytest.mark.parametrize(("gone_s", "expected"), [(99.9, False), (100.5, True), (101.5, False)])
def test_a_connection_that_is_lost_with_a_kill_was_hit(gone_s: float, expected: bool) -> None:  # noqa: FBT001  # a parameter of the test
    assert is_hit(killed(), [line("connect", 50.0), line("gone", gone_s)]) is expected


def test_a_clip_that_is_neither_flagged_nor_in_a_gap_is_lost() -> None:
    clips = [line("clip", at_s, int(at_s * 1000)) for at_s in (20.0, 40.0, 99.8, 60.0)]
    told = broadcast(gap(99.7, 101.0), lines=clips, flags=[flag(20.1, 20_000), flag(42.1, 42_000)])

    assert [clip.sent_s for clip in lost_clips(clips, told.log, (0.0, 200.0))] == [60.0]


def test_a_session_is_accounted_for_by_what_was_screened_and_its_gaps() -> None:
    log = StreamLog([Timeline("s", 0, 10.0), Timeline("s", 1, 60.0)], [gap(50.0, 60.0)])
    log.ends["s"] = End(110.0, "interrupted", 89.0)

    assert unaccounted_s(log) == {"s": pytest.approx(0.5)}  # of two timelines
