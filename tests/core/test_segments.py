import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.course import Course
from streamguard.core.decision import Decision, ModelFinding
from streamguard.core.segments import (
    AGAIN_US,
    IDLE_S,
    MAX_AHEAD_S,
    MIN_OPEN_US,
    Segment,
    SegmentBuilder,
    SegmentClosed,
    SegmentEvent,
    SegmentOpened,
    SegmentPeaked,
    SegmentStrengthened,
    SegmentWentOn,
    segments_of,
)
from streamguard.core.types import MAX_SIGNALS, CloseReason, Match, Severity
from tests.core_fakes import decision, minting, sample

SECOND = 1_000_000
OPEN_S = MIN_OPEN_US / 1e6


def builder() -> SegmentBuilder:
    return SegmentBuilder(minting())


def show(segments: SegmentBuilder, *decisions: Decision) -> list[SegmentEvent]:
    """Feed the decisions on one sample, as a session does."""
    events = segments.sampled(decisions[0].epoch, decisions[0].pts_us, decisions[0].pts_us / 1e6)
    for each in decisions:
        events += segments.feed(each)
    return events


def pass_by(segments: SegmentBuilder, pts_us: int, *, epoch: int = 0) -> list[SegmentEvent]:
    """Note a sample that nothing matched."""
    return segments.sampled(epoch, pts_us, pts_us / 1e6)


def kinds(events: list[SegmentEvent]) -> list[type]:
    return [type(event) for event in events]


def score(value: float) -> ModelFinding:
    return ModelFinding("pack", "1", "weapon", value, 0.8)


def only(segments: SegmentBuilder) -> Segment:
    (segment,) = segments.open_segments
    return segment


def test_a_segment_opens_on_the_first_positive_decision() -> None:
    first = decision(5 * SECOND, read_at_s=5.25)

    (opened,) = show(builder(), first)

    assert isinstance(opened, SegmentOpened)
    segment = opened.segment
    assert segment.flag_id.int == 1
    assert (segment.category, segment.severity, segment.epoch) == ("TVEC-TEST", Severity.P1, 0)
    assert (segment.start_us, segment.end_us) == (5 * SECOND, 5 * SECOND)
    assert (segment.start_read_at_s, segment.end_read_at_s) == (5.25, 5.25)
    assert (segment.n_samples, segment.signals) == (1, (first,))


def test_a_sample_that_matches_nothing_opens_nothing() -> None:
    segments = builder()

    assert pass_by(segments, 0) == []
    assert segments.open_segments == ()


def test_further_decisions_extend_the_segment_without_a_word() -> None:
    segments = builder()
    show(segments, decision(0))

    assert show(segments, decision(SECOND)) == []
    assert (only(segments).start_us, only(segments).end_us) == (0, SECOND)
    assert (only(segments).end_read_at_s, only(segments).n_samples) == (1.0, 2)


@pytest.mark.parametrize(
    ("pts_us", "told"), [(AGAIN_US - 1, []), (AGAIN_US, [SegmentWentOn])], ids=["before", "after"]
)
def test_a_segment_that_goes_on_for_long_says_so(pts_us: int, told: list[type]) -> None:
    segments = builder()
    show(segments, decision(0, distance_bits=12))
    show(segments, decision(2 * SECOND, distance_bits=14))

    assert kinds(show(segments, decision(pts_us, distance_bits=13))) == told


def test_whoever_was_told_that_it_grew_stronger_waits_as_long_again() -> None:
    segments = builder()
    show(segments, decision(0))
    show(segments, decision(2 * SECOND, entry="other"))

    assert show(segments, decision(AGAIN_US)) == []
    assert kinds(show(segments, decision(AGAIN_US + 2 * SECOND))) == [SegmentWentOn]


def test_a_segment_keeps_how_strong_each_entry_was_over_time() -> None:
    segments = builder()
    show(segments, decision(0, distance_bits=12), decision(0, entry="other", distance_bits=30))
    show(segments, decision(SECOND, entry="other", distance_bits=8))

    segment = only(segments)
    courses = dict(zip([one.key[1] for one in segment.signals], segment.courses, strict=True))
    assert courses == {
        "film": Course().and_of(0, 12.0),
        "other": Course().and_of(0, 30.0).and_of(SECOND, 8.0),
    }


