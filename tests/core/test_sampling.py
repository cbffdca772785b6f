from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.evasion import Evasion
from streamguard.core.sampling import (
    ALLOWANCE_SHARE,
    ALLOWANCE_US,
    CALM_KEYFRAMES,
    MAX_CATCH_UP_US,
    MAX_KEYFRAME_GAP_US,
    NEAR_MISS_DENSE_US,
    FramePicker,
    Level,
    Sampler,
    Sampling,
    Step,
)
from streamguard.core.types import Packet
from tests.core_fakes import packet

SECOND = 1_000_000


def steps(sampler: Sampler, packets: Iterable[Packet]) -> list[Step]:
    return [sampler.step(each) for each in packets]


def gop(start_us: int, length_us: int, *, epoch: int = 0, step_us: int = SECOND) -> list[Packet]:
    """Give a keyframe and what follows it up to the next one."""
    times = range(start_us, start_us + length_us, step_us)
    return [packet(t, epoch=epoch, is_keyframe=t == start_us) for t in times]


def begun(mode: Sampling) -> Sampler:
    """Give a sampler that has seen a keyframe at 0."""
    sampler = Sampler(mode)
    sampler.step(packet(0, is_keyframe=True))
    return sampler


def test_keyframes_mode_skips_all_else() -> None:
    sampler = Sampler(Sampling.KEYFRAMES)

    assert steps(sampler, gop(0, 3 * SECOND)) == [Step.KEYFRAME, Step.SKIP, Step.SKIP]


def test_keyframes_mode_takes_no_wish_for_more() -> None:
    sampler = begun(Sampling.KEYFRAMES)

    sampler.request_dense(0, 0)

    assert sampler.step(packet(20 * SECOND)) is Step.SKIP


def test_dense_mode_decodes_all_in_order() -> None:
    sampler = Sampler(Sampling.DENSE)

    assert steps(sampler, gop(0, 3 * SECOND)) == [Step.DENSE] * 3


@pytest.mark.parametrize("mode", list(Sampling))
def test_nothing_is_decoded_before_the_first_keyframe(mode: Sampling) -> None:
    sampler = Sampler(mode)

    before = steps(sampler, [packet(0), packet(5 * SECOND)])

    assert before == [Step.SKIP, Step.SKIP]
    assert sampler.step(packet(6 * SECOND, is_keyframe=True)) is not Step.SKIP


def test_auto_skips_up_to_the_reach_of_a_keyframe_and_catches_up_beyond() -> None:
    sampler = begun(Sampling.AUTO)

    times_us = [1, 2_500_000, 2_500_001, 2_500_002]

    assert steps(sampler, map(packet, times_us)) == [
        Step.SKIP,
        Step.SKIP,
        Step.CATCH_UP,
        Step.DENSE,
    ]


def test_a_late_keyframe_alone_makes_auto_dense() -> None:
    sampler = begun(Sampling.AUTO)

    late = sampler.step(packet(2_500_001, is_keyframe=True))

    assert late is Step.DENSE


