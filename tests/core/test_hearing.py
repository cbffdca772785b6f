import pytest

from streamguard.core.bank_values import BankSettings, Entry
from streamguard.core.banks import Banks
from streamguard.core.hearing import Heard, listen
from streamguard.core.types import MATCH_DISTANCE_BITS, MIN_QUALITY, Limits, View
from tests.core_fakes import banks, entry, film, flipped, picture, view

FILM = 1000
SLATE = 7


def both(slate: Entry, limits: Limits | None = None) -> Banks:
    """Give a film beside a negative bank of one slate."""
    settings = BankSettings(role="negative", limits=limits or Limits())
    known, negative = banks(film("film", FILM)), banks(slate, name="slates", settings=settings)
    return Banks((*known.banks, *negative.banks))


def slate(like: int = SLATE, limits: Limits | None = None) -> Entry:
    return entry("slate", {0: picture(like)}, kind="image", limits=limits)


def names(heard: Heard) -> list[tuple[str, int]]:
    return [(match.entry, match.distance_bits) for _, match in heard.hits]


def test_what_is_near_a_view_is_heard_with_it() -> None:
    full, content = view(picture(1)), view(flipped(picture(FILM), 40), region="content")

    heard = listen(both(slate()), [full, content])

    assert heard.views == (full, content)
    assert names(heard) == [("film", 40)]
    assert [seen for seen, _ in heard.hits] == [content]
    assert heard.n_vetoes == 0


@pytest.mark.parametrize(
    ("n_bits", "is_heard"), [(0, False), (MATCH_DISTANCE_BITS, False), (32, True), (61, True)]
)
def test_a_view_within_the_limits_of_a_slate_says_nothing(n_bits: int, *, is_heard: bool) -> None:
    """The slate is the film's own first picture, as far away as the sample is."""
    known = both(slate(FILM))

    heard = listen(known, [view(flipped(picture(FILM), n_bits))])

    assert names(heard) == ([("film", n_bits)] if is_heard else [])
    assert len(heard.views) == heard.n_vetoes ^ 1 == is_heard


def test_the_veto_of_one_view_leaves_the_other_its_say() -> None:
    poster, scene = view(picture(SLATE)), view(picture(FILM), region="content")

    heard = listen(both(slate()), [poster, scene])

    assert heard.views == (scene,)
    assert names(heard) == [("film", 0)]


def test_a_slate_beside_which_nothing_is_known_silences_nobody() -> None:
    heard = listen(both(slate()), [view(picture(SLATE))])

    assert (heard.views, heard.hits, heard.n_vetoes) == ((), (), 0)


@pytest.mark.parametrize(
    ("limits", "seen", "n_vetoes"),
    [
        (Limits(max_distance_bits=8), view(flipped(picture(FILM), 8)), 1),
        (Limits(max_distance_bits=8), view(flipped(picture(FILM), 9)), 0),
        (Limits(min_quality=80), view(picture(FILM), quality=80), 1),
        (Limits(min_quality=80), view(picture(FILM), quality=79), 0),
        (Limits(is_shadow=True), view(picture(FILM), quality=MIN_QUALITY), 0),
    ],
)
@pytest.mark.parametrize("of_the_bank", [True, False])
def test_a_slate_has_limits_of_its_own(
    limits: Limits, seen: View, n_vetoes: int, *, of_the_bank: bool
) -> None:
    known = both(slate(FILM), limits) if of_the_bank else both(slate(FILM, limits))

    assert listen(known, [seen]).n_vetoes == n_vetoes