def test_a_sample_that_is_not_positive_is_a_point_of_what_is_open() -> None:
    segments = builder()
    segments.read(0, {("pack", "weapon"): -0.2})
    show(segments, decision(SECOND, category="weapon", finding=score(0.9)))

    segments.read(2 * SECOND, {("pack", "weapon"): -0.1, ("pack", "symbol"): -0.7})

    assert only(segments).courses == (Course().and_of(SECOND, -0.9).and_of(2 * SECOND, -0.1),)
    assert only(segments).end_us == SECOND


def test_two_decisions_on_one_sample_are_one_sample() -> None:
    segments = builder()

    show(segments, decision(0), decision(0, entry="other"))
    show(segments, decision(SECOND), decision(SECOND, entry="other"))

    assert only(segments).n_samples == 2


def test_instants_do_not_run_backwards_where_frames_were_reordered() -> None:
    """A B-frame is shown before the frame that was read before it."""
    segments = builder()
    show(segments, decision(0, read_at_s=2.0))

    show(segments, decision(40_000, read_at_s=1.9))

    assert only(segments).end_read_at_s == 2.0


def test_an_answer_out_of_order_leaves_the_end_where_it_was() -> None:
    segments = builder()
    show(segments, decision(2 * SECOND))

    show(segments, decision(SECOND))

    assert (only(segments).start_us, only(segments).end_us) == (2 * SECOND, 2 * SECOND)
    assert only(segments).n_samples == 1


def test_a_further_entry_strengthens() -> None:
    segments = builder()
    show(segments, decision(0))

    (event,) = show(segments, decision(SECOND, entry="other"))

    assert isinstance(event, SegmentStrengthened)
    assert {signal.finding.entry for signal in event.segment.signals} == {"film", "other"}


def test_an_entry_that_becomes_certain_strengthens_once() -> None:
    segments = builder()
    show(segments, decision(0, votes=1))

    assert kinds(show(segments, decision(SECOND, votes=2))) == [SegmentStrengthened]
    assert only(segments).is_certain
    assert show(segments, decision(2 * SECOND, votes=3)) == []


def test_a_segment_of_single_votes_is_not_certain() -> None:
    segments = builder()

    show(segments, decision(0, votes=1), decision(0, entry="other", votes=1))

    assert not only(segments).is_certain


@pytest.mark.parametrize(
    ("later_bits", "kept"), [(9, (9, SECOND)), (10, (10, SECOND)), (11, (10, 0))]
)
def test_an_entry_is_named_by_its_best_match_of_equals_the_latest(
    later_bits: int, kept: tuple[int, int]
) -> None:
    segments = builder()
    show(segments, decision(0, distance_bits=10))

    show(segments, decision(SECOND, distance_bits=later_bits))

    (signal,) = only(segments).signals
    assert (signal.finding.distance_bits, signal.pts_us) == kept


@pytest.mark.parametrize(("later_score", "kept_score"), [(0.8, 0.85), (0.9, 0.9)])
def test_a_category_of_a_model_is_named_by_its_highest_score(
    later_score: float, kept_score: float
) -> None:
    segments = builder()
    show(segments, decision(0, finding=score(0.85)))

    show(segments, decision(SECOND, finding=score(later_score)))

    assert [signal.finding.score for signal in only(segments).signals] == [kept_score]


def test_an_entry_of_another_bank_is_another_signal() -> None:
    segments = builder()
    other = Match("other", "film", "TVEC-TEST", "full", 10, 0)

    show(segments, decision(0), decision(0, finding=other), decision(0, finding=score(0.9)))

    assert len(only(segments).signals) == 3


