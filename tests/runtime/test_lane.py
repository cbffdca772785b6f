from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.budget import MAX_ERRORS
from streamguard.core.errors import SourceCorrupt
from streamguard.core.types import GapReason, Packet, Sample
from streamguard.runtime.lane import AT_ONCE_S, MAX_AGE_S, MAX_WAITING, MAX_WAITING_BYTES
from streamguard.runtime.notes import EpochBegan, EpochEnded, SourceEnded
from tests.runtime.fakes import (
    BLACK,
    BOXED,
    BUG,
    BUG_AT_END,
    CODEC,
    CORRUPT,
    CORRUPT_AT_END,
    FRAME_US,
    Bench,
    on_loop,
    packet,
)

SECOND_US = 1_000_000
ENDED = SourceEnded(None, 0)


def test_keyframes_alone_become_samples_in_order() -> None:
    async def test(bench: Bench) -> None:
        for second in range(3):
            bench.lane.put(packet(second * SECOND_US), in_order=False)

        bench.work_off()

        samples = [item for item in await bench.items() if isinstance(item, Sample)]
        assert [sample.pts_us for sample in samples] == [0, SECOND_US, 2 * SECOND_US]
        assert all(sample.is_keyframe and sample.views for sample in samples)
        assert bench.decoder.codecs == [CODEC] * 3

    on_loop(test)


def test_packets_in_order_are_thinned_to_four_samples_a_second() -> None:
    async def test(bench: Bench) -> None:
        for index in range(50):
            made = packet(index * FRAME_US, is_keyframe=index % 25 == 0)
            bench.lane.put(made, in_order=True)
        bench.lane.note(ENDED)

        bench.work_off()

        assert await bench.sampled_us() == [n * FRAME_US for n in (0, 7, 13, 19, 25, 32, 38, 44)]
        assert [len(decoded) for decoded in bench.decoder.ordered] == [50]

    on_loop(test)


def test_a_keyframe_alone_ends_decoding_in_order_without_losing_a_frame() -> None:
    async def test(bench: Bench) -> None:
        bench.lane.put(packet(0), in_order=True)
        bench.lane.put(packet(SECOND_US, is_keyframe=False), in_order=True)
        bench.lane.put(packet(2 * SECOND_US), in_order=False)
        bench.lane.put(packet(3 * SECOND_US), in_order=True)
        bench.lane.note(ENDED)

        bench.work_off()

        assert await bench.sampled_us() == [0, SECOND_US, 2 * SECOND_US, 3 * SECOND_US]
        assert len(bench.decoder.ordered) == 2

    on_loop(test)


@pytest.mark.parametrize(
    ("epoch", "regions"), [(0, ["full", "content"]), (1, ["full"])], ids=["same", "next"]
)
def test_what_was_seen_is_remembered_within_an_epoch(epoch: int, regions: list[str]) -> None:
    async def test(bench: Bench) -> None:
        bench.lane.put(packet(0, payload=BOXED), in_order=False)
        bench.lane.put(packet(SECOND_US, epoch=epoch, payload=BLACK), in_order=False)

        bench.work_off()

        _, black = [item for item in await bench.items() if isinstance(item, Sample)]
        assert [view.region for view in black.views] == regions

    on_loop(test)


def test_a_note_comes_after_all_samples_of_earlier_packets() -> None:
    async def test(bench: Bench) -> None:
        began, ended = EpochBegan(0, 0, 0.0), EpochEnded(0, SECOND_US, is_last=True)
        bench.lane.note(began)
        bench.lane.put(packet(0), in_order=True)
        bench.lane.put(packet(SECOND_US, is_keyframe=False), in_order=True)
        bench.lane.note(ended)
        bench.lane.note(ENDED)

        bench.work_off()

        items = await bench.items()
        shown = [item.pts_us if isinstance(item, Sample) else item for item in items]
        assert shown == [began, 0, SECOND_US, ended, ENDED]

    on_loop(test)


