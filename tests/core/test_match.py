from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.bank_values import BankSettings, Entry
from streamguard.core.banks import Banks
from streamguard.core.decision import CERTAIN_VOTES
from streamguard.core.following import MEMORY_US
from streamguard.core.match import MAX_OPENED, Matcher, Verdict
from streamguard.core.policy import HashRule, Policy
from streamguard.core.types import (
    MATCH_DISTANCE_BITS,
    MIN_QUALITY,
    NEAR_DISTANCE_BITS,
    Limits,
    Region,
    Sample,
    Severity,
    View,
)
from streamguard.core.variants import MIRRORED, SIDE_NUMBERS
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
    ("film_us", "expected"), [(4, 2), (8, 2), (14, 2), (3, 1), (15, 1)], ids=str
)
def test_samples_agree_on_a_line_at_any_speed_from_half_to_double(
    film_us: int, expected: int
) -> None:
    """Five seconds after the third second of the film it is at 5.5 to 13, with 1 s of slack."""
    held = matcher()
    held.judge(shown(10 * SECOND, 3 * SECOND + SECOND // 2))

    (decision,) = held.judge(sample(15 * SECOND, picture(FILM + film_us))).decisions

    assert decision.votes == expected
    assert decision.is_certain is (expected >= CERTAIN_VOTES)


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.25])
def test_votes_add_up_at_the_speed_of_playback(rate: float) -> None:
    held = matcher()

    verdicts = [
        held.judge(sample(n * 2 * SECOND, picture(FILM + int(n * 2 * rate)))) for n in range(12)
    ]

    assert [votes(verdict) for verdict in verdicts] == [[n + 1] for n in range(12)]
    (decision,) = verdicts[-1].decisions
    assert decision.aligned is not None
    assert decision.aligned.rate == pytest.approx(rate, abs=0.05)
    assert abs(decision.aligned.starts_us) < 2 * SECOND


def test_a_decision_tells_of_the_samples_that_voted() -> None:
    held = matcher()
    for n in range(10):
        held.judge(sample((10 + n) * SECOND, flipped(picture(FILM + n), n)))

    (decision,) = held.judge(sample(20 * SECOND, flipped(picture(FILM + 10), 40))).decisions

    assert decision.aligned is not None
    assert decision.aligned.distances_bits == (3, 4, 5, 6, 7, 8, 9, 40)
    assert decision.aligned.samples_us == tuple(n * SECOND for n in range(13, 21))
    assert decision.aligned.starts_us == 10 * SECOND
    assert decision.finding.distance_bits == 40
    assert decision.finding.offset_us == 10 * SECOND


@pytest.mark.parametrize(("n_bits", "n_votes"), [(32, [2]), (61, [2]), (62, [])])
def test_after_a_strong_hit_a_loose_vote_at_the_expected_time_suffices(
    n_bits: int, n_votes: list[int]
) -> None:
    held = matcher()
    held.judge(shown(0, 0))

    verdict = held.judge(sample(2 * SECOND, flipped(picture(FILM + 2), n_bits)))

    assert votes(verdict) == n_votes
    assert not verdict.is_near_miss


def test_a_near_miss_elsewhere_in_a_known_film_is_no_vote() -> None:
    held = matcher()
    held.judge(shown(0, 0))

    verdict = held.judge(sample(2 * SECOND, flipped(picture(FILM + 30), 40)))

    assert votes(verdict) == []
    assert verdict.is_near_miss


@pytest.mark.parametrize(("n_bits", "n_until"), [(44, 2), (45, 3), (50, 3), (51, None)])
def test_near_misses_speak_together_where_they_are_near_enough(
    n_bits: int, n_until: int | None
) -> None:
    held = matcher()

    verdicts = [
        held.judge(sample(n * SECOND, flipped(picture(FILM + n), n_bits))) for n in range(9)
    ]

    speaks = [bool(verdict.decisions) for verdict in verdicts]
    assert speaks == [n_until is not None and n + 1 >= n_until for n in range(9)]
    assert [verdict.is_near_miss for verdict in verdicts] == [not each for each in speaks]