@pytest.mark.parametrize("later_bits", [9, 10, 11])
@pytest.mark.parametrize(("later_votes", "kept_votes"), [(2, 5), (6, 6)])
def test_votes_once_gathered_stay(later_bits: int, later_votes: int, kept_votes: int) -> None:
    segments = builder()
    show(segments, decision(0, distance_bits=10, votes=5))

    show(segments, decision(SECOND, distance_bits=later_bits, votes=later_votes))

    assert [signal.votes for signal in only(segments).signals] == [kept_votes]


def test_the_strongest_entries_come_first() -> None:
    segments = builder()

    show(
        segments,
        decision(0, entry="far", distance_bits=20),
        decision(0, entry="near", distance_bits=5),
        decision(0, entry="certain", distance_bits=30, votes=2),
    )

    assert [s.finding.entry for s in only(segments).signals] == ["certain", "near", "far"]


def test_a_segment_names_the_strongest_eight_entries() -> None:
    segments = builder()
    several = [decision(0, entry=f"entry {n}", distance_bits=n) for n in range(8)]
    assert kinds(show(segments, *several)) == [SegmentOpened, *[SegmentStrengthened] * 7]

    weaker = show(segments, decision(SECOND, entry="weaker", distance_bits=30))
    stronger = show(segments, decision(2 * SECOND, entry="stronger", distance_bits=30, votes=2))

    assert weaker == []
    assert kinds(stronger) == [SegmentStrengthened]
    names = [signal.finding.entry for signal in only(segments).signals]
    assert names == ["stronger", *(f"entry {n}" for n in range(7))]


def test_categories_have_segments_of_their_own() -> None:
    segments = builder()

    events = show(segments, decision(0, category="A"), decision(0, category="B", entry="other"))

    assert kinds(events) == [SegmentOpened, SegmentOpened]
    assert len({event.segment.flag_id for event in events}) == 2


def test_one_category_closes_while_another_goes_on() -> None:
    segments = builder()
    show(segments, decision(0, category="A"), decision(0, category="B"))
    for n in range(1, 4):
        show(segments, decision(n * SECOND, category="B"))

    (closed,) = pass_by(segments, MIN_OPEN_US + 1)

    assert isinstance(closed, SegmentClosed)
    assert (closed.segment.category, closed.reason) == ("A", "ended")
    assert only(segments).category == "B"


def test_a_segment_stays_open_for_three_seconds_and_not_longer() -> None:
    segments = builder()
    for n in range(3):
        show(segments, decision(n * SECOND))
    last_us = 2 * SECOND
    pass_by(segments, last_us + SECOND)

    assert pass_by(segments, last_us + MIN_OPEN_US) == []
    (closed,) = pass_by(segments, last_us + MIN_OPEN_US + 1)

    assert isinstance(closed, SegmentClosed)
    assert closed.reason == "ended"
    assert (closed.segment.start_us, closed.segment.end_us) == (0, last_us)
    assert segments.open_segments == ()


def test_rare_samples_keep_a_segment_open_for_two_and_a_half_intervals() -> None:
    segments, interval_us = builder(), 4 * SECOND
    for n in range(8):
        pass_by(segments, n * interval_us)
    last_us = 8 * interval_us
    show(segments, decision(last_us))

    assert pass_by(segments, last_us + 10 * SECOND) == []
    assert kinds(pass_by(segments, last_us + 10 * SECOND + 1)) == [SegmentClosed]


def test_the_interval_is_the_median_of_the_last_eight() -> None:
    """Four of 10 s and four of 4 s: 7 s, two and a half of which are 17.5 s."""
    segments = builder()
    for at_s in [*range(0, 81, 10), 84, 88, 92]:
        pass_by(segments, at_s * SECOND)
    show(segments, decision(96 * SECOND))

    assert segments.idle(96 + 17.5 + 2 - 0.001) == []
    assert kinds(segments.idle(96 + 17.5 + 2)) == [SegmentClosed]


def test_the_break_between_epochs_is_no_interval() -> None:
    segments = builder()
    pass_by(segments, 0)
    show(segments, decision(60 * SECOND, epoch=1))

    assert segments.idle(60 + OPEN_S + IDLE_S) != []


