from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.coverage_data import GapData
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.review.pages.strengths import clock
from streamguard.review.pages.timeline import HEIGHT, WIDTH, timeline
from tests.made_reviews import AT, flag


def found(start_ms: int, end_ms: int, epoch: int = 0) -> FlagData:
    one = flag(1)
    window = one.window.model_copy(update={"start_pts_ms": start_ms, "end_pts_ms": end_ms})
    stream = one.stream.model_copy(update={"epoch": epoch})
    return one.model_copy(update={"window": window, "stream": stream})


def hole(start_ms: int, end_ms: int, **changes: Any) -> GapData:
    fields = {
        "stream": flag(1).stream.model_copy(update=changes),
        "reason": "overload",
        "start_pts_ms": start_ms,
        "end_pts_ms": end_ms,
        "start_time": AT,
        "end_time": AT,
    }
    return GapData.model_validate(fields)


def test_without_a_flag_there_is_no_timeline() -> None:
    assert timeline([]) is None


def test_flags_stand_where_they_were_and_a_gap_between_them() -> None:
    line = timeline([found(0, 5_000), found(15_000, 20_000)], [hole(5_000, 15_000)])

    assert line is not None
    assert [(bar.x, bar.width) for bar in line.flags] == [(0, 150), (450, 150)]
    assert [(bar.x, bar.width) for bar in line.gaps] == [(150, 300)]
    assert line.gaps[0].text == "not screened: overload"
    assert line.summary == "2 flags from 0:00.0 to 0:20.0, 1 gap in what was screened"


def test_what_came_before_an_interruption_is_counted_and_not_drawn() -> None:
    line = timeline([found(0, 5_000), found(1_000, 2_000, epoch=1)], [hole(0, 9_000)])

    assert line is not None
    assert (len(line.flags), line.gaps, line.epoch, line.start_ms) == (1, (), 1, 1_000)
    assert line.summary.endswith("; 1 more before the stream was interrupted")


def test_a_moment_is_drawn_as_one() -> None:
    line = timeline([found(3_000, 3_000)])

    assert line is not None
    assert (line.start_ms, line.end_ms) == (3_000, 13_000)
    assert [(bar.x, bar.width) for bar in line.flags] == [(0, 2)]


def test_media_times_are_said_as_clocks_say_them() -> None:
    assert [clock(ms) for ms in (0, 61_250, 3_600_000)] == ["0:00.0", "1:01.2", "1:00:00.0"]


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**6)), min_size=1, max_size=20))
def test_all_that_is_drawn_is_within_the_drawing(spans: list[tuple[int, int]]) -> None:
    line = timeline([found(start, start + length) for start, length in spans])

    assert line is not None
    assert len(line.flags) == len(spans)
    assert all(0 <= bar.x <= WIDTH for bar in line.flags)
    assert all(0 <= hit.x <= WIDTH and 0 <= hit.y <= HEIGHT for hit in line.hits)


def test_the_audience_is_a_stepped_line_that_goes_on_as_the_stream_does() -> None:
    at_s = utc_seconds(AT)  # when the flag began, at 10 s of the stream

    line = timeline([found(10_000, 12_000)], [], [(at_s - 5, 50), (at_s + 10, 100), (at_s + 20, 0)])

    assert line is not None
    assert (line.start_ms, line.end_ms) == (10_000, 30_000)
    assert line.audience == "0.0,30.0 300.0,30.0 300.0,0.0 600.0,0.0 600.0,60.0 600.0,60.0"
    assert line.summary.endswith(", at most 100 watched")


def test_where_nobody_says_who_watches_no_line_is_drawn() -> None:
    line = timeline([found(0, 5_000)])

    assert line is not None
    assert line.audience == ""
    assert "watched" not in line.summary