def test_a_single_near_miss_never_speaks_however_long_it_is_seen() -> None:
    held = matcher()
    near = flipped(picture(FILM), 32)

    verdicts = [held.judge(sample(n * SECOND, near)) for n in range(60)]

    assert [verdict.decisions for verdict in verdicts] == [()] * 60


def test_near_misses_of_a_slate_never_speak() -> None:
    """Every moment of the entry looks like the slate; no sample tells one from the others."""
    slate = picture(1)
    pictures = {n * SECOND: flipped(slate, 0) for n in range(60)}
    for n, each in enumerate(pictures.values()):
        each[31] ^= n % 8
    held = matcher(entry("film", pictures))

    verdicts = [
        held.judge(sample(n * SECOND, flipped(pictures[n * SECOND], 42))) for n in range(60)
    ]

    assert not any(verdict.decisions for verdict in verdicts)


@pytest.mark.parametrize(
    ("max_bits", "n_bits", "n_until"),
    [(31, 34, 4), (31, 35, 5), (31, 41, 8), (31, 42, None), (10, 13, 4), (10, 19, 7)],
)
def test_near_misses_that_are_all_but_strong_speak_where_they_are_many(
    max_bits: int, n_bits: int, n_until: int | None
) -> None:
    """Scenery that hardly moves: every moment of the entry looks like every other."""
    pictures = {n * SECOND: flipped(picture(1), 0) for n in range(12)}
    for n, each in enumerate(pictures.values()):
        each[31] ^= 7 * (n % 2)
    policy = Policy(default=HashRule(max_distance_bits=max_bits))
    held = matcher(entry("film", pictures), policy=policy)

    verdicts = [held.judge(sample(at_us, flipped(pdq, n_bits))) for at_us, pdq in pictures.items()]

    speaks = [bool(verdict.decisions) for verdict in verdicts]
    assert speaks == [n_until is not None and n + 1 >= n_until for n in range(12)]


def test_of_two_offsets_at_which_scenery_fits_the_nearer_one_is_found() -> None:
    """What was opened first goes on agreeing; a nearer moment is followed all the same."""
    scenery = {n * SECOND: flipped(picture(1), 0) for n in range(40)}
    for n, each in enumerate(scenery.values()):
        each[31] ^= 7 * (n % 2)
        each[16:31] ^= picture(100 + n)[16:31] & 0x33  # each moment differs a little
    held = matcher(entry("film", scenery))

    first = held.judge(sample(0, flipped(scenery[0], 55)))
    verdicts = [
        held.judge(sample(n * SECOND, flipped(scenery[(20 + n) * SECOND], 34))) for n in range(1, 9)
    ]

    assert first.is_near_miss
    (decision,) = verdicts[-1].decisions
    assert decision.aligned is not None
    assert decision.aligned.distances_bits == (34,) * decision.votes


@pytest.mark.parametrize("film_s", [[0, 10, 20, 30, 40, 50], [50, 40, 30, 20, 10, 0]])
def test_near_misses_that_fit_no_speed_of_playback_never_speak(film_s: list[int]) -> None:
    held = matcher()

    verdicts = [
        held.judge(sample(n * SECOND, flipped(picture(FILM + at_s), 40)))
        for n, at_s in enumerate(film_s)
    ]

    assert not any(verdict.decisions for verdict in verdicts)


def test_once_found_a_film_is_followed_through_loose_votes() -> None:
    held = matcher(policy=needing(3))
    bits = [44, 44, 0, 61, 61, 61]

    verdicts = [
        held.judge(sample(n * SECOND, flipped(picture(FILM + n), each)))
        for n, each in enumerate(bits)
    ]

    assert [votes(verdict) for verdict in verdicts] == [[], [], [3], [4], [5], [6]]


def test_the_alignment_of_most_samples_goes_before_a_nearer_match() -> None:
    """The sample is like two seconds of the entry; the one that was expected counts."""
    pictures = {0: picture(1), 5 * SECOND: flipped(picture(2), 9), 40 * SECOND: picture(2)}
    held = matcher(entry("film", pictures))
    held.judge(sample(0, picture(1)))

    (decision,) = held.judge(sample(5 * SECOND, picture(2))).decisions

    assert (decision.votes, decision.finding.offset_us) == (2, 5 * SECOND)
    assert decision.finding.distance_bits == 9


