from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.coverage import MAX_PIECE_US, REACH_US, Coverage, Gap, LossLedger
from streamguard.core.types import GapReason

SECOND = 1_000_000


def begun(first_us: int = 0, losses: LossLedger | None = None) -> Coverage:
    """Give the account of epoch 0 from this media time on."""
    coverage = Coverage(losses or LossLedger())
    coverage.begin(0, first_us)
    return coverage


def gap(start_us: int, end_us: int, reason: GapReason = GapReason.LONG_GOP) -> Gap:
    return Gap(0, start_us, end_us, reason)


def test_a_verdict_reaches_both_ways_and_no_farther() -> None:
    coverage = begun()

    assert coverage.verdict(0, REACH_US) == []
    assert coverage.end(0, 2 * REACH_US) == []
    assert (coverage.screened_us, coverage.gap_us) == (2 * REACH_US, 0)


def test_a_microsecond_beyond_the_reach_of_the_first_verdict_is_a_gap() -> None:
    assert begun().verdict(0, 2_500_001) == [gap(0, 1)]


def test_a_microsecond_beyond_the_reach_of_the_last_verdict_is_a_gap() -> None:
    coverage = begun()
    coverage.verdict(0, 0)

    assert coverage.end(0, REACH_US + 1) == [gap(REACH_US, REACH_US + 1)]


def test_verdicts_twice_their_reach_apart_leave_no_gap() -> None:
    coverage = begun()
    coverage.verdict(0, 0)

    assert coverage.verdict(0, 2 * REACH_US) == []


def test_a_microsecond_more_between_verdicts_is_a_gap() -> None:
    coverage = begun()
    coverage.verdict(0, 0)

    assert coverage.verdict(0, 2 * REACH_US + 1) == [gap(REACH_US, REACH_US + 1)]


def test_reach_does_not_count_before_the_first_or_after_the_last_packet() -> None:
    coverage = begun(first_us=SECOND)
    coverage.verdict(0, SECOND)

    coverage.end(0, 2 * SECOND)

    assert (coverage.screened_us, coverage.gap_us) == (SECOND, 0)


def test_an_epoch_without_a_verdict_is_one_gap() -> None:
    coverage = begun(first_us=SECOND)

    assert coverage.end(0, 9 * SECOND) == [gap(SECOND, 9 * SECOND)]
    assert (coverage.screened_us, coverage.gap_us) == (0, 8 * SECOND)


def test_an_epoch_of_one_packet_has_no_gap() -> None:
    assert begun(first_us=SECOND).end(0, SECOND) == []


def test_a_gap_that_goes_on_is_told_once_it_is_a_piece_long() -> None:
    coverage = begun()

    assert coverage.advance(0, 12_499_999) == []
    assert coverage.advance(0, 12_500_000) == [gap(0, 10_000_000)]
    assert coverage.advance(0, 12_500_000) == []


def test_a_verdict_after_a_told_piece_leaves_what_lies_between() -> None:
    coverage = begun()
    coverage.advance(0, MAX_PIECE_US + REACH_US)

    last = coverage.verdict(0, MAX_PIECE_US + REACH_US + 1)

    assert last == [gap(MAX_PIECE_US, MAX_PIECE_US + 1)]


def test_what_belongs_to_another_epoch_is_ignored() -> None:
    coverage = begun()

    assert coverage.verdict(1, 60 * SECOND) == []
    assert coverage.advance(1, 60 * SECOND) == []
    assert coverage.end(1, 60 * SECOND) == []
    assert (coverage.screened_us, coverage.gap_us) == (0, 0)


def test_what_comes_after_the_end_is_ignored() -> None:
    coverage = begun()
    coverage.end(0, SECOND)

    assert coverage.verdict(0, 60 * SECOND) == []
    assert coverage.advance(0, 60 * SECOND) == []
    assert coverage.end(0, 60 * SECOND) == []
    assert (coverage.screened_us, coverage.gap_us) == (0, SECOND)


def test_totals_add_up_over_epochs() -> None:
    coverage = begun()
    coverage.verdict(0, 0)
    coverage.end(0, REACH_US)
    coverage.begin(1, 7 * SECOND)

    gaps = coverage.end(1, 8 * SECOND)

    assert gaps == [Gap(1, 7 * SECOND, 8 * SECOND, GapReason.LONG_GOP)]
    assert (coverage.screened_us, coverage.gap_us) == (REACH_US, SECOND)


def test_a_stated_reason_goes_before_what_was_lost() -> None:
    losses = LossLedger()
    losses.note(0, 0, GapReason.OVERLOAD)

    (only,) = begun(losses=losses).end(0, SECOND, GapReason.INTERRUPTED)

    assert only.reason is GapReason.INTERRUPTED


def test_a_gap_tells_the_reason_of_what_was_lost_in_it() -> None:
    losses = LossLedger()
    losses.note(0, 5 * SECOND, GapReason.DECODE_ERROR)

    (only,) = begun(losses=losses).end(0, 9 * SECOND)

    assert only.reason is GapReason.DECODE_ERROR