def test_a_sample_of_the_same_time_is_no_interval() -> None:
    segments = builder()
    for at_us in (0, 8 * SECOND, 8 * SECOND):
        pass_by(segments, at_us)
    show(segments, decision(8 * SECOND))

    assert pass_by(segments, 28 * SECOND) == []


def test_after_the_close_a_positive_decision_opens_another_flag() -> None:
    segments = builder()
    show(segments, decision(0))
    for n in range(1, 5):
        pass_by(segments, n * SECOND)

    (opened,) = show(segments, decision(5 * SECOND))

    assert isinstance(opened, SegmentOpened)
    assert (opened.segment.flag_id.int, opened.segment.n_samples) == (2, 1)


def test_a_decision_after_its_time_closes_the_old_segment_and_opens_a_new_one() -> None:
    segments = builder()
    show(segments, decision(0))
    for n in range(1, 4):
        pass_by(segments, n * SECOND)

    assert kinds(show(segments, decision(MIN_OPEN_US + 1))) == [SegmentClosed, SegmentOpened]


def test_a_new_epoch_closes_what_is_open() -> None:
    segments = builder()
    show(segments, decision(5 * SECOND))

    closed, opened = show(segments, decision(5 * SECOND, epoch=1))

    assert isinstance(closed, SegmentClosed)
    assert (closed.reason, closed.segment.epoch) == ("epoch_ended", 0)
    assert isinstance(opened, SegmentOpened)
    assert (opened.segment.epoch, opened.segment.flag_id.int) == (1, 2)


def test_an_idle_stream_closes_two_seconds_after_its_time() -> None:
    segments = builder()
    show(segments, decision(7 * SECOND))

    assert segments.idle(11.999) == []
    (closed,) = segments.idle(12.0)

    assert isinstance(closed, SegmentClosed)
    assert closed.reason == "idle"
    assert segments.idle(60.0) == []


def burst(segments: SegmentBuilder, start_s: int, length_s: int) -> None:
    """Let a whole stretch arrive at its end, a positive sample a second, as HLS segments do."""
    at_s = float(start_s + length_s)
    for second in range(start_s, start_s + length_s):
        found = decision(second * SECOND)
        segments.sampled(found.epoch, found.pts_us, at_s)
        segments.feed(found)


def test_media_that_come_in_bursts_are_not_idle_in_between() -> None:
    segments = builder()
    burst(segments, 0, 8)
    burst(segments, 8, 8)
    flag_id = only(segments).flag_id

    still_open = segments.idle(16.0 + 7.0 + OPEN_S + IDLE_S - 0.001)  # 7 s ahead of the clock
    closed = segments.idle(16.0 + 7.0 + OPEN_S + IDLE_S)

    assert still_open == []
    assert [event.segment.flag_id for event in closed] == [flag_id]


def test_a_jump_ahead_is_believed_for_a_quarter_of_a_minute_at_most() -> None:
    segments = builder()
    segments.sampled(0, 0, 0.0)
    found = decision(60 * SECOND)
    segments.sampled(found.epoch, found.pts_us, 1.0)
    segments.feed(found)
    open_s = 2.5 * 60

    assert segments.idle(1.0 + open_s + IDLE_S + MAX_AHEAD_S - 0.001) == []
    assert kinds(segments.idle(1.0 + open_s + IDLE_S + MAX_AHEAD_S)) == [SegmentClosed]


def test_any_sample_shows_that_the_stream_is_not_idle() -> None:
    segments = builder()
    show(segments, decision(0))

    segments.sampled(0, SECOND, now_s=60.0)

    assert segments.idle(60.0 + OPEN_S + IDLE_S - 0.001) == []
    assert kinds(segments.idle(60.0 + OPEN_S + IDLE_S)) == [SegmentClosed]


@pytest.mark.parametrize("reason", ["stream_ended", "interrupted", "epoch_ended"])
def test_close_closes_all_with_its_reason_and_only_once(reason: CloseReason) -> None:
    segments = builder()
    show(segments, decision(0, category="A"), decision(0, category="B"))

    events = segments.close(reason)

    assert [(e.segment.category, e.reason) for e in events if isinstance(e, SegmentClosed)] == [
        ("A", reason),
        ("B", reason),
    ]
    assert segments.close(reason) == []