def test_a_strong_hit_elsewhere_goes_before_a_loose_vote_where_it_was_expected() -> None:
    pictures = {0: picture(1), 5 * SECOND: flipped(picture(2), 40), 40 * SECOND: picture(2)}
    held = matcher(entry("film", pictures))
    held.judge(sample(0, picture(1)))

    (decision,) = held.judge(sample(5 * SECOND, picture(2))).decisions

    assert (decision.votes, decision.finding.offset_us) == (1, 40 * SECOND)


def test_a_nearer_match_wins_where_no_alignment_helps() -> None:
    pictures = {5 * SECOND: flipped(picture(2), 9), 40 * SECOND: picture(2)}

    (decision,) = matcher(entry("film", pictures)).judge(sample(0, picture(2))).decisions

    assert (decision.finding.distance_bits, decision.finding.offset_us) == (0, 40 * SECOND)


def test_of_equal_matches_the_earliest_of_the_entry_counts() -> None:
    pictures = {5 * SECOND: picture(2), 40 * SECOND: picture(2)}

    (decision,) = matcher(entry("film", pictures)).judge(sample(0, picture(2))).decisions

    assert decision.finding.offset_us == 5 * SECOND


def test_a_film_that_jumps_is_found_anew_and_stays_found() -> None:
    """A compilation: five seconds from here, five from there; what was found stays found."""
    held = matcher(policy=needing(3))
    cut = [*range(5), *range(40, 45), *range(20, 25)]

    verdicts = [
        held.judge(sample(n * SECOND, picture(FILM + film_s))) for n, film_s in enumerate(cut)
    ]

    assert [votes(verdict) for verdict in verdicts[:3]] == [[], [], [3]]
    assert [votes(verdict) for verdict in verdicts[5:]] == [[n] for n in (1, 2, 3, 4, 5)] * 2


def test_a_film_that_starts_again_is_found_again() -> None:
    held = matcher(film("film", FILM, seconds=10))

    verdicts = [held.judge(sample(n * SECOND, picture(FILM + n % 10))) for n in range(30)]

    assert all(verdict.decisions for verdict in verdicts)


def test_a_paused_film_has_one_vote_and_stays_found() -> None:
    held = matcher()

    verdicts = [
        held.judge(sample(n * 5 * SECOND, flipped(picture(FILM + 1), n % 3))) for n in range(1, 20)
    ]

    assert [votes(verdict) for verdict in verdicts] == [[1]] * 19


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


def test_a_mirrored_copy_is_followed_along_the_mirrored_hashes() -> None:
    turned = entry("film", {n * SECOND: picture(FILM + n) for n in range(9)}, variant=MIRRORED)
    held = matcher(turned)

    verdicts = [held.judge(sample(n * SECOND, picture(FILM + n))) for n in range(3)]

    assert [votes(verdict) for verdict in verdicts] == [[1], [2], [3]]
    assert verdicts[-1].decisions[0].finding.variant == MIRRORED


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


@pytest.mark.parametrize("of_the_bank", [True, False])
@pytest.mark.parametrize(
    ("limits", "views", "n_decisions"),
    [
        (Limits(max_distance_bits=10), [view(flipped(picture(FILM), 10))], 1),
        (Limits(max_distance_bits=10), [view(flipped(picture(FILM), 11))], 0),
        (Limits(min_quality=70), [view(picture(FILM), quality=70)], 1),
        (Limits(min_quality=70), [view(picture(FILM), quality=69)], 0),
        (Limits(min_votes=2), [view(picture(FILM)), view(picture(FILM + 1))], 1),
        (Limits(min_votes=3), [view(picture(FILM)), view(picture(FILM + 1))], 0),
    ],
)
def test_a_bank_and_an_entry_may_ask_for_more_than_the_policy(
    limits: Limits, views: list[View], n_decisions: int, *, of_the_bank: bool
) -> None:
    pictures = {n * SECOND: picture(FILM + n) for n in range(9)}
    known = (
        banks(entry("film", pictures), settings=BankSettings(limits=limits))
        if of_the_bank
        else banks(entry("film", pictures, limits=limits))
    )
    held = Matcher(lambda: known, Policy())

    verdicts = [held.judge(sample(n * SECOND, each)) for n, each in enumerate(views)]

    assert len(verdicts[-1].decisions) == n_decisions
    assert verdicts[-1].is_near_miss is (n_decisions == 0)


