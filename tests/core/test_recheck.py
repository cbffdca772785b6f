"""What comes into the banks while a stream is screened, held against what it showed before."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamguard.core.bank_edit import Amendment, Edit
from streamguard.core.bank_editor import edit_bank, edited
from streamguard.core.bank_values import BankSettings, Entry
from streamguard.core.banks import Banks
from streamguard.core.match import Matcher
from streamguard.core.policy import HashRule, Policy
from streamguard.core.recheck import Found, new_entries, search
from streamguard.core.types import Limits, Sample
from tests.core_fakes import banks, entry, film, flipped, picture, sample

SECOND = 1_000_000
FILM = 1000


class Screening:
    """A stream, and banks that change under it."""

    def __init__(self, *known: Banks, policy: Policy | None = None) -> None:
        self.banks = Banks(tuple(bank for each in known for bank in each.banks))
        self.matcher = Matcher(lambda: self.banks, policy or Policy())
        self.n_shown = 0

    def edit(self, *add: Entry, remove: tuple[str, ...] = (), bank: str = "known") -> None:
        self.change(bank, lambda held: edit_bank(held, add=add, remove=remove))

    def change(self, bank: str, changed: Callable[..., object]) -> None:
        self.banks = Banks(
            tuple(changed(each) if each.name == bank else each for each in self.banks.banks)  # type: ignore[misc]  # a bank
        )

    def show(self, *pictures: int, n_bits: int = 0, epoch: int = 0) -> list[list[int]]:
        """Show a picture a second; give the votes of what is found at once."""
        found = []
        for number in pictures:
            pdq = flipped(picture(number), n_bits)
            verdict = self.matcher.judge(sample(self.n_shown * SECOND, pdq, epoch=epoch))
            found.append([each.votes for each in verdict.decisions])
            self.n_shown += 1
        return found

    def set_aside(self, name: str, *, is_aside: bool = True) -> None:
        edit = Edit(amend={name: Amendment(is_quarantined=is_aside)})
        self.change("known", lambda held: edited(held, edit))

    def look_back(self) -> Found:
        recheck = self.matcher.recheck()
        return search(recheck, new_entries(recheck)) if recheck else Found((), ())

    def finds_nothing(self) -> bool:
        found = self.look_back()
        return (found.decisions, found.shadows) == ((), ())


def seconds(found: Found) -> list[int]:
    return [each.pts_us // SECOND for each in found.decisions]


def test_nothing_is_looked_for_while_nothing_comes() -> None:
    stream = Screening(banks(film("old", 2000)))
    stream.show(FILM, FILM + 1)

    assert stream.matcher.recheck() is None


def test_before_anything_was_shown_there_is_nothing_to_look_at() -> None:
    stream = Screening(banks(film("old", 2000)))
    stream.look_back()
    stream.edit(film("film", FILM))

    assert stream.matcher.recheck() is None


def test_a_new_entry_is_found_in_what_was_shown_before_it_came() -> None:
    stream = Screening(banks(film("old", 2000)))
    assert stream.show(1, FILM, FILM + 1, FILM + 2, 2) == [[]] * 5

    stream.edit(film("film", FILM))
    found = stream.look_back()

    assert seconds(found) == [1, 2, 3]
    assert [each.finding.entry for each in found.decisions] == ["film"] * 3
    assert [each.votes for each in found.decisions] == [1, 2, 3]
    assert [each.read_at_s for each in found.decisions] == [1.0, 2.0, 3.0]


def test_a_new_entry_is_looked_for_once() -> None:
    stream = Screening(banks(film("old", 2000)))
    stream.show(FILM)
    stream.edit(film("film", FILM))
    stream.look_back()

    assert stream.matcher.recheck() is None


def test_what_was_judged_with_an_entry_is_not_found_in_the_past_again() -> None:
    stream = Screening(banks(film("old", 2000)))
    stream.show(FILM)
    stream.edit(film("film", FILM))
    assert stream.show(FILM + 1, FILM + 2) == [[1], [2]]

    assert seconds(stream.look_back()) == [0]


def test_of_two_entries_each_is_looked_for_up_to_its_own_coming() -> None:
    stream = Screening(banks(film("old", 2000)))
    stream.show(FILM, 3000)
    stream.edit(film("film", FILM))
    stream.show(FILM + 1, 3001)
    stream.edit(film("late", 3000))
    stream.show(FILM + 2, 3002)

    found = stream.look_back()

    assert [(each.finding.entry, each.pts_us // SECOND) for each in found.decisions] == [
        ("film", 0),
        ("late", 1),
        ("late", 3),
    ]


def test_old_entries_are_not_looked_for_anew() -> None:
    stream = Screening(banks(film("old", 2000)))
    stream.show(2000, 2001)
    stream.edit(film("film", FILM))

    assert stream.finds_nothing()


def test_the_past_keeps_the_rules_of_the_present() -> None:
    """Epochs, votes, near misses and images are judged as they are when they are live."""
    policy = Policy(default=HashRule(min_votes=2))
    stream = Screening(banks(film("old", 2000)), policy=policy)
    stream.show(FILM)
    stream.show(FILM + 1, FILM + 2, epoch=1)
    stream.show(5, n_bits=40, epoch=1)
    stream.show(7, epoch=1)
    stream.show(7, epoch=1)

    poster = entry("poster", {0: picture(7)}, kind="image")
    stream.edit(film("film", FILM), poster, film("near", 5, seconds=1))
    found = stream.look_back()

    assert [(each.finding.entry, each.epoch, each.votes) for each in found.decisions] == [
        ("film", 1, 2),
        ("poster", 1, 2),
    ]


def test_a_slate_silences_the_past_too() -> None:
    slates = banks(film("slate", FILM), name="slates", settings=BankSettings(role="negative"))
    stream = Screening(banks(film("old", 2000)), slates)
    stream.show(FILM, FILM + 1)

    stream.edit(film("film", FILM))

    assert stream.finds_nothing()


def test_what_comes_into_a_negative_bank_is_not_looked_for() -> None:
    slates = banks(film("slate", 2000), name="slates", settings=BankSettings(role="negative"))
    stream = Screening(banks(film("old", 3000)), slates)
    stream.show(FILM)

    stream.edit(film("intro", FILM), bank="slates")

    assert stream.matcher.recheck() is None


def test_an_entry_in_shadow_is_found_in_shadow() -> None:
    stream = Screening(banks(film("old", 2000)))
    stream.show(FILM)
    hidden = entry("film", {0: picture(FILM)}, limits=Limits(is_shadow=True))

    stream.edit(hidden)
    found = stream.look_back()

    assert found.decisions == ()
    assert [each.finding.entry for each in found.shadows] == ["film"]


@pytest.mark.parametrize("how", ["removed", "quarantined"])
def test_an_entry_that_is_gone_before_it_is_looked_for_is_not_found(how: str) -> None:
    stream = Screening(banks(film("old", 2000)))
    stream.show(FILM)
    stream.edit(film("film", FILM))
    stream.matcher.judge(sample(90 * SECOND, picture(1)))

    if how == "removed":
        stream.edit(remove=("film",))
    else:
        stream.set_aside("film")

    assert stream.finds_nothing()


def test_what_is_let_in_again_is_looked_for_where_it_was_not_judged() -> None:
    stream = Screening(banks(film("film", FILM)))
    assert stream.show(FILM, FILM + 1) == [[1], [2]]
    stream.set_aside("film")
    assert stream.show(FILM + 2, FILM + 3) == [[], []]

    stream.set_aside("film", is_aside=False)
    assert stream.show(FILM + 4) == [[1]]

    assert seconds(stream.look_back()) == [2, 3]
    assert stream.matcher.recheck() is None


def test_what_was_aside_from_the_start_is_looked_for_everywhere_when_it_is_let_in() -> None:
    stream = Screening(banks(film("film", FILM)))
    stream.set_aside("film")
    stream.show(FILM, FILM + 1)

    stream.set_aside("film", is_aside=False)

    assert seconds(stream.look_back()) == [0, 1]


@pytest.mark.parametrize("is_seen_between", [True, False])
def test_what_comes_is_set_aside_and_let_in_is_looked_for_everywhere(
    *, is_seen_between: bool
) -> None:
    """Nobody had looked for it when it was set aside."""
    stream = Screening(banks(film("old", 2000)))
    stream.show(FILM)
    stream.edit(film("film", FILM))
    if is_seen_between:
        stream.show(5)
    stream.set_aside("film")
    stream.show(FILM + 2)
    stream.set_aside("film", is_aside=False)

    assert seconds(stream.look_back()) == [0, 2 if is_seen_between else 1]


def test_what_is_replaced_while_it_is_aside_is_looked_for_everywhere() -> None:
    stream = Screening(banks(film("film", 2000)))
    stream.show(FILM)
    stream.set_aside("film")
    stream.show(FILM + 1)
    new = replace(film("film", FILM), quarantine="a person")
    stream.change("known", lambda held: edited(held, Edit(add=[new], replace=True)))
    stream.show(FILM + 2)

    stream.set_aside("film", is_aside=False)

    assert seconds(stream.look_back()) == [0, 1, 2]


def test_what_was_aside_between_two_samples_alone_is_not_looked_for() -> None:
    stream = Screening(banks(film("film", FILM)))
    stream.show(FILM)
    stream.set_aside("film")
    assert stream.finds_nothing()

    stream.set_aside("film", is_aside=False)

    assert stream.matcher.recheck() is None


def test_what_is_removed_while_it_is_aside_is_not_looked_for() -> None:
    stream = Screening(banks(film("film", FILM), film("other", 2000)))
    stream.set_aside("film")
    stream.show(FILM)
    stream.edit(remove=("film",))

    assert stream.finds_nothing()


def test_an_alignment_with_an_entry_that_is_removed_ends() -> None:
    stream = Screening(banks(film("film", FILM)))
    assert stream.show(FILM, FILM + 1) == [[1], [2]]

    stream.edit(remove=("film",))

    assert stream.show(FILM + 2) == [[]]
    stream.edit(film("film", FILM))
    assert stream.show(FILM + 3) == [[1]]


def test_an_alignment_goes_on_by_the_limits_that_its_entry_has_now() -> None:
    stream = Screening(banks(film("film", FILM)))
    stream.show(FILM)

    strict = Edit(amend={"film": Amendment(limits=Limits(max_distance_bits=10))})
    stream.change("known", lambda held: edited(held, strict))

    assert stream.show(FILM + 1, n_bits=20) == [[]]
    assert stream.show(FILM + 2, n_bits=19) == [[2]]


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from([1, 2, FILM, FILM + 1, FILM + 2, FILM + 9]), max_size=12),
    st.sampled_from([0, 31, 32, 44, 61, 62]),
)
def test_the_past_tells_what_the_present_would_have_told(pictures: list[int], n_bits: int) -> None:
    """Judged live with the entry, or looked back at when it comes: the same is found."""
    late, early = Screening(banks(film("old", 2000))), Screening(banks(film("film", FILM)))
    late.show(*pictures, n_bits=n_bits)
    at_once = early.show(*pictures, n_bits=n_bits)

    late.edit(film("film", FILM))
    found = late.look_back()

    assert [each.votes for each in found.decisions] == [votes for (votes,) in filter(None, at_once)]


def test_a_sample_without_a_matchable_view_is_no_past() -> None:
    stream = Screening(banks(film("old", 2000)))
    stream.matcher.judge(Sample(0, 0, is_keyframe=True, read_at_s=0, hashed_at_s=0, views=()))
    stream.edit(film("film", FILM))

    assert stream.matcher.recheck() is None
