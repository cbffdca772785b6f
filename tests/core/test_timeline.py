from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.timeline import (
    FLV_WRAP_TICKS,
    MAX_FORWARD_US,
    MAX_LEAD_US,
    MAX_TIME_US,
    MPEGTS_WRAP_TICKS,
    Stamp,
    Timeline,
)

US = Fraction(1, 1_000_000)
MS = Fraction(1, 1000)
MPEG = Fraction(1, 90_000)
FRAME = 3_600  # ticks of MPEG at 25 fps, 40 ms


def place(
    stamps: Iterable[tuple[int | None, int | None]],
    time_base: Fraction = US,
    wrap_ticks: int | None = None,
) -> list[Stamp]:
    """Place packets given by PTS and DTS in ticks."""
    timeline = Timeline()
    timeline.wrap_ticks = wrap_ticks
    return [timeline.place(pts, dts, time_base) for pts, dts in stamps]


def steps_us(stamps: list[Stamp]) -> list[int]:
    return [b.dts_us - a.dts_us for a, b in pairwise(stamps)]


def test_times_are_counted_in_microseconds_of_the_stream() -> None:
    assert place([(90_000, 86_400), (93_600, 90_000)], MPEG) == [
        Stamp(0, 1_000_000, 960_000),
        Stamp(0, 1_040_000, 1_000_000),
    ]


def test_a_presentation_time_is_rounded_once() -> None:
    (stamp,) = place([(2, 1)], Fraction(1, 3))

    assert stamp == Stamp(0, 666_666, 333_333)


def test_a_missing_presentation_time_is_the_decode_time() -> None:
    assert place([(None, 40_000)]) == [Stamp(0, 40_000, 40_000)]


def test_a_missing_decode_time_is_the_presentation_time() -> None:
    assert place([(40_000, None)]) == [Stamp(0, 40_000, 40_000)]


def test_first_packet_without_times_begins_at_zero() -> None:
    assert place([(None, None)]) == [Stamp(0, 0, 0)]


def test_packet_without_times_follows_by_an_assumed_frame() -> None:
    stamps = place([(5_000_000, 5_000_000), (None, None)])

    assert stamps[1] == Stamp(0, 5_033_333, 5_033_333)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("is_decode", [True, False])
def test_a_time_beyond_all_bounds_counts_as_missing(sign: int, *, is_decode: bool) -> None:
    tick = Fraction(1, 1_000_000)

    def placed(ticks: int) -> int:
        return (
            Timeline()
            .place(None if is_decode else ticks, ticks if is_decode else None, tick)
            .dts_us
        )

    assert placed(sign * MAX_TIME_US) == sign * MAX_TIME_US
    assert placed(sign * (MAX_TIME_US + 1)) == 0


def test_packet_without_times_follows_by_the_step_before_it() -> None:
    stamps = place([(900_000, 900_000), (940_000, 940_000), (None, None), (None, None)])

    assert stamps[2:] == [Stamp(0, 980_000, 980_000), Stamp(0, 1_020_000, 1_020_000)]


def test_packet_at_the_same_time_leaves_the_assumed_step_alone() -> None:
    stamps = place([(0, 0), (40_000, 40_000), (40_000, 40_000), (None, None)])

    assert stamps[3].dts_us == 80_000


def test_a_pause_is_no_measure_for_packets_without_times() -> None:
    stamps = place([(0, 0), (9_000_000, 9_000_000), (None, None), (9_080_000, 9_080_000)])

    assert [stamp.epoch for stamp in stamps] == [0, 0, 0, 0]


@pytest.mark.parametrize("back_us", [1, 1_000_000])
def test_jitter_backwards_is_held(back_us: int) -> None:
    later_us = 5_000_000 - back_us

    assert place([(5_000_000, 5_000_000), (later_us, later_us)])[1] == Stamp(
        0, 5_000_000, 5_000_000
    )


def test_a_step_back_beyond_jitter_begins_an_epoch_at_its_own_time() -> None:
    back_us = 5_000_000 - 1_000_001

    assert place([(5_000_000, 5_000_000), (back_us, back_us)])[1] == Stamp(1, back_us, back_us)


