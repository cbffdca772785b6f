from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.alignment import (
    APART_BITS,
    APART_US,
    FASTEST,
    MAX_RECENT,
    MAX_WIDTH_US,
    SLACK_US,
    SLOWEST,
    STILL_BITS,
    Alignment,
    is_apart,
    opened,
)
from streamguard.core.types import Match
from streamguard.core.variants import MIRRORED
from streamguard.core.vote import Vote
from tests.core_fakes import Pdq, flipped, picture, view

SECOND = 1_000_000
VIDEO = Match("known", "film", "TVEC-TEST", "full", 0, 0)
IMAGE = replace(VIDEO, is_still=True)


def vote(pts_us: int, offset_us: int, *, bits: int = 10, shown: int | None = None) -> Vote:
    """Give a vote for a picture of its own, so many bits away from the entry's."""
    known = picture(offset_us if shown is None else shown)
    return Vote(pts_us, offset_us, bits, "full", 0, flipped(known, bits), known)


def line(*votes: Vote, match: Match = VIDEO, is_strong: bool = True) -> Alignment:
    made = opened(match, votes[0], is_strong=is_strong)
    for each in votes[1:]:
        made = made.voted(each, is_strong=is_strong)
    return made


def test_after_one_vote_any_speed_from_half_to_double_is_expected() -> None:
    expected = line(vote(10 * SECOND, 3 * SECOND)).expected(14 * SECOND)

    assert expected.from_us == 3 * SECOND + 2 * SECOND - SLACK_US
    assert expected.at_us == 7 * SECOND
    assert expected.to_us == 3 * SECOND + 8 * SECOND + SLACK_US


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.25])
def test_votes_narrow_what_is_expected_around_the_speed_of_playback(rate: float) -> None:
    held = line(*(vote(n * 2 * SECOND, int(n * 2 * SECOND * rate)) for n in range(11)))

    expected = held.expected(22 * SECOND)

    assert held.rate == pytest.approx(rate)
    assert held.slowest == pytest.approx(max(SLOWEST, rate - 0.1))
    assert held.fastest == pytest.approx(min(FASTEST, rate + 0.1))
    assert expected.from_us < int(22 * SECOND * rate) < expected.to_us
    assert expected.to_us - expected.from_us < 2.5 * SLACK_US


def test_what_is_expected_grows_wider_until_the_next_vote_but_not_for_ever() -> None:
    held = line(vote(0, 0))

    widths = [
        held.expected(n * SECOND).to_us - held.expected(n * SECOND).from_us for n in (0, 1, 9, 90)
    ]

    assert widths == [2 * SECOND, 3_500_000, 15_500_000, MAX_WIDTH_US]


def test_speeds_that_no_vote_allows_are_never_believed() -> None:
    held = line(vote(0, 0), vote(4 * SECOND, 0, shown=7), vote(8 * SECOND, 60 * SECOND))

    assert SLOWEST <= held.slowest <= held.fastest <= FASTEST
    assert held.rate is not None
    assert held.slowest <= held.rate <= held.fastest


@pytest.mark.parametrize(("span_us", "rate"), [(3_999_999, None), (4_000_000, 1.0)])
def test_a_speed_is_told_from_four_seconds_on(span_us: int, rate: float | None) -> None:
    held = line(vote(0, SECOND), vote(span_us, SECOND + span_us))

    assert held.rate == (None if rate is None else pytest.approx(rate))


def test_the_entry_begins_where_the_line_leads_back_to() -> None:
    assert line(vote(10 * SECOND, 3 * SECOND)).starts_us == 7 * SECOND
    faster = line(*(vote((10 + 4 * n) * SECOND, (5 + 5 * n) * SECOND) for n in range(6)))
    assert faster.starts_us == 6 * SECOND


def test_an_image_has_no_time() -> None:
    held = line(vote(0, 0, shown=1), vote(9 * SECOND, 0, shown=1), match=IMAGE)

    assert (held.n_votes, held.rate, held.starts_us) == (2, None, 9 * SECOND)
    assert (held.expected(SECOND).from_us, held.expected(SECOND).to_us) == (0, 0)


@pytest.mark.parametrize(("n_bits", "n_votes"), [(0, 1), (STILL_BITS, 1), (STILL_BITS + 1, 2)])
def test_a_picture_that_stands_still_votes_once(n_bits: int, n_votes: int) -> None:
    first = vote(0, 0)
    again = replace(first, pts_us=2 * SECOND, seen=flipped(first.seen, n_bits))

    held = line(first).voted(again, is_strong=True)

    assert (held.n_votes, len(held.recent)) == (n_votes, n_votes)
    assert held.seen_us == 2 * SECOND


@pytest.mark.parametrize("n_bits", [STILL_BITS, STILL_BITS + 1])
def test_a_paused_video_is_known_by_its_picture(n_bits: int) -> None:
    held = line(vote(0, 9 * SECOND))
    seen = [view(picture(5)), view(flipped(held.last.seen, n_bits))]

    again = held.stands_still(seen, 7 * SECOND)

    if n_bits > STILL_BITS:
        assert again is None
    else:
        assert again is not None
        assert (again.pts_us, again.offset_us) == (7 * SECOND, 9 * SECOND)


