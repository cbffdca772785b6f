from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.alignment import Alignment, opened
from streamguard.core.following import MAX_ALIGNMENTS, MAX_OF_ENTRY, MEMORY_US, Following
from streamguard.core.types import Match
from streamguard.core.vote import Vote
from tests.core_fakes import picture

ENTRY = ("known", "film")


def alignment(
    seen_us: int, *, bits: int = 40, n_strong: int = 0, is_open: bool = False
) -> Alignment:
    shown = picture(1)
    vote = Vote(seen_us, 0, bits, "full", 0, shown, shown)
    made = opened(Match(*ENTRY, "TVEC-TEST", "full", bits, 0), vote, is_strong=False)
    return replace(made, n_strong=n_strong, is_open=is_open)


@pytest.mark.parametrize(("since_us", "n_kept"), [(MEMORY_US, 1), (MEMORY_US + 1, 0)])
def test_what_stopped_agreeing_is_forgotten(since_us: int, n_kept: int) -> None:
    held = Following()
    held.put(ENTRY, alignment(5))

    held.prune(5 + since_us)

    assert (len(held), len(held.entries())) == (n_kept, n_kept)


def test_an_alignment_that_has_grown_takes_the_place_of_what_it_was() -> None:
    held = Following()
    before, after = alignment(0), alignment(1)
    held.put(ENTRY, before)

    held.put(ENTRY, after, before)

    assert held.of(ENTRY) == (after,)


@pytest.mark.parametrize(
    "weak",
    [
        alignment(9, bits=33),  # near misses only
        alignment(2, bits=20, n_strong=1),  # it did not agree with the last sample
        alignment(3, bits=31, n_strong=1),  # it is farther off
    ],
)
def test_of_one_entry_the_weakest_makes_room(weak: Alignment) -> None:
    held = Following()
    strong = [
        alignment(0, bits=60, is_open=True),
        alignment(3, bits=30, n_strong=1),
        alignment(3, bits=29, n_strong=1),
    ]
    for each in (strong[0], weak, *strong[1:]):
        held.put(ENTRY, each)

    held.put(ENTRY, newest := alignment(4))

    assert len(held.of(ENTRY)) == MAX_OF_ENTRY
    assert newest in held.of(ENTRY)
    assert all(each in held.of(ENTRY) for each in strong)
    assert weak not in held.of(ENTRY)


def test_of_all_entries_the_weakest_makes_room() -> None:
    held = Following()
    for n in range(MAX_ALIGNMENTS):
        held.put(("known", str(n)), alignment(5, bits=41 if n == 7 else 40))

    held.put(ENTRY, alignment(0, bits=60))

    assert len(held) == MAX_ALIGNMENTS
    assert held.of(("known", "7")) == ()
    assert len(held.of(ENTRY)) == 1


def test_all_can_be_changed_or_taken_out() -> None:
    held = Following()
    for n in range(3):
        held.put(("known", str(n)), alignment(n))

    held.change(lambda each: None if each.seen_us == 1 else replace(each, n_votes=5))

    assert held.entries() == (("known", "0"), ("known", "2"))
    assert held.of(("known", "2"))[0].n_votes == 5
    held.clear()
    assert (len(held), held.entries()) == (0, ())


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), st.integers(0, 3)), max_size=120))
def test_whatever_comes_the_bounds_hold(coming: list[tuple[int, int, int]]) -> None:
    held = Following()

    for at_us, (number, bits, n_strong) in enumerate(coming):
        key = ("known", str(number))
        held.put(key, newest := alignment(at_us, bits=bits, n_strong=n_strong))

        assert newest in held.of(key)
        assert len(held) <= MAX_ALIGNMENTS
        assert all(1 <= len(held.of(each)) <= MAX_OF_ENTRY for each in held.entries())