@pytest.mark.parametrize(
    ("epoch", "pts_us", "reason"),
    [
        (0, 10 * SECOND - REACH_US, GapReason.OVERLOAD),
        (0, 20 * SECOND + REACH_US, GapReason.OVERLOAD),
        (0, 10 * SECOND - REACH_US - 1, GapReason.LONG_GOP),
        (0, 20 * SECOND + REACH_US + 1, GapReason.LONG_GOP),
        (1, 15 * SECOND, GapReason.LONG_GOP),
    ],
)
def test_a_loss_explains_a_gap_within_its_reach(epoch: int, pts_us: int, reason: GapReason) -> None:
    losses = LossLedger()

    losses.note(epoch, pts_us, GapReason.OVERLOAD)

    assert losses.reason_within(0, 10 * SECOND, 20 * SECOND) is reason


def test_the_commonest_loss_explains_a_gap() -> None:
    losses = LossLedger()
    for reason in (GapReason.OVERLOAD, GapReason.LOW_QUALITY, GapReason.LOW_QUALITY):
        losses.note(0, SECOND, reason)

    assert losses.reason_within(0, 0, SECOND) is GapReason.LOW_QUALITY


def test_a_loss_upstream_explains_a_gap_that_nothing_else_does() -> None:
    upstream = LossLedger()
    upstream.note(0, SECOND, GapReason.OVERLOAD)
    losses = LossLedger(upstream)

    first = losses.reason_within(0, 0, SECOND)
    losses.note(0, SECOND, GapReason.MODEL_ERROR)

    assert first is GapReason.OVERLOAD
    assert losses.reason_within(0, 0, SECOND) is GapReason.MODEL_ERROR
    assert losses.reason_within(1, 0, SECOND) is GapReason.LONG_GOP


def test_the_ledger_remembers_the_latest_losses_only() -> None:
    losses = LossLedger()
    losses.note(0, 0, GapReason.OVERLOAD)

    for _ in range(1024):
        losses.note(0, 60 * SECOND, GapReason.OVERLOAD)

    assert losses.reason_within(0, 0, 0) is GapReason.LONG_GOP
    assert losses.reason_within(0, 60 * SECOND, 60 * SECOND) is GapReason.OVERLOAD


@st.composite
def epochs(draw: st.DrawFn) -> tuple[int, int, list[tuple[bool, int]]]:
    """Draw first and last packet, and what comes between in order of time.

    That is verdicts (True) and horizons (False): no verdict comes before a horizon any more.
    """
    first_us = draw(st.integers(-SECOND, 30 * SECOND))
    times = draw(st.lists(st.integers(0, 60 * SECOND), max_size=12))
    extent_us = max([*times, draw(st.integers(0, 60 * SECOND))])
    happenings = [(draw(st.booleans()), first_us + t) for t in sorted(times)]
    return first_us, first_us + extent_us, happenings


def account(
    first_us: int, last_us: int, happenings: list[tuple[bool, int]]
) -> tuple[Coverage, list[Gap]]:
    """Play an epoch to its end; give its account and all gaps."""
    coverage = begun(first_us)
    gaps = []
    for is_verdict, at_us in happenings:
        gaps += coverage.verdict(0, at_us) if is_verdict else coverage.advance(0, at_us)
    return coverage, gaps + coverage.end(0, last_us)


@given(epochs())
def test_screened_and_gaps_are_the_whole_epoch(
    epoch: tuple[int, int, list[tuple[bool, int]]],
) -> None:
    first_us, last_us, _ = epoch

    coverage, gaps = account(*epoch)

    assert coverage.screened_us >= 0
    assert coverage.screened_us + coverage.gap_us == last_us - first_us
    assert sum(gap.end_us - gap.start_us for gap in gaps) == coverage.gap_us


@given(epochs())
def test_gaps_are_in_order_within_the_epoch_and_never_overlap(
    epoch: tuple[int, int, list[tuple[bool, int]]],
) -> None:
    first_us, last_us, _ = epoch

    _, gaps = account(*epoch)

    assert all(first_us <= gap.start_us < gap.end_us <= last_us for gap in gaps)
    assert all(before.end_us <= after.start_us for before, after in pairwise(gaps))


@given(epochs(), st.data())
def test_a_moment_lies_in_a_gap_iff_no_verdict_lies_near_it(
    epoch: tuple[int, int, list[tuple[bool, int]]], data: st.DataObject
) -> None:
    first_us, last_us, happenings = epoch
    verdicts_us = [at_us for is_verdict, at_us in happenings if is_verdict]
    edges_us = [t + side for t in verdicts_us for side in (-REACH_US, REACH_US)]
    moments_us = [t + step for t in edges_us for step in (-1, 0) if first_us <= t + step < last_us]
    if first_us < last_us:
        moments_us.append(data.draw(st.integers(first_us, last_us - 1)))

    _, gaps = account(*epoch)

    for at_us in moments_us:  # each stands for [at_us, at_us + 1)
        is_near = any(t - REACH_US <= at_us < t + REACH_US for t in verdicts_us)
        assert any(gap.start_us <= at_us < gap.end_us for gap in gaps) is not is_near


@given(st.lists(st.integers(1, 8 * SECOND), min_size=1, max_size=40))
def test_while_a_gap_lasts_its_pieces_are_ten_seconds_at_least(steps_us: list[int]) -> None:
    coverage, horizon_us, told_us = begun(), 0, 0

    for step_us in steps_us:
        horizon_us += step_us
        for piece in coverage.advance(0, horizon_us):
            assert piece.start_us == told_us
            assert piece.end_us - piece.start_us >= MAX_PIECE_US
            told_us = piece.end_us

    assert horizon_us - REACH_US - told_us < MAX_PIECE_US