def test_creeping_back_is_jitter_only_while_the_sum_is() -> None:
    stamps = place([(t, t) for t in (5_000_000, 4_500_000, 4_000_000, 3_999_999)])

    assert [(stamp.epoch, stamp.dts_us) for stamp in stamps] == [
        (0, 5_000_000),
        (0, 5_000_000),
        (0, 5_000_000),
        (1, 3_999_999),
    ]


def test_a_pause_of_exactly_the_bound_stays_in_its_epoch() -> None:
    assert place([(0, 0), (10_000_000, 10_000_000)])[1] == Stamp(0, 10_000_000, 10_000_000)


def test_a_jump_beyond_the_bound_begins_an_epoch() -> None:
    assert place([(0, 0), (10_000_001, 10_000_001)])[1] == Stamp(1, 10_000_001, 10_000_001)


@pytest.mark.parametrize("lead_us", [0, 40_000, 2_500_000, -40_000, -2_500_000])
def test_a_picture_may_be_shown_some_time_from_its_decoding(lead_us: int) -> None:
    assert place([(5_000_000 + lead_us, 5_000_000)]) == [Stamp(0, 5_000_000 + lead_us, 5_000_000)]


@pytest.mark.parametrize("lead_us", [2_500_001, -2_500_001, 4 * 3_600_000_000])
def test_a_presentation_time_far_from_the_decode_time_counts_as_missing(lead_us: int) -> None:
    """One such frame would else hide all after it: they would seem to be shown before it."""
    assert place([(5_000_000 + lead_us, 5_000_000)]) == [Stamp(0, 5_000_000, 5_000_000)]


@pytest.mark.parametrize(
    ("time_base", "wrap_ticks", "frame"),
    [(MPEG, MPEGTS_WRAP_TICKS, FRAME), (MS, FLV_WRAP_TICKS, 40)],
    ids=["mpegts", "rtmp"],
)
def test_a_wrap_goes_unnoticed(time_base: Fraction, wrap_ticks: int, frame: int) -> None:
    raw = [wrap_ticks - 2 * frame, wrap_ticks - frame, 0, frame]

    stamps = place([(t, t) for t in raw], time_base, wrap_ticks)

    assert {stamp.epoch for stamp in stamps} == {0}
    assert steps_us(stamps) == pytest.approx([40_000] * 3, abs=1)


def test_without_a_known_wrap_the_same_step_begins_an_epoch() -> None:
    raw = [FLV_WRAP_TICKS - 40, 0]

    assert place([(t, t) for t in raw], MS)[1] == Stamp(1, 0, 0)


def test_clocks_wrap_where_their_containers_say() -> None:
    assert MPEGTS_WRAP_TICKS == 8_589_934_592
    assert FLV_WRAP_TICKS == 4_294_967_296


def test_two_wraps_are_two_lengths_of_the_clock() -> None:
    """Steps of 8 s on a clock that wraps every 40 s; twice round is 80 s."""
    raw = [(n * 8_000) % 40_000 for n in range(11)]

    stamps = place([(t, t) for t in raw], MS, 40_000)

    assert stamps[-1] == Stamp(0, 80_000_000, 80_000_000)


def test_a_wrap_between_the_times_of_one_packet_is_undone() -> None:
    raw = [(MPEGTS_WRAP_TICKS - FRAME, MPEGTS_WRAP_TICKS - 2 * FRAME), (FRAME, -FRAME), (FRAME, 0)]
    raw = [(pts % MPEGTS_WRAP_TICKS, dts % MPEGTS_WRAP_TICKS) for pts, dts in raw]

    stamps = place(raw, MPEG, MPEGTS_WRAP_TICKS)

    assert [stamp.epoch for stamp in stamps] == [0, 0, 0]
    leads_us = [stamp.pts_us - stamp.dts_us for stamp in stamps]
    assert leads_us == pytest.approx([40_000, 80_000, 40_000], abs=1)


def test_a_presentation_time_before_the_wrap_of_its_decode_time_is_undone() -> None:
    (stamp,) = place([(MPEGTS_WRAP_TICKS - FRAME, 0)], MPEG, MPEGTS_WRAP_TICKS)

    assert stamp == Stamp(0, -40_000, 0)