@pytest.mark.parametrize(("n_bits", "n_votes"), [(19, [2]), (20, [])])
def test_who_asks_for_nearer_hits_gets_nearer_votes(n_bits: int, n_votes: list[int]) -> None:
    held = matcher(policy=Policy(default=HashRule(max_distance_bits=10)))
    held.judge(shown(0, 0))

    verdict = held.judge(sample(SECOND, flipped(picture(FILM + 1), n_bits)))

    assert votes(verdict) == n_votes


def test_a_match_in_shadow_is_told_apart_and_is_no_flag() -> None:
    known = banks(
        entry("film", {0: picture(FILM)}, limits=Limits(is_shadow=True)),
        entry("other", {0: flipped(picture(FILM), 3)}),
    )

    verdict = Matcher(lambda: known, Policy()).judge(sample(0, picture(FILM)))

    assert [decision.finding.entry for decision in verdict.decisions] == ["other"]
    assert [decision.finding.entry for decision in verdict.shadows] == ["film"]
    assert all(decision.is_shadow for decision in verdict.shadows)


def test_what_a_slate_silences_is_counted_and_is_no_near_miss() -> None:
    slate = entry("slate", {0: picture(FILM)}, kind="image")
    negative = banks(slate, name="slates", settings=BankSettings(role="negative"))
    both = Banks((*banks(film("film", FILM)).banks, *negative.banks))

    verdict = Matcher(lambda: both, Policy()).judge(sample(0, picture(FILM)))

    assert verdict == Verdict((), is_judged=True, is_near_miss=False, n_vetoes=1)


def still(name: str, pdq: Pdq, *, limits: Limits | None = None) -> Entry:
    return entry(name, {0: pdq}, kind="image", limits=limits)


@pytest.mark.parametrize(("min_votes", "n_opening"), [(1, 2), (2, 2), (3, 3)])
def test_a_still_picture_must_last_but_need_not_move(min_votes: int, n_opening: int) -> None:
    held = matcher(still("poster", picture(1)), policy=needing(min_votes))

    verdicts = [held.judge(sample(n * SECOND, picture(1))) for n in range(4)]

    assert [votes(v) for v in verdicts] == [[n + 1] if n + 1 >= n_opening else [] for n in range(4)]
    assert [v.is_near_miss for v in verdicts] == [n + 1 < n_opening for n in range(4)]


@pytest.mark.parametrize(("n_bits", "is_found"), [(0, True), (31, True), (32, False)])
def test_a_still_picture_that_is_all_there_is_lasts_by_nature(
    *, n_bits: int, is_found: bool
) -> None:
    held = matcher(still("poster", picture(1)))
    only = sample(0, flipped(picture(1), n_bits))

    at_once = held.judge(only)
    alone = held.judge_alone(only)

    assert votes(at_once) == []
    assert votes(alone) == ([1] if is_found else [])
    assert [each.pts_us for each in alone.decisions] == [0] * is_found


def test_limits_and_shadow_hold_for_a_picture_that_is_all_there_is_too() -> None:
    strict = matcher(still("poster", picture(1), limits=Limits(min_votes=2)))
    hidden = matcher(still("poster", picture(1), limits=Limits(is_shadow=True)))
    for held in (strict, hidden):
        held.judge(sample(0, picture(1)))

    alone = hidden.judge_alone(sample(0, picture(1)))

    assert votes(strict.judge_alone(sample(0, picture(1)))) == []
    assert (votes(alone), [each.votes for each in alone.shadows]) == ([], [1])


def test_what_a_single_picture_shows_of_a_film_is_told_once() -> None:
    held = matcher(film("film", FILM))
    told = held.judge(sample(0, picture(FILM)))

    assert votes(told) == [1]
    assert votes(held.judge_alone(sample(0, picture(FILM)))) == []