def test_a_live_lane_that_is_full_drops_its_oldest_keyframe_and_says_so() -> None:
    async def test(bench: Bench) -> None:
        for index in range(MAX_WAITING):
            bench.lane.put(packet(index, read_at_s=0.0), in_order=False)
        assert bench.lane.n_dropped == 0

        bench.lane.put(packet(MAX_WAITING, read_at_s=0.0), in_order=False)

        assert bench.lane.n_dropped == bench.dropped("lane_full") == 1
        assert bench.losses.reason_within(0, 0, 0) is GapReason.OVERLOAD
        bench.work_off()
        assert [p.pts_us for p in bench.decoder.alone] == list(range(1, MAX_WAITING + 1))

    on_loop(test)


def test_a_live_lane_is_bounded_in_bytes_too() -> None:
    async def test(bench: Bench) -> None:
        half = bytes(MAX_WAITING_BYTES // 2)
        for index in range(2):
            bench.lane.put(packet(index, read_at_s=0.0, payload=half), in_order=False)
        assert bench.lane.n_dropped == 0

        bench.lane.put(packet(2, read_at_s=0.0), in_order=False)
        bench.work_off()

        assert [p.pts_us for p in bench.decoder.alone] == [1, 2]

    on_loop(test)


@pytest.mark.parametrize(("age_s", "n_dropped"), [(MAX_AGE_S, 0), (MAX_AGE_S + 0.001, 1)])
def test_a_live_lane_drops_what_has_waited_too_long(age_s: float, n_dropped: int) -> None:
    async def test(bench: Bench) -> None:
        bench.lane.put(packet(0, read_at_s=0.0), in_order=False)
        bench.lane.put(packet(1, read_at_s=1.0), in_order=False)

        bench.lane.put(packet(2, read_at_s=age_s), in_order=False)

        assert bench.lane.n_dropped == n_dropped

    on_loop(test)


def test_decoding_in_order_that_lost_a_packet_resumes_at_the_next_keyframe() -> None:
    async def test(bench: Bench) -> None:
        for index in range(MAX_WAITING):
            made = packet(index, is_keyframe=index in {0, 100}, read_at_s=0.0)
            bench.lane.put(made, in_order=True)

        bench.lane.put(packet(MAX_WAITING, is_keyframe=False, read_at_s=0.0), in_order=True)
        bench.work_off()

        decoded = [p.pts_us for order in bench.decoder.ordered for p in order]
        assert decoded == list(range(100, MAX_WAITING + 1))
        assert bench.lane.n_dropped == 100

    on_loop(test)


def test_a_lane_without_a_keyframe_left_drops_until_one_comes_and_goes_on() -> None:
    async def test(bench: Bench) -> None:
        for index in range(MAX_WAITING):
            bench.lane.put(packet(index, is_keyframe=index == 0, read_at_s=0.0), in_order=True)
        bench.lane.put(packet(600, is_keyframe=False, read_at_s=0.0), in_order=True)
        bench.lane.put(packet(601, is_keyframe=False, read_at_s=0.0), in_order=True)

        bench.work_off()
        bench.lane.put(packet(602, is_keyframe=False, read_at_s=0.0), in_order=True)
        bench.lane.put(packet(603, read_at_s=0.0), in_order=True)
        bench.lane.put(packet(604, is_keyframe=False, read_at_s=0.0), in_order=True)
        bench.work_off()

        assert bench.lane.n_dropped == MAX_WAITING + 3
        assert bench.lane.failure is None
        assert [[p.pts_us for p in order] for order in bench.decoder.ordered] == [[603, 604]]

    on_loop(test)


def test_what_was_shed_while_a_pool_thread_was_on_its_way_is_no_work() -> None:
    """The lane was offered, then lost all that waited: the thread finds nothing to do."""

    async def test(bench: Bench) -> None:
        for index in range(MAX_WAITING + 1):
            bench.lane.put(packet(index, is_keyframe=index == 0, read_at_s=0.0), in_order=True)

        assert bench.lane.due_s == AT_ONCE_S
        assert bench.lane.work(bench.decoder) is False
        assert bench.lane.floor_us() is None

    on_loop(test)


@given(
    st.lists(st.sampled_from(["alone", "in order", "next", "next", "work"]), max_size=60),
    st.integers(1, 4),
)
def test_every_packet_is_decoded_or_counted_and_none_without_its_predecessor(
    steps: list[str], weight: int
) -> None:
    """Packets are so heavy that `weight` of them fill the lane."""

    async def test(bench: Bench) -> None:
        put: list[Packet] = []
        payload = bytes(MAX_WAITING_BYTES // weight)
        is_in_order = False
        for step in steps:
            if step == "work":
                bench.n_ready = bench.n_ready and int(bench.lane.work(bench.decoder))
            elif step != "next" or is_in_order:
                is_in_order = step != "alone"
                is_key = step != "next"
                put.append(packet(len(put), is_keyframe=is_key, read_at_s=0.0, payload=payload))
                bench.lane.put(put[-1], in_order=is_in_order)
        bench.work_off()

        ordered = [each for order in bench.decoder.ordered for each in order]
        assert len(put) == len(bench.decoder.alone) + len(ordered) + bench.lane.n_dropped
        assert bench.dropped("lane_full") == bench.lane.n_dropped
        for each in ordered:
            assert each.is_keyframe or put[each.pts_us - 1] in ordered
        assert bench.lane.failure is None

    on_loop(test)


@pytest.mark.parametrize(("waits", "n_shed"), [(False, 1), (True, 0)])
def test_only_a_live_lane_sheds(waits: bool, n_shed: int) -> None:  # noqa: FBT001
    async def test(bench: Bench) -> None:
        for index in range(MAX_WAITING + 1):
            bench.lane.put(packet(index, read_at_s=0.0), in_order=False)

        bench.work_off()

        assert bench.lane.n_dropped == n_shed
        assert len(bench.decoder.alone) == MAX_WAITING + 1 - n_shed

    on_loop(test, waits=waits)


def test_a_closed_lane_takes_nothing_more_and_decodes_what_it_has() -> None:
    async def test(bench: Bench) -> None:
        bench.lane.put(packet(0), in_order=False)
        late = packet(SECOND_US)

        bench.lane.close()
        bench.lane.put(late, in_order=False)
        bench.work_off()

        assert len(bench.decoder.alone) == 1
        assert bench.lane.n_dropped == bench.dropped("stopped") == 1
        assert bench.losses.reason_within(0, late.pts_us, late.pts_us) is GapReason.INTERRUPTED

    on_loop(test)


@pytest.mark.parametrize("in_order", [False, True])
def test_a_packet_that_cannot_be_decoded_is_counted_and_passed_over(in_order: bool) -> None:  # noqa: FBT001
    async def test(bench: Bench) -> None:
        for index in range(3):
            payload = CORRUPT if index == 1 else b"x"
            bench.lane.put(packet(index * SECOND_US, payload=payload), in_order=in_order)
        bench.lane.note(ENDED)

        bench.work_off()

        assert await bench.sampled_us() == [0, 2 * SECOND_US]
        assert bench.dropped("decode_error") == 1
        assert bench.losses.reason_within(0, SECOND_US, SECOND_US) is GapReason.DECODE_ERROR
        assert bench.lane.failure is None

    on_loop(test)


@pytest.mark.parametrize(("n_corrupt", "fails"), [(MAX_ERRORS - 1, False), (MAX_ERRORS, True)])
def test_too_many_packets_that_cannot_be_decoded_fail_the_stream(
    n_corrupt: int,
    fails: bool,  # noqa: FBT001
) -> None:
    async def test(bench: Bench) -> None:
        for index in range(n_corrupt):
            bench.lane.put(packet(index, payload=CORRUPT), in_order=False)

        bench.work_off()

        assert isinstance(bench.lane.failure, SourceCorrupt) is fails

    on_loop(test)


@pytest.mark.parametrize(("waits", "fails"), [(False, True), (True, False)])
def test_damage_spread_over_a_file_is_reckoned_by_its_own_time(
    waits: bool,  # noqa: FBT001
    fails: bool,  # noqa: FBT001
) -> None:
    """A file is read in no time; a live stream's damage comes as fast as it seems to."""

    async def test(bench: Bench) -> None:
        for second in range(MAX_ERRORS + 10):
            made = packet(second * SECOND_US, payload=CORRUPT, read_at_s=0.0)
            bench.lane.put(made, in_order=False)

        bench.work_off()

        assert isinstance(bench.lane.failure, SourceCorrupt) is fails

    on_loop(test, waits=waits)


def test_frames_held_back_that_cannot_be_decoded_are_counted() -> None:
    async def test(bench: Bench) -> None:
        bench.lane.put(packet(0, payload=CORRUPT_AT_END), in_order=True)
        bench.lane.put(packet(SECOND_US), in_order=False)

        bench.work_off()

        assert await bench.sampled_us() == [SECOND_US]
        assert bench.dropped("decode_error") == 1

    on_loop(test)


def test_a_failure_of_the_last_packets_is_told_at_the_end_of_the_source() -> None:
    """The reader had read all, and looks no more at what became of it."""

    async def test(bench: Bench) -> None:
        bench.lane.put(packet(0, payload=BUG), in_order=False)
        bench.lane.note(SourceEnded(None, 1))

        with pytest.raises(ZeroDivisionError) as caught:
            bench.lane.work(bench.decoder)
        bench.lane.failure = caught.value  # as the pool does
        bench.lane.settle()
        bench.work_off()

        assert await bench.items() == [SourceEnded(caught.value, 1)]

    on_loop(test)


def test_a_note_arrives_whatever_happens_to_the_frames_before_it() -> None:
    async def test(bench: Bench) -> None:
        ended = EpochEnded(0, 0, is_last=True)
        bench.lane.put(packet(0, payload=BUG_AT_END), in_order=True)
        bench.lane.note(ended)
        bench.lane.note(SourceEnded(None, 1))

        bench.work_off()

        items = await bench.items()
        assert items[0] == ended
        assert isinstance(items[1], SourceEnded)
        assert isinstance(items[1].error, ZeroDivisionError)

    on_loop(test)


def test_an_error_of_the_source_is_not_replaced_by_a_failure() -> None:
    async def test(bench: Bench) -> None:
        bench.lane.failure = ZeroDivisionError()
        ended = SourceEnded(SourceCorrupt("first"), 1)
        bench.lane.note(ended)

        bench.work_off()

        assert await bench.items() == [ended]

    on_loop(test)


def test_a_new_connection_begins_without_the_failure_and_decoders_of_the_last() -> None:
    async def test(bench: Bench) -> None:
        bench.lane.put(packet(0), in_order=True)
        bench.work_off()
        bench.lane.failure = ZeroDivisionError()

        bench.lane.open(CODEC)
        bench.lane.put(packet(SECOND_US, epoch=1), in_order=True)
        bench.work_off()

        assert bench.lane.failure is None
        assert [len(decoded) for decoded in bench.decoder.ordered] == [1, 1]

    on_loop(test)


def test_the_floor_is_the_earliest_packet_that_has_no_sample_yet() -> None:
    async def test(bench: Bench) -> None:
        assert bench.lane.floor_us() is None

        for pts_us in (7, 5, 9):
            bench.lane.put(packet(pts_us), in_order=False)
        bench.lane.note(ENDED)
        assert bench.lane.floor_us() == 5

        bench.work_off()
        assert bench.lane.floor_us() is None

    on_loop(test)


def renewed(pts_us: int) -> Packet:
    """Give a packet with which the picture begins to be renewed."""
    return replace(packet(pts_us, is_keyframe=False, read_at_s=0.0), is_refresh=True)


def test_what_begins_in_order_is_decoded_without_what_came_before() -> None:
    async def test(bench: Bench) -> None:
        for pts_us, begins in ((0, True), (1, False), (5, True)):
            bench.lane.put(renewed(pts_us), in_order=True, begins=begins)

        bench.work_off()

        assert [[p.pts_us for p in run] for run in bench.decoder.ordered] == [[0, 1], [5]]

    on_loop(test)


def test_after_a_loss_decoding_begins_anew_where_the_picture_is_renewed() -> None:
    async def test(bench: Bench) -> None:
        bench.lane.put(renewed(0), in_order=True, begins=True)
        bench.work_off()
        for index in range(1, MAX_WAITING + 2):
            bench.lane.put(packet(index, is_keyframe=False, read_at_s=0.0), in_order=True)

        bench.lane.put(renewed(MAX_WAITING + 2), in_order=True)
        bench.work_off()

        assert [run[0].pts_us for run in bench.decoder.ordered] == [0, MAX_WAITING + 2]

    on_loop(test)
