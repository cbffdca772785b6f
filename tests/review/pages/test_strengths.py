from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.event_data import FlagData
from streamguard.review.pages.strengths import MAX_DRAWN, MAX_NAMES, strengths
from streamguard.review.pages.timeline import TRACK_HEIGHT, TRACK_TOP, WIDTH, timeline
from tests.made_reviews import flag, match_signal, score_signal


def found(start_ms: int, end_ms: int, *signals: dict[str, Any]) -> FlagData:
    one = flag(1, **({"signals": signals} if signals else {}))
    window = one.window.model_copy(update={"start_pts_ms": start_ms, "end_pts_ms": end_ms})
    return one.model_copy(update={"window": window})


def test_a_match_is_as_strong_as_its_samples_were_near() -> None:
    near = found(2_000, 6_000, match_signal({2_000: 30, 4_000: 8, 6_000: 12}))

    (one,) = strengths([near])

    assert (one.name, one.bound) == ("shared/clip", 31)
    assert one.points == ((2_000, 30), (4_000, 8), (6_000, 12))
    assert [one.share(bits) for bits in (0, 64, 128, 256)] == [1, 0.5, 0, 0]
    assert one.text == (
        "3 points from 0:02.0 to 0:06.0, nearest 8 bits at 0:04.0, last 12 bits;"
        " alone a match up to 31 bits"
    )


def test_a_model_is_told_also_where_it_saw_nothing_and_that_is_no_hit() -> None:
    seen = found(1_000, 3_000, score_signal({1_000: 0.9, 2_000: 0.15, 3_000: 0.8, 5_000: 0.1}))

    (one,) = strengths([seen])
    line = timeline([seen])

    assert one.text == (
        "4 points from 0:01.0 to 0:05.0, highest 0.90 at 0:01.0, last 0.10; counts from 0.80"
    )
    assert line is not None
    assert len(line.hits) == 2
    [curve] = line.curves
    assert curve.is_score
    assert curve.bound_y == round(TRACK_TOP + TRACK_HEIGHT * 0.2, 1)
    assert curve.lines == ("0.0,88.4 60.0,121.4 120.0,92.8 240.0,123.6",)


def test_what_lies_between_two_flags_is_bridged_by_no_line() -> None:
    one = found(0, 2_000, match_signal({0: 12, 2_000: 14}))
    other = found(60_000, 61_000, match_signal({60_000: 20}))

    line = timeline([one, other])

    assert line is not None
    [curve] = line.curves
    assert len(curve.lines) == 2
    assert curve.lines[1].startswith("590.2,")


def test_a_flag_that_tells_no_samples_is_a_point_in_its_middle() -> None:
    (one,) = strengths([found(2_000, 4_000)])

    assert one.points == ((3_000, 12),)
    assert one.text.startswith("1 point from 0:03.0 to 0:03.0, nearest 12 bits")


def test_of_very_many_things_those_found_last_are_drawn() -> None:
    flags = [found(n * 1_000, n * 1_000, match_signal({0: 9}, entry=str(n))) for n in range(20)]

    assert [one.name for one in strengths(flags)] == [
        f"shared/{n}" for n in range(20 - MAX_NAMES, 20)
    ]


@given(st.integers(1, 12), st.lists(st.integers(0, 10**7), min_size=1, max_size=64, unique=True))
def test_the_page_gets_a_bounded_number_of_points_all_within_the_drawing(
    n_names: int, times_ms: list[int]
) -> None:
    points = dict.fromkeys(sorted(times_ms), 12)
    signals = [match_signal(points, entry=str(n)) for n in range(min(8, n_names))]

    line = timeline([found(0, 10, *signals), found(20, 30, *signals)])

    assert line is not None
    corners = [
        tuple(map(float, corner.split(",")))
        for curve in line.curves
        for one in curve.lines
        for corner in one.split()
    ]
    assert len(corners) <= 2 * MAX_DRAWN
    assert all(0 <= x <= WIDTH for x, _ in corners)
    assert all(TRACK_TOP <= y <= TRACK_TOP + TRACK_HEIGHT for _, y in corners)