def test_a_still_picture_is_opened_by_strong_hits_and_kept_open_by_loose_ones() -> None:
    held = matcher(still("poster", picture(1)))
    bits = [40, 40, 0, 40, 0, 61, 62]

    verdicts = [
        held.judge(sample(n * SECOND, flipped(picture(1), each))) for n, each in enumerate(bits)
    ]

    assert [votes(v) for v in verdicts] == [[], [], [], [], [3], [4], []]


@pytest.mark.parametrize(("since_us", "expected"), [(0, [2]), (1, [])])
def test_an_alignment_is_remembered_for_half_a_minute(since_us: int, expected: list[int]) -> None:
    held = matcher(still("poster", picture(1)))
    held.judge(sample(0, picture(1)))

    verdict = held.judge(sample(MEMORY_US + since_us, picture(1)))

    assert votes(verdict) == expected


def test_each_vote_renews_the_memory() -> None:
    held = matcher(still("poster", picture(1)))

    times_us = [n * MEMORY_US for n in range(4)]

    assert [votes(held.judge(sample(t, picture(1)))) for t in times_us] == [[], [2], [3], [4]]


def test_a_new_epoch_forgets_all_alignments() -> None:
    held = matcher()
    held.judge(shown(0, 0))

    assert votes(held.judge(shown(SECOND, SECOND, epoch=1))) == [1]


def test_one_picture_of_many_entries_speaks_for_every_policy() -> None:
    copies = [
        entry(f"copy{n}", {0: flipped(picture(1), n % 5)}, policy="TVEC-MANY")
        for n in range(2 * MAX_OPENED)
    ]
    rare = entry("rare", {0: flipped(picture(1), 31)}, policy="TVEC-RARE")

    decisions = matcher(*copies, rare).judge(sample(0, picture(1))).decisions

    assert len(decisions) == MAX_OPENED
    assert {decision.category for decision in decisions} == {"TVEC-MANY", "TVEC-RARE"}


HAPPENINGS = st.lists(
    st.tuples(
        st.integers(1, 20 * SECOND),
        st.sampled_from([FILM, FILM + 1, FILM + 2, FILM + 30, 2000, 2001, 1]),
        st.sampled_from([0, 31, 32, 44, 61, 62]),
        st.integers(0, 9).map(bool),
    ),
    max_size=25,
)


@given(HAPPENINGS, st.integers(1, 3))
def test_whatever_is_shown_votes_count_samples_and_decisions_keep_the_rule(
    happenings: list[tuple[int, int, int, bool]], min_votes: int
) -> None:
    held = matcher(film("film", FILM), still("poster", picture(2000)), policy=needing(min_votes))
    at_us, epoch, n_near, n_strong = 0, 0, 0, 0

    for step_us, number, n_bits, goes_on in happenings:
        at_us += step_us
        if not goes_on:
            epoch, n_near, n_strong = epoch + 1, 0, 0
        verdict = held.judge(sample(at_us, flipped(picture(number), n_bits), epoch=epoch))

        n_near += number not in {1, 2001} and n_bits <= NEAR_DISTANCE_BITS
        n_strong += number not in {1, 2001} and n_bits <= MATCH_DISTANCE_BITS
        assert not (verdict.is_near_miss and verdict.decisions)
        assert verdict.shadows == ()
        for decision in verdict.decisions:
            assert 1 <= decision.votes <= n_near
            assert decision.finding.distance_bits <= NEAR_DISTANCE_BITS
            assert decision.aligned is not None
            assert len(decision.aligned.samples_us) == min(8, decision.votes)
        if n_near < min_votes or (n_strong == 0 and n_near < 2):
            assert verdict.decisions == ()


@given(HAPPENINGS)
def test_in_shadow_nothing_is_ever_a_flag(happenings: list[tuple[int, int, int, bool]]) -> None:
    known = banks(film("film", FILM), settings=BankSettings(limits=Limits(is_shadow=True)))
    shadow, plain = Matcher(lambda: known, Policy()), matcher()
    at_us = 0

    for step_us, number, n_bits, _ in happenings:
        at_us += step_us
        seen = sample(at_us, flipped(picture(number), n_bits))
        verdict, as_flags = shadow.judge(seen), plain.judge(seen)

        assert verdict.decisions == ()
        assert [d.votes for d in verdict.shadows] == [d.votes for d in as_flags.decisions]