def test_auto_goes_back_with_the_third_keyframe_in_time() -> None:
    sampler = begun(Sampling.AUTO)
    sampler.step(packet(3 * SECOND, is_keyframe=True))

    timely = [p for n in range(4) for p in gop((4 + n) * SECOND, SECOND, step_us=SECOND // 2)]

    assert steps(sampler, timely) == [
        *(Step.DENSE, Step.DENSE),
        *(Step.DENSE, Step.DENSE),
        *(Step.KEYFRAME, Step.SKIP),
        *(Step.KEYFRAME, Step.SKIP),
    ]


def test_a_late_keyframe_in_between_starts_the_count_anew() -> None:
    sampler = begun(Sampling.AUTO)
    keyframes_s = [3, 4, 5, 8]  # late, in time, in time, late
    steps(sampler, [packet(s * SECOND, is_keyframe=True) for s in keyframes_s])

    after = [packet((9 + n) * SECOND, is_keyframe=True) for n in range(CALM_KEYFRAMES)]

    assert steps(sampler, after) == [Step.DENSE, Step.DENSE, Step.KEYFRAME]


def test_a_near_miss_catches_up_at_once() -> None:
    sampler = begun(Sampling.AUTO)
    sampler.step(packet(SECOND))

    sampler.request_dense(0, 0)

    assert steps(sampler, map(packet, [SECOND + 1, SECOND + 2])) == [Step.CATCH_UP, Step.DENSE]


def test_a_near_miss_buys_ten_seconds() -> None:
    sampler = begun(Sampling.AUTO)
    sampler.request_dense(0, 0)

    keyframes = [*range(2 * SECOND, 10 * SECOND, 2 * SECOND), 10 * SECOND - 1, 10 * SECOND]

    assert steps(sampler, [packet(t, is_keyframe=True) for t in keyframes]) == [
        *[Step.DENSE] * (len(keyframes) - 1),
        Step.KEYFRAME,
    ]


def dense_s(sampler: Sampler, seconds: Iterable[int], *, asked_until_s: int) -> int:
    """Show a keyframe a second, each of them a near miss for a while; count the dense seconds."""
    n_dense = 0
    for second in seconds:
        n_dense += sampler.step(packet(second * SECOND, is_keyframe=True)) is Step.DENSE
        if second < asked_until_s:
            sampler.request_dense(0, second * SECOND)
    return n_dense


@pytest.mark.parametrize("asked_s", [1, 20, 40])
def test_one_near_miss_after_another_pays_only_for_what_it_adds(asked_s: int) -> None:
    sampler = begun(Sampling.AUTO)

    assert dense_s(sampler, range(100), asked_until_s=asked_s) == asked_s + 8


def test_near_misses_that_go_on_use_up_what_a_stream_has_in_store() -> None:
    sampler = begun(Sampling.AUTO)

    n_dense = dense_s(sampler, range(600), asked_until_s=600)

    in_store_s = ALLOWANCE_US // SECOND
    assert in_store_s < n_dense <= in_store_s + 600 // ALLOWANCE_SHARE


def test_what_was_used_up_comes_back_with_media_time() -> None:
    """Ten seconds of dense sampling come back within sixty."""
    sampler = begun(Sampling.AUTO)
    dense_s(sampler, range(660), asked_until_s=600)

    sampler.request_dense(0, 659 * SECOND)

    assert dense_s(sampler, range(660, 720), asked_until_s=0) == 9


def test_another_epoch_has_no_more_in_store() -> None:
    sampler = begun(Sampling.AUTO)
    for n in range(0, 300 * SECOND, SECOND // 4):
        sampler.request_dense(0, n)
    sampler.step(packet(0, epoch=1, is_keyframe=True))

    sampler.request_dense(1, 900 * SECOND)

    assert sampler.step(packet(1, epoch=1)) is Step.SKIP


def test_a_gop_whose_decoding_began_goes_on_to_its_end() -> None:
    sampler = begun(Sampling.AUTO)
    sampler.request_dense(0, -NEAR_MISS_DENSE_US + 2)

    assert steps(sampler, map(packet, [1, 2, 3])) == [Step.CATCH_UP, Step.DENSE, Step.DENSE]
    assert sampler.step(packet(SECOND, is_keyframe=True)) is Step.KEYFRAME


def test_a_new_epoch_skips_to_its_first_keyframe() -> None:
    sampler = begun(Sampling.DENSE)

    assert steps(sampler, [packet(1), packet(2, epoch=1), *gop(3, 1, epoch=1)]) == [
        Step.DENSE,
        Step.SKIP,
        Step.DENSE,
    ]


def test_a_new_epoch_forgets_a_near_miss() -> None:
    sampler = begun(Sampling.AUTO)
    sampler.request_dense(0, 0)

    assert steps(sampler, gop(SECOND, 2, epoch=1, step_us=1)) == [Step.KEYFRAME, Step.SKIP]


def test_a_new_epoch_forgets_that_keyframes_were_rare() -> None:
    sampler = begun(Sampling.AUTO)
    sampler.step(packet(3 * SECOND, is_keyframe=True))

    assert steps(sampler, gop(0, 2 * SECOND, epoch=1)) == [Step.KEYFRAME, Step.SKIP]


packet_runs = st.lists(
    st.tuples(st.integers(0, 4 * SECOND), st.booleans(), st.integers(0, 20).map(bool)), max_size=60
)
"""Steps in time, whether the packet is a keyframe, and (seldom not) whether the epoch goes on."""


def packets_of(run: list[tuple[int, bool, bool]]) -> list[Packet]:
    made, at_us, epoch = [], 0, 0
    for step_us, is_keyframe, goes_on in run:
        at_us = at_us + step_us if goes_on else 0
        epoch += not goes_on
        made.append(packet(at_us, epoch=epoch, is_keyframe=is_keyframe))
    return made


@given(packet_runs, st.sampled_from(Sampling), st.sets(st.integers(0, 59)))
def test_every_keyframe_is_decoded_in_every_mode(
    run: list[tuple[int, bool, bool]], mode: Sampling, near_misses: set[int]
) -> None:
    sampler = Sampler(mode)

    for index, each in enumerate(packets_of(run)):
        step = sampler.step(each)
        if index in near_misses:
            sampler.request_dense(each.epoch, each.pts_us)

        if each.is_keyframe:
            assert step in {Step.KEYFRAME, Step.DENSE}
        if mode is Sampling.KEYFRAMES:
            assert step is (Step.KEYFRAME if each.is_keyframe else Step.SKIP)


@given(packet_runs, st.sets(st.integers(0, 59)))
def test_decoding_in_order_never_begins_amid_a_gop(
    run: list[tuple[int, bool, bool]], near_misses: set[int]
) -> None:
    """Else the decoder would miss what the packet is built on."""
    sampler, is_in_order = Sampler(Sampling.AUTO), False

    for index, each in enumerate(packets_of(run)):
        step = sampler.step(each)
        if index in near_misses:
            sampler.request_dense(each.epoch, each.pts_us)

        assert step is not Step.DENSE or is_in_order or each.is_keyframe
        assert step is not Step.CATCH_UP or not is_in_order
        is_in_order = step in {Step.DENSE, Step.CATCH_UP}


@given(packet_runs)
def test_in_auto_no_packet_is_skipped_beyond_the_reach_of_its_keyframe(
    run: list[tuple[int, bool, bool]],
) -> None:
    sampler, epoch, keyframe_us = Sampler(Sampling.AUTO), -1, None

    for each in packets_of(run):
        if each.epoch != epoch:
            epoch, keyframe_us = each.epoch, None
        step = sampler.step(each)

        if each.is_keyframe:
            keyframe_us = each.pts_us
        if step is Step.SKIP and keyframe_us is not None:
            assert each.pts_us - keyframe_us <= MAX_KEYFRAME_GAP_US


@given(packet_runs, st.sampled_from(Sampling), st.sets(st.integers(0, 59)))
def test_who_is_not_told_of_what_it_would_skip_chooses_the_same(
    run: list[tuple[int, bool, bool]], mode: Sampling, near_misses: set[int]
) -> None:
    """A file's packets need not be read where keyframes alone are wanted and come in time."""
    packets = packets_of(run)
    whole, sparse = Sampler(mode), Sampler(mode)
    read_from = 0

    for index, each in enumerate(packets):
        step = whole.step(each)
        if index < read_from:
            assert step is Step.SKIP
            continue
        assert sparse.step(each) is step
        if each.is_keyframe and index in near_misses:
            whole.request_dense(each.epoch, each.pts_us)
            sparse.request_dense(each.epoch, each.pts_us)
        later = [at for at in range(index + 1, len(packets)) if packets[at].is_keyframe]
        if each.is_keyframe and later and sparse.wants_keyframes_alone:
            reach = packets[later[0]].pts_us - each.pts_us
            is_unbroken = packets[later[0]].epoch == each.epoch
            if is_unbroken and reach <= MAX_KEYFRAME_GAP_US:
                read_from = later[0]


def test_keyframes_alone_are_wanted_by_mode_and_until_something_comes_near() -> None:
    auto = begun(Sampling.AUTO)

    assert begun(Sampling.KEYFRAMES).wants_keyframes_alone
    assert not begun(Sampling.DENSE).wants_keyframes_alone
    assert auto.wants_keyframes_alone
    auto.request_dense(0, 0)
    assert not auto.wants_keyframes_alone
    for at_us in range(2 * SECOND, 12 * SECOND, 2 * SECOND):
        auto.step(packet(at_us, is_keyframe=True))
    assert auto.wants_keyframes_alone


@pytest.mark.parametrize(
    ("since_us", "is_keyframe", "is_wanted"),
    [
        (249_999, False, False),
        (250_000, False, True),
        (1, True, True),
        (0, True, False),
        (-1, True, False),
        (0, False, False),
    ],
)
def test_picker_thins_frames_and_lets_keyframes_pass(
    since_us: int, *, is_keyframe: bool, is_wanted: bool
) -> None:
    picker = FramePicker()
    picker.wants(0, 5 * SECOND, is_keyframe=True)

    assert picker.wants(0, 5 * SECOND + since_us, is_keyframe=is_keyframe) is is_wanted


def test_picker_takes_the_first_frame_of_each_epoch() -> None:
    picker = FramePicker()

    assert picker.wants(0, 5 * SECOND, is_keyframe=False)
    assert picker.wants(1, 4 * SECOND, is_keyframe=False)


def test_picker_measures_from_the_last_frame_it_took() -> None:
    picker = FramePicker()

    taken = [t for t in range(0, SECOND, 50_000) if picker.wants(0, t, is_keyframe=False)]

    assert taken == [0, 250_000, 500_000, 750_000]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3 * SECOND), st.booleans())))