def test_after_a_pause_the_video_goes_on_from_where_it_stood_or_would_be() -> None:
    first = vote(0, 0)
    held = line(first)
    for n in range(1, 11):
        held = held.voted(replace(first, pts_us=n * SECOND), is_strong=True)

    expected = held.expected(12 * SECOND)

    assert (expected.from_us, expected.at_us) == (SECOND - SLACK_US, 2 * SECOND)
    assert expected.to_us == 24 * SECOND + SLACK_US
    resumed = held.voted(vote(12 * SECOND, 2 * SECOND), is_strong=True)
    assert (resumed.n_votes, resumed.slowest, resumed.fastest) == (2, SLOWEST, FASTEST)
    assert resumed.voted(vote(16 * SECOND, 6 * SECOND), is_strong=True).rate == pytest.approx(1)


def test_a_still_picture_may_turn_a_near_miss_into_a_strong_hit() -> None:
    first = vote(0, 0, bits=32)
    held = line(first, is_strong=False)

    held = held.voted(replace(first, pts_us=SECOND, distance_bits=31), is_strong=True)
    held = held.voted(replace(first, pts_us=2 * SECOND, distance_bits=31), is_strong=True)

    assert (held.n_votes, held.n_strong) == (1, 1)


def test_the_newest_votes_are_told_of() -> None:
    held = line(*(vote(n * SECOND, n * SECOND) for n in range(20)))

    assert held.n_votes == 20
    assert [each.pts_us // SECOND for each in held.recent] == [*range(20 - MAX_RECENT, 20)]


@pytest.mark.parametrize(("cross", "apart"), [(APART_BITS - 1, False), (APART_BITS, True)])
def test_votes_are_apart_where_each_is_nearer_to_its_own_moment(cross: int, *, apart: bool) -> None:
    here = picture(1)
    there = flipped(here, cross)
    one = Vote(0, 0, 0, "full", 0, here, here)
    other = Vote(SECOND, SECOND, 0, "full", 0, there, there)

    assert is_apart(one, other) is apart
    assert is_apart(other, one) is apart
    is_far = replace(other, distance_bits=1)  # what is not near its own moment tells less
    assert not is_apart(one, is_far)


@pytest.mark.parametrize(
    ("bits", "evidence"), [((44,), 0), ((44, 44), 40), ((64, 64), 0), ((50, 50, 50, 50), 42)]
)
def test_evidence_is_what_the_three_nearest_votes_lie_below_64(
    bits: tuple[int, ...], evidence: int
) -> None:
    votes = [vote(n * SECOND, n * SECOND, bits=each) for n, each in enumerate(bits)]

    assert line(*votes, is_strong=False).evidence_bits == evidence


def looks_alike(n: int, shown: Pdq, bits: int) -> Vote:
    """Give a vote for a moment that differs from all others by 4 bits only."""
    known = flipped(shown, 0)
    known[31] ^= n
    return Vote(n * SECOND, n * SECOND, bits, "full", 0, flipped(known, bits), known)


def test_a_slate_that_is_like_every_moment_is_no_evidence() -> None:
    votes = [looks_alike(n, picture(1), 33 + n) for n in range(16)]

    assert line(*votes, is_strong=False).evidence_bits == 0


def test_of_votes_that_are_alike_the_nearest_is_evidence() -> None:
    votes = [looks_alike(0, picture(1), 50), looks_alike(1, picture(1), 40), vote(2, 2, bits=44)]

    held = line(*votes, is_strong=False)

    assert [each.distance_bits for each in held.apart] == [40, 44]


@pytest.mark.parametrize(("since_us", "evidence"), [(APART_US, 40), (APART_US + 1, 0)])
def test_votes_of_long_ago_are_no_evidence(since_us: int, evidence: int) -> None:
    held = line(vote(0, 0, bits=44), vote(since_us, since_us, bits=44), is_strong=False)

    assert held.evidence_bits == evidence


@pytest.mark.parametrize(("variant", "is_mirrored"), [(3, False), (MIRRORED | 3, True)])
def test_an_alignment_is_mirrored_or_is_not(variant: int, *, is_mirrored: bool) -> None:
    assert line(replace(vote(0, 0), variant=variant)).is_mirrored is is_mirrored


@given(st.lists(st.tuples(st.integers(1, 9 * SECOND), st.integers(0, 60 * SECOND)), max_size=20))
def test_whatever_votes_the_bounds_keep_their_order(steps: list[tuple[int, int]]) -> None:
    held, at_us = line(vote(0, 0)), 0

    for step_us, offset_us in steps:
        at_us += step_us
        held = held.voted(vote(at_us, offset_us), is_strong=False)
        expected = held.expected(at_us + SECOND)

        assert SLOWEST <= held.slowest <= held.fastest <= FASTEST
        assert expected.from_us <= expected.at_us <= expected.to_us
        assert len(held.recent) <= MAX_RECENT
        assert len(held.apart) <= 3
        assert held.n_votes <= len(steps) + 1