@given(HAPPENINGS)
def test_what_a_negative_bank_knows_is_never_a_flag(
    happenings: list[tuple[int, int, int, bool]],
) -> None:
    negative = banks(
        film("film", FILM), still("poster", picture(2000)), settings=BankSettings(role="negative")
    ).banks
    both = Banks(
        (*banks(film("film", FILM), still("poster", picture(2000)), name="k").banks, *negative)
    )
    held = Matcher(lambda: both, Policy())
    at_us = 0

    for step_us, number, n_bits, _ in happenings:
        at_us += step_us
        verdict = held.judge(sample(at_us, flipped(picture(number), n_bits)))

        if n_bits <= MATCH_DISTANCE_BITS:
            assert verdict.decisions == ()
            assert verdict.n_vetoes == (number not in {1, 2001})


@given(HAPPENINGS, st.lists(st.integers(0, 24)))
def test_decisions_are_the_same_whenever_the_banks_are_asked_in_between(
    happenings: list[tuple[int, int, int, bool]], asked: list[int]
) -> None:
    """One by one, with pauses, or all at once: only the samples count."""
    plain, disturbed = matcher(), matcher()
    at_us = 0

    for n, (step_us, number, n_bits, _) in enumerate(happenings):
        at_us += step_us
        seen = sample(at_us, flipped(picture(number), n_bits))
        for _ in range(asked.count(n)):
            disturbed.recheck()

        assert disturbed.judge(seen) == plain.judge(seen)


def covered(pdq: Pdq, side: Pdq) -> View:
    """Give the view of a picture of which one side is free."""
    return replace(view(pdq), sides=lambda **_: (view(picture(1)), view(side)))


def test_a_picture_under_an_overlay_is_found_by_a_side_of_it() -> None:
    held = matcher(
        entry("film", {0: picture(FILM)}),
        entry("film-side", {0: picture(FILM + 1)}, variant=SIDE_NUMBERS[0]),
    )

    verdict = held.judge(
        sample(0, covered(flipped(picture(FILM), 50), flipped(picture(FILM + 1), 10)))
    )

    assert [each.finding.entry for each in verdict.decisions] == ["film-side"]
    assert verdict.decisions[0].finding.variant == SIDE_NUMBERS[0]
    assert not verdict.is_near_miss


def test_what_is_found_by_sides_alone_goes_on() -> None:
    held = matcher(film("film", FILM))
    shown = [covered(picture(5), picture(FILM + n)) for n in range(20)]

    told = [held.judge(sample(n * SECOND, each)) for n, each in enumerate(shown)]

    assert [len(verdict.decisions) for verdict in told] == [1] * 20


def test_sides_are_left_alone_where_the_whole_is_far_or_found() -> None:
    held = matcher(film("film", FILM), film("other", 9000))
    held.judge(sample(0, picture(5)))

    far = held.judge(sample(SECOND, covered(picture(5), picture(9001))))
    found = held.judge(sample(9 * SECOND, covered(picture(FILM + 1), picture(9001))))
    near = covered(flipped(picture(FILM + 2), 40), picture(9002))
    later = held.judge(sample(10 * SECOND, near))

    assert (far.decisions, far.is_near_miss) == ((), False)
    assert [each.finding.entry for each in found.decisions] == ["film"]
    assert [each.finding.entry for each in later.decisions] == ["film"]


def test_a_side_like_a_slate_says_nothing() -> None:
    slates = BankSettings(role="negative")
    both = Banks(
        (
            *banks(film("film", FILM), film("side", 9000)).banks,
            *banks(entry("slate", {0: picture(9000)}), name="slates", settings=slates).banks,
        )
    )
    shown = covered(flipped(picture(FILM), 50), picture(9000))

    verdict = Matcher(lambda: both, Policy()).judge(sample(0, shown))

    assert (verdict.decisions, verdict.is_near_miss, verdict.n_vetoes) == ((), True, 1)