def test_picker_never_takes_a_time_twice_or_goes_back(
    frames: list[tuple[int, int, bool]],
) -> None:
    picker = FramePicker()
    frames.sort(key=lambda frame: frame[0])

    taken = [(e, t) for e, t, is_keyframe in frames if picker.wants(e, t, is_keyframe=is_keyframe)]

    assert taken == sorted(set(taken))


def refresh(pts_us: int) -> Packet:
    return replace(packet(pts_us), is_refresh=True)


def test_what_is_dense_by_risk_is_decoded_whole() -> None:
    sampler = begun(Sampling.AUTO)
    sampler.level = Level.DENSE

    assert steps(sampler, map(packet, [1, 2])) == [Step.CATCH_UP, Step.DENSE]
    assert sampler.step(packet(SECOND, is_keyframe=True)) is Step.DENSE
    assert not sampler.wants_keyframes_alone
    assert sampler.needs_all_frames


def test_at_the_floor_keyframes_are_all_whatever_lies_between() -> None:
    sampler = begun(Sampling.AUTO)
    sampler.request_dense(0, 0)
    sampler.level = Level.FLOOR

    taken = steps(sampler, [*map(packet, [1, 2_500_001]), packet(9 * SECOND, is_keyframe=True)])

    assert taken == [Step.SKIP, Step.SKIP, Step.KEYFRAME]
    assert sampler.wants_keyframes_alone


