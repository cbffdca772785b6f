from streamguard.core.coverage import MAX_PIECE_US, REACH_US, Gap, LossLedger
from streamguard.core.segments import (
    SegmentClosed,
    SegmentEvent,
    SegmentOpened,
    SegmentStrengthened,
)
from streamguard.core.track import Track
from streamguard.core.types import GapReason
from tests.core_fakes import decision, minting

SECOND = 1_000_000


def begun(first_us: int = 0, read_at_s: float = 0.0, *, losses: LossLedger | None = None) -> Track:
    track = Track("classifier", losses or LossLedger(), minting())
    track.begin(0, first_us, read_at_s)
    return track


def kinds(events: list[SegmentEvent]) -> list[type]:
    return [type(event) for event in events]


def test_a_positive_sample_opens_a_segment_and_screens_its_surroundings() -> None:
    track = begun()

    events, gaps = track.judged(0, SECOND, [decision(SECOND)], 1.0)

    assert kinds(events) == [SegmentOpened]
    assert gaps == []
    assert track.coverage.screened_us == SECOND + REACH_US


def test_a_second_entry_strengthens_it() -> None:
    track = begun()
    track.judged(0, SECOND, [decision(SECOND)], 1.0)

    events, _ = track.judged(0, 2 * SECOND, [decision(2 * SECOND, entry="other")], 2.0)

    assert kinds(events) == [SegmentStrengthened]


def test_samples_that_are_not_positive_close_it() -> None:
    track = begun()
    track.judged(0, 0, [decision(0)], 0.0)

    told = [track.judged(0, second * SECOND, [], second)[0] for second in range(1, 6)]

    assert [kinds(events) for events in told] == [[], [], [], [SegmentClosed], []]


def test_a_sample_without_a_verdict_screens_nothing_and_moves_the_time_on() -> None:
    track = begun()
    track.judged(0, 0, [decision(0)], 0.0)

    told = [
        track.not_judged(0, second * SECOND, GapReason.MODEL_ERROR, second)
        for second in range(1, 6)
    ]

    assert [kinds(events) for events, _ in told] == [[], [], [], [SegmentClosed], []]
    assert track.coverage.screened_us == REACH_US


def test_a_gap_that_goes_on_is_told_while_it_lasts_with_its_reason() -> None:
    track = begun()
    told = [
        track.not_judged(0, second * SECOND, GapReason.MODEL_ERROR, second)[1]
        for second in range(0, 30, 2)
    ]

    gaps = [gap for each in told for gap in each]

    assert {gap.reason for gap in gaps} == {GapReason.MODEL_ERROR}
    assert gaps[0].start_us == 0
    assert all(gap.end_us - gap.start_us >= MAX_PIECE_US for gap in gaps)


def test_the_clock_closes_what_an_idle_stream_left_open() -> None:
    track = begun()
    track.judged(0, 0, [decision(0)], 0.0)

    events, gaps = track.idle(0, None, 100.0)

    assert [event.reason for event in events if isinstance(event, SegmentClosed)] == ["idle"]
    assert gaps == []


def test_a_known_horizon_tells_of_the_gap_before_it() -> None:
    track = begun()

    _, gaps = track.idle(0, MAX_PIECE_US + REACH_US, 100.0)

    assert [(gap.start_us, gap.end_us) for gap in gaps] == [(0, MAX_PIECE_US)]


def test_the_end_of_a_timeline_closes_all_and_accounts_for_the_rest() -> None:
    losses = LossLedger()
    track = begun(losses=losses)
    track.judged(0, 0, [decision(0)], 0.0)
    losses.note(0, 8 * SECOND, GapReason.OVERLOAD)

    events, gaps = track.epoch_ended(0, 9 * SECOND, "stream_ended")

    assert [event.reason for event in events if isinstance(event, SegmentClosed)] == [
        "stream_ended"
    ]
    assert gaps == [Gap(0, REACH_US, 9 * SECOND, GapReason.OVERLOAD)]


def test_at_our_own_stop_the_rest_was_interrupted() -> None:
    track = begun()
    track.not_judged(0, 8 * SECOND, GapReason.MODEL_ERROR, 8.0)

    _, gaps = track.epoch_ended(0, 9 * SECOND, "interrupted")

    assert gaps == [Gap(0, 0, 9 * SECOND, GapReason.INTERRUPTED)]


def test_a_watermark_is_where_verdicts_have_come_to_good_or_not() -> None:
    track = Track("classifier", LossLedger(), minting())
    watermarks = [track.watermark_us]

    track.begin(0, 5 * SECOND, 0.0)
    watermarks.append(track.watermark_us)
    track.judged(0, 6 * SECOND, [], 1.0)
    watermarks.append(track.watermark_us)
    track.not_judged(0, 8 * SECOND, GapReason.OVERLOAD, 3.0)
    watermarks.append(track.watermark_us)
    track.was_read(20 * SECOND, 15.0)
    watermarks.append(track.watermark_us)

    assert watermarks == [None, 5 * SECOND, 6 * SECOND, 8 * SECOND, 8 * SECOND]


def test_the_instants_of_a_gap_are_those_of_its_media() -> None:
    track = begun(100 * SECOND, 50.0)
    track.was_read(110 * SECOND, 60.5)

    instants = track.instants_s(Gap(0, 104 * SECOND, 108 * SECOND, GapReason.OVERLOAD), 70.0)

    assert instants == (54.5, 58.5)


def test_no_gap_is_told_to_end_in_the_future_or_to_begin_before_the_last() -> None:
    track = begun(0, 50.0)

    first = track.instants_s(Gap(0, 0, 30 * SECOND, GapReason.OVERLOAD), 60.0)
    track.was_read(30 * SECOND, 51.0)  # the file came faster than it is shown
    second = track.instants_s(Gap(0, 30 * SECOND, 40 * SECOND, GapReason.OVERLOAD), 62.0)

    assert first == (50.0, 60.0)
    assert second == (60.0, 61.0)