def test_jitter_back_across_a_wrap_is_held() -> None:
    raw = [MPEGTS_WRAP_TICKS - FRAME, 0, MPEGTS_WRAP_TICKS - FRAME, FRAME]

    stamps = place([(t, None) for t in raw], MPEG, MPEGTS_WRAP_TICKS)

    assert {stamp.epoch for stamp in stamps} == {0}
    assert steps_us(stamps) == pytest.approx([40_000, 0, 40_000], abs=1)


def test_jitter_back_across_the_very_start_is_held() -> None:
    stamps = place([(0, None), (MPEGTS_WRAP_TICKS - FRAME, None)], MPEG, MPEGTS_WRAP_TICKS)

    assert stamps[1] == Stamp(0, 0, 0)


def test_a_clock_that_starts_anew_is_a_break_even_where_it_could_have_wrapped() -> None:
    """An encoder restarts after 20 of 26.5 hours: nearer to a wrap than to a step back."""
    raw = [20 * 3_600 * 90_000, 0, FRAME]

    stamps = place([(t, t) for t in raw], MPEG, MPEGTS_WRAP_TICKS)

    assert stamps[1:] == [Stamp(1, 0, 0), Stamp(1, 40_000, 40_000)]


def test_break_off_before_the_first_packet_changes_nothing() -> None:
    timeline = Timeline()

    timeline.break_off()

    assert timeline.epoch == 0


def test_break_off_begins_one_epoch_however_often_it_is_called() -> None:
    timeline = Timeline()
    timeline.place(1_000, 1_000, US)

    timeline.break_off()
    timeline.break_off()

    assert timeline.epoch == 1
    assert timeline.place(700, 700, US) == Stamp(1, 700, 700)


def test_break_off_forgets_the_wraps_of_the_epoch_before() -> None:
    timeline = Timeline()
    timeline.wrap_ticks = MPEGTS_WRAP_TICKS
    timeline.place(MPEGTS_WRAP_TICKS - FRAME, None, MPEG)
    timeline.place(0, None, MPEG)

    timeline.break_off()

    assert timeline.place(FRAME, None, MPEG) == Stamp(1, 40_000, 40_000)


ticks = st.one_of(
    st.none(),
    st.integers(0, 3 * 90_000),
    st.integers(0, MPEGTS_WRAP_TICKS - 1),
    st.integers(MPEGTS_WRAP_TICKS - 90_000, MPEGTS_WRAP_TICKS - 1),
    st.integers(-(2**63), 2**63 - 1),
)


@given(
    st.lists(st.one_of(st.tuples(ticks, ticks), st.just("break")), max_size=40),
    st.sampled_from([None, MPEGTS_WRAP_TICKS, FLV_WRAP_TICKS]),
    st.sampled_from([MPEG, MS]),
)
def test_whatever_comes_no_time_and_no_epoch_goes_back(
    inputs: list[tuple[int | None, int | None] | str],
    wrap_ticks: int | None,
    time_base: Fraction,
) -> None:
    timeline = Timeline()
    timeline.wrap_ticks = wrap_ticks
    stamps = []

    for given_ in inputs:
        if isinstance(given_, str):
            timeline.break_off()
        else:
            stamps.append(timeline.place(*given_, time_base))
            assert stamps[-1].epoch == timeline.epoch

    for before, after in pairwise(stamps):
        assert after.epoch >= before.epoch
        assert after.epoch > before.epoch or 0 <= after.dts_us - before.dts_us <= MAX_FORWARD_US
    assert all(abs(stamp.pts_us - stamp.dts_us) <= MAX_LEAD_US for stamp in stamps)


@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=60),
    st.integers(0, FLV_WRAP_TICKS - 1),
)
def test_a_wrapping_clock_gives_the_steps_of_the_true_one(steps_ms: list[int], start: int) -> None:
    true_ms = [start]
    for step_ms in steps_ms:
        true_ms.append(true_ms[-1] + step_ms)

    stamps = place([(t % FLV_WRAP_TICKS,) * 2 for t in true_ms], MS, FLV_WRAP_TICKS)

    assert {stamp.epoch for stamp in stamps} == {0}
    assert steps_us(stamps) == [step_ms * 1000 for step_ms in steps_ms]