def test_a_long_gop_is_left_in_its_middle_and_caught_up_with_while_it_is_young() -> None:
    sampler = begun(Sampling.AUTO)
    steps(sampler, map(packet, [3 * SECOND]))
    sampler.level = Level.FLOOR
    at_floor = sampler.step(packet(4 * SECOND))
    sampler.level = Level.STANDARD

    again = steps(sampler, map(packet, [MAX_CATCH_UP_US, MAX_CATCH_UP_US + 1]))

    assert at_floor is Step.SKIP
    assert again == [Step.CATCH_UP, Step.DENSE]


def test_a_long_gop_that_is_too_old_is_gone_on_with_at_its_next_keyframe() -> None:
    sampler = begun(Sampling.AUTO)
    sampler.level = Level.FLOOR
    sampler.step(packet(4 * SECOND))
    sampler.level = Level.STANDARD

    taken = steps(
        sampler, [packet(MAX_CATCH_UP_US + 1), packet(20 * SECOND, is_keyframe=True), packet(21)]
    )

    assert taken == [Step.SKIP, Step.DENSE, Step.DENSE]


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("mode", [Sampling.KEYFRAMES, Sampling.DENSE])
def test_the_other_modes_know_no_level(mode: Sampling, level: Level) -> None:
    sampler = begun(mode)
    sampler.level = level

    taken = steps(sampler, map(packet, [1, 3 * SECOND]))

    assert taken[1] is (Step.SKIP if mode is Sampling.KEYFRAMES else Step.DENSE)


def test_only_what_is_asked_for_needs_every_frame() -> None:
    long_gop, near_miss = begun(Sampling.AUTO), begun(Sampling.AUTO)
    long_gop.step(packet(3 * SECOND))
    near_miss.request_dense(0, 0)

    assert not long_gop.needs_all_frames
    assert near_miss.needs_all_frames
    assert begun(Sampling.DENSE).needs_all_frames


def test_a_picture_that_is_renewed_piece_by_piece_is_decoded_from_there() -> None:
    sampler = Sampler(Sampling.AUTO)

    taken = steps(sampler, [packet(0), refresh(SECOND), packet(2 * SECOND), refresh(3 * SECOND)])

    assert taken == [Step.SKIP, Step.CATCH_UP, Step.DENSE, Step.DENSE]
    assert sampler.take_evasions() == [Evasion.INTRA_REFRESH]
    assert sampler.take_evasions() == []


def test_at_the_floor_and_by_keyframes_alone_a_renewed_picture_is_left() -> None:
    floor, keyframes = Sampler(Sampling.AUTO), Sampler(Sampling.KEYFRAMES)
    floor.level = Level.FLOOR

    taken = [each.step(refresh(0)) for each in (floor, keyframes)]
    floor.level = Level.STANDARD

    assert taken == [Step.SKIP, Step.SKIP]
    assert floor.step(packet(1)) is Step.SKIP
    assert floor.step(refresh(2)) is Step.CATCH_UP


def test_a_stretched_gop_is_decoded_and_told_of() -> None:
    sampler = begun(Sampling.AUTO)

    taken = steps(sampler, [packet(t * SECOND) for t in range(1, 251)])

    assert taken == [*[Step.SKIP] * 2, Step.CATCH_UP, *[Step.DENSE] * 247]
    assert sampler.take_evasions() == [Evasion.STRETCHED_GOP]


def test_what_lies_behind_a_blank_keyframe_is_decoded_at_once() -> None:
    sampler = begun(Sampling.AUTO)
    sampler.judged(0, 0, is_keyframe=True, is_blank=True)

    assert not sampler.wants_keyframes_alone
    assert steps(sampler, map(packet, [1, 2])) == [Step.CATCH_UP, Step.DENSE]
    assert not sampler.needs_all_frames