decisions = st.lists(
    st.builds(
        decision,
        st.just(0),
        entry=st.sampled_from([f"entry {n}" for n in range(10)]),
        category=st.sampled_from(["A", "B"]),
        distance_bits=st.integers(0, 31),
        votes=st.integers(1, 4),
    ),
    max_size=4,
)
happenings = st.lists(
    st.tuples(st.integers(1, 5 * SECOND), st.integers(0, 9), decisions), max_size=40
)
"""Time that passes, what comes then (0: an epoch, 1: idleness, else none), and the decisions."""


def play(run: list[tuple[int, int, list[Decision]]]) -> list[SegmentEvent]:
    """Play a stream to its end."""
    segments, at_us, epoch, events = builder(), 0, 0, []
    for step_us, what, found in run:
        at_us += step_us
        epoch += what == 0
        if what == 1:
            events += segments.idle(at_us / 1e6)
            continue
        events += pass_by(segments, at_us, epoch=epoch)
        for each in found:
            made = decision(
                at_us,
                entry=each.finding.entry,
                category=each.category,
                distance_bits=each.finding.distance_bits,
                votes=each.votes,
                epoch=epoch,
            )
            events += segments.feed(made)
    return events + segments.close("stream_ended")


@given(happenings)
def test_each_segment_opens_first_and_closes_once_at_last(
    run: list[tuple[int, int, list[Decision]]],
) -> None:
    told: dict[int, list[type]] = {}
    for event in play(run):
        told.setdefault(event.segment.flag_id.int, []).append(type(event))

    for each in told.values():
        assert each[0] is SegmentOpened
        assert each[-1] is SegmentClosed
        assert set(each[1:-1]) <= {SegmentStrengthened, SegmentPeaked}


@given(happenings)
def test_a_segment_only_grows(run: list[tuple[int, int, list[Decision]]]) -> None:
    known: dict[int, Segment] = {}

    for event in play(run):
        after = event.segment
        before = known.setdefault(after.flag_id.int, after)
        known[after.flag_id.int] = after
        assert (after.category, after.epoch, after.start_us, after.start_read_at_s) == (
            *(before.category, before.epoch),
            *(before.start_us, before.start_read_at_s),
        )
        assert after.start_us <= before.end_us <= after.end_us
        assert before.n_samples <= after.n_samples
        assert before.is_certain <= after.is_certain
        assert len(before.signals) <= len(after.signals) <= MAX_SIGNALS
        assert {signal.category for signal in after.signals} == {after.category}


@given(happenings)
def test_what_strengthens_a_segment_is_bounded(
    run: list[tuple[int, int, list[Decision]]],
) -> None:
    """At most eight entries are named, and each becomes certain once."""
    told = [e.segment.flag_id for e in play(run) if isinstance(e, SegmentStrengthened)]

    assert all(told.count(flag_id) < 2 * MAX_SIGNALS for flag_id in told)


def test_decisions_of_the_past_are_joined_as_live_ones_are() -> None:
    """Samples between them show that they are two showings."""
    decisions = {
        0: [decision(0)],
        2: [decision(2 * SECOND, votes=2)],
        60: [decision(60 * SECOND)],
        62: [decision(62 * SECOND), decision(62 * SECOND, category="TVEC-OTHER", entry="other")],
    }
    past = [(sample(n * SECOND), decisions.get(n, [])) for n in range(0, 100, 2)]
    later = [(sample(99 * SECOND, epoch=1), [decision(99 * SECOND, epoch=1)])]

    segments = segments_of([*past, *later], minting())

    assert [(s.category, s.epoch, s.start_us // SECOND, s.end_us // SECOND) for s in segments] == [
        ("TVEC-TEST", 0, 0, 2),
        ("TVEC-TEST", 0, 60, 62),
        ("TVEC-OTHER", 0, 62, 62),
        ("TVEC-TEST", 1, 99, 99),
    ]
    assert segments_of([], minting()) == []
