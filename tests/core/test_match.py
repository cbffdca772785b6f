import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.bank import Banks
from streamguard.core.bank_values import Entry
from streamguard.core.decision import CERTAIN_VOTES
from streamguard.core.match import (
    ALIGNMENT_MEMORY_US,
    Matcher,
    Verdict,
)
from streamguard.core.policy import HashRule, Policy
from streamguard.core.types import (
    MATCH_DISTANCE_BITS,
    MIN_QUALITY,
    Region,
    Sample,
    Severity,
)
from tests.core_fakes import Pdq, banks, entry, film, flipped, picture, sample, view

SECOND = 1_000_000
FILM = 1000
"""Number of the film's first picture; the one at its nth second is FILM + n."""


def matcher(*entries: Entry, policy: Policy | None = None) -> Matcher:
    held = banks(*(entries or (film("film", FILM),)))
    return Matcher(lambda: held, policy or Policy())


def shown(at_us: int, film_us: int, *, epoch: int = 0) -> Sample:
    """Give a sample of the film as it was at a second of it."""
    return sample(at_us, picture(FILM + film_us // SECOND), epoch=epoch)


def votes(verdict: Verdict) -> list[int]:
    return [decision.votes for decision in verdict.decisions]


def needing(min_votes: int) -> Policy:
    return Policy(default=HashRule(min_votes=min_votes))


def test_a_match_says_what_was_seen_when() -> None:
    policy = Policy(banks={"TVEC-ATTACK": HashRule(severity=Severity.P0)})
    held = matcher(film("film", FILM, policy="TVEC-ATTACK"), policy=policy)

    (decision,) = held.judge(
        sample(9 * SECOND, flipped(picture(FILM + 3), 7), epoch=2, read_at_s=4.5)
    ).decisions

    assert (decision.category, decision.severity) == ("TVEC-ATTACK", Severity.P0)
    assert (decision.epoch, decision.pts_us, decision.read_at_s) == (2, 9 * SECOND, 4.5)
    assert (decision.finding.bank, decision.finding.entry) == ("known", "film")
    assert (decision.finding.distance_bits, decision.finding.offset_us) == (7, 3 * SECOND)
    assert (decision.votes, decision.is_certain) == (1, False)


@pytest.mark.parametrize(
    ("n_bits", "n_decisions", "is_near_miss"),
    [
        (0, 1, False),
        (31, 1, False),
        (32, 0, True),
        (61, 0, True),
        (62, 0, False),
    ],
)
def test_distance_decides(n_bits: int, n_decisions: int, *, is_near_miss: bool) -> None:
    verdict = matcher().judge(sample(0, flipped(picture(FILM), n_bits)))

    assert len(verdict.decisions) == n_decisions
    assert (verdict.is_judged, verdict.is_near_miss) == (True, is_near_miss)


@pytest.mark.parametrize("n_bits", [0, MATCH_DISTANCE_BITS + 1])
@pytest.mark.parametrize(("quality", "is_stable"), [(MIN_QUALITY - 1, True), (100, False)])
def test_a_poor_view_neither_matches_nor_misses(
    n_bits: int, quality: int, *, is_stable: bool
) -> None:
    poor = view(flipped(picture(FILM), n_bits), quality=quality, is_stable=is_stable)

    assert matcher().judge(sample(0, poor)) == Verdict((), is_judged=False, is_near_miss=False)


def test_a_view_of_the_least_quality_matches() -> None:
    verdict = matcher().judge(sample(0, view(picture(FILM), quality=MIN_QUALITY)))

    assert verdict.is_judged
    assert len(verdict.decisions) == 1


@pytest.mark.parametrize(("quality", "n_decisions"), [(79, 0), (80, 1)])
def test_a_rule_may_ask_for_more_quality(quality: int, n_decisions: int) -> None:
    held = matcher(policy=Policy(default=HashRule(min_quality=80)))

    verdict = held.judge(sample(0, view(picture(FILM), quality=quality)))

    assert len(verdict.decisions) == n_decisions
    assert verdict.is_near_miss is (n_decisions == 0)


def test_one_good_view_suffices_beside_a_poor_one() -> None:
    views = view(picture(1), quality=0), view(picture(FILM), region="content")

    (decision,) = matcher().judge(sample(0, *views)).decisions

    assert decision.finding.region == "content"


@pytest.mark.parametrize(("full_bits", "content_bits", "best"), [(9, 5, "content"), (5, 9, "full")])
def test_of_two_views_of_one_sample_the_nearer_counts_and_only_once(
    full_bits: int, content_bits: int, best: Region
) -> None:
    full = view(flipped(picture(FILM), full_bits))
    content = view(flipped(picture(FILM), content_bits), region="content")

    (decision,) = matcher().judge(sample(0, full, content)).decisions

    assert (decision.finding.region, decision.votes) == (best, 1)


def test_nothing_known_is_a_verdict_too() -> None:
    assert matcher().judge(sample(0, picture(1))) == Verdict((), is_judged=True, is_near_miss=False)


def test_without_banks_all_is_judged_and_nothing_found() -> None:
    verdict = Matcher(lambda: Banks(()), Policy()).judge(sample(0, picture(FILM)))

    assert verdict == Verdict((), is_judged=True, is_near_miss=False)


def test_a_decision_is_no_near_miss_whatever_else_is_near() -> None:
    other = entry("other", {0: flipped(picture(FILM), MATCH_DISTANCE_BITS + 1)})

    verdict = matcher(film("film", FILM), other).judge(sample(0, picture(FILM)))

    assert [decision.finding.entry for decision in verdict.decisions] == ["film"]
    assert not verdict.is_near_miss


def test_each_entry_within_reach_gives_a_decision() -> None:
    other = entry("other", {0: flipped(picture(FILM), 5)}, policy="TVEC-OTHER")

    verdict = matcher(film("film", FILM), other).judge(sample(0, picture(FILM)))

    assert [d.category for d in verdict.decisions] == ["TVEC-TEST", "TVEC-OTHER"]


@pytest.mark.parametrize(
    ("slip_us", "expected"),
    [
        (0, CERTAIN_VOTES),
        (1_000_000, 2),
        (-1_000_000, 2),
        (1_000_001, 1),
        (-1_000_001, 1),
    ],
)
def test_votes_add_up_at_one_offset(slip_us: int, expected: int) -> None:
    held = matcher()
    held.judge(shown(10 * SECOND, 3 * SECOND))

    (decision,) = held.judge(shown(15 * SECOND + slip_us, 8 * SECOND)).decisions

    assert decision.votes == expected
    assert decision.is_certain is (expected >= CERTAIN_VOTES)


def test_an_alignment_keeps_the_offset_of_its_first_vote() -> None:
    """Slips do not add up: a match that creeps away is another alignment in the end."""
    held = matcher()

    given_votes = [votes(held.judge(shown(n * SECOND + n * 600_000, n * SECOND))) for n in range(3)]

    assert given_votes == [[1], [2], [1]]


def test_the_alignment_of_most_samples_goes_before_a_nearer_match() -> None:
    """The sample is like two seconds of the entry; the one that was expected counts."""
    pictures = {0: picture(1), 5 * SECOND: flipped(picture(2), 9), 40 * SECOND: picture(2)}
    held = matcher(entry("film", pictures))
    held.judge(sample(0, picture(1)))

    (decision,) = held.judge(sample(5 * SECOND, picture(2))).decisions

    assert (decision.votes, decision.finding.offset_us) == (2, 5 * SECOND)
    assert decision.finding.distance_bits == 9


def test_of_two_alignments_in_reach_the_one_of_most_samples_counts() -> None:
    held = matcher()
    for n in range(3):
        held.judge(shown(n * SECOND, n * SECOND))
    held.judge(shown(4_500_000, 3 * SECOND))

    assert votes(held.judge(shown(5_800_000, 5 * SECOND))) == [4]


def test_a_nearer_match_wins_where_no_alignment_helps() -> None:
    pictures = {5 * SECOND: flipped(picture(2), 9), 40 * SECOND: picture(2)}

    (decision,) = matcher(entry("film", pictures)).judge(sample(0, picture(2))).decisions

    assert (decision.finding.distance_bits, decision.finding.offset_us) == (0, 40 * SECOND)


def test_of_equal_matches_the_earliest_of_the_entry_counts() -> None:
    pictures = {5 * SECOND: picture(2), 40 * SECOND: picture(2)}

    (decision,) = matcher(entry("film", pictures)).judge(sample(0, picture(2))).decisions

    assert decision.finding.offset_us == 5 * SECOND


def test_two_alignments_of_one_entry_are_counted_apart() -> None:
    held = matcher()
    held.judge(shown(10 * SECOND, 0))
    held.judge(shown(12 * SECOND, 40 * SECOND))

    assert votes(held.judge(shown(13 * SECOND, 3 * SECOND))) == [2]
    assert votes(held.judge(shown(14 * SECOND, 42 * SECOND))) == [2]


def test_two_entries_are_counted_apart() -> None:
    held = matcher(film("film", FILM), film("other", 2000))
    held.judge(shown(0, 0))

    assert votes(held.judge(sample(SECOND, picture(2001)))) == [1]


def test_entries_of_one_name_in_two_banks_are_counted_apart() -> None:
    both = Banks((*banks(film("film", FILM)).banks, *banks(film("film", 2000), name="other").banks))
    held = Matcher(lambda: both, Policy())
    held.judge(shown(0, 0))

    assert votes(held.judge(sample(SECOND, picture(2001)))) == [1]


@pytest.mark.parametrize(("min_votes", "n_opening"), [(1, 1), (2, 2), (3, 3)])
def test_a_rule_may_ask_for_votes(min_votes: int, n_opening: int) -> None:
    held = matcher(policy=needing(min_votes))

    verdicts = [held.judge(shown(n * SECOND, n * SECOND)) for n in range(4)]

    assert [bool(v.decisions) for v in verdicts] == [n + 1 >= n_opening for n in range(4)]
    assert [v.is_near_miss for v in verdicts] == [n + 1 < n_opening for n in range(4)]


def test_votes_at_scattered_offsets_open_nothing() -> None:
    held = matcher(policy=needing(2))

    verdicts = [held.judge(shown(n * SECOND, (7 * n % 60) * SECOND)) for n in range(8)]

    assert [v.decisions for v in verdicts] == [()] * 8


def still(name: str, pdq: Pdq) -> Entry:
    return entry(name, {0: pdq}, kind="image")


def test_a_still_picture_gathers_votes_without_a_timeline() -> None:
    held = matcher(still("poster", picture(1)), policy=needing(3))

    verdicts = [held.judge(sample(t * SECOND, picture(1))) for t in (0, 7, 19)]

    assert [votes(v) for v in verdicts] == [[], [], [3]]


def test_a_frozen_frame_of_a_film_gathers_none() -> None:
    held = matcher()

    assert [votes(held.judge(shown(t * SECOND, 0))) for t in (0, 7, 19)] == [[1], [1], [1]]


@pytest.mark.parametrize(("since_us", "expected"), [(0, 2), (1, 1)])
def test_an_alignment_is_remembered_for_half_a_minute(since_us: int, expected: int) -> None:
    held = matcher(still("poster", picture(1)))
    held.judge(sample(0, picture(1)))

    verdict = held.judge(sample(30 * SECOND + since_us, picture(1)))

    assert votes(verdict) == [expected]


def test_each_vote_renews_the_memory() -> None:
    held = matcher(still("poster", picture(1)))

    times_us = [n * ALIGNMENT_MEMORY_US for n in range(4)]

    assert [votes(held.judge(sample(t, picture(1)))) for t in times_us] == [[1], [2], [3], [4]]


def test_a_new_epoch_forgets_all_alignments() -> None:
    held = matcher(still("poster", picture(1)))
    held.judge(sample(0, picture(1)))

    assert votes(held.judge(sample(0, picture(1), epoch=1))) == [1]


@pytest.mark.parametrize(("n_others", "expected"), [(7, 2), (8, 1)])
def test_of_many_alignments_the_latest_are_kept(n_others: int, expected: int) -> None:
    held = matcher()
    held.judge(shown(0, 0))
    for n in range(1, n_others + 1):
        held.judge(shown(n * SECOND, (n * 5) * SECOND))

    assert votes(held.judge(shown(20 * SECOND, 20 * SECOND))) == [expected]


@given(
    st.lists(
        st.tuples(
            st.integers(1, 20 * SECOND),
            st.sampled_from([FILM, FILM + 1, FILM + 30, 2000, 2001, 1]),
            st.sampled_from([0, 31, 32, 61, 62]),
            st.integers(0, 9).map(bool),
        ),
        max_size=25,
    ),
    st.integers(1, 3),
)
def test_whatever_is_shown_votes_count_samples_and_decisions_keep_the_rule(
    happenings: list[tuple[int, int, int, bool]], min_votes: int
) -> None:
    held = matcher(film("film", FILM), still("poster", picture(2000)), policy=needing(min_votes))
    at_us, epoch, n_seen = 0, 0, {"film": 0, "poster": 0}

    for step_us, number, n_bits, goes_on in happenings:
        at_us += step_us
        if not goes_on:
            epoch, n_seen = epoch + 1, {"film": 0, "poster": 0}
        verdict = held.judge(sample(at_us, flipped(picture(number), n_bits), epoch=epoch))

        if number not in {1, 2001} and n_bits <= MATCH_DISTANCE_BITS:
            n_seen["poster" if number == 2000 else "film"] += 1
        assert not (verdict.is_near_miss and verdict.decisions)
        for decision in verdict.decisions:
            assert min_votes <= decision.votes <= n_seen[decision.finding.entry]
            assert decision.finding.distance_bits <= MATCH_DISTANCE_BITS
