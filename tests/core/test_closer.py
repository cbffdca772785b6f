from dataclasses import replace

import pytest

from streamguard.core.bank_values import BankSettings
from streamguard.core.closer import SLOW_BITS, SLOW_EVERY, Closer
from streamguard.core.hearing import Heard, listen
from streamguard.core.types import NEAR_DISTANCE_BITS, View
from tests.core_fakes import Pdq, banks, film, flipped, picture, view

FILM = 1000
SIDES = tuple(view(picture(n)) for n in range(4))
KNOWN = banks(film("film", FILM))


def seen(pdq: Pdq, sides: tuple[View, ...] = SIDES) -> View:
    return replace(view(pdq), sides=lambda: sides)


def looks(closer: Closer, *views: View, found: tuple[str, ...] = ()) -> list[View]:
    heard = listen(KNOWN, views)
    return [*closer.views(KNOWN, heard, {("known", name) for name in found})]


@pytest.mark.parametrize(("n_bits", "n_sides"), [(32, 4), (61, 4), (62, 0)])
def test_what_is_near_is_looked_at_closer(n_bits: int, n_sides: int) -> None:
    assert len(looks(Closer(), seen(flipped(picture(FILM), n_bits)))) == n_sides


def test_what_is_found_is_not() -> None:
    near = seen(flipped(picture(FILM), 40))

    assert looks(Closer(), near, found=("film",)) == []
    assert len(looks(Closer(), near, found=("other",))) == 4


def test_the_nearest_view_is_chosen() -> None:
    inset = tuple(view(picture(n), region="inset") for n in range(10, 14))
    full = seen(flipped(picture(FILM), 60))
    part = replace(seen(flipped(picture(FILM), 40), inset), region="inset")

    assert looks(Closer(), full, part) == [*inset]


def test_a_side_that_may_not_be_matched_is_left_out() -> None:
    poor = view(picture(1), quality=10)

    assert looks(Closer(), seen(flipped(picture(FILM), 40), (SIDES[0], poor))) == [SIDES[0]]


@pytest.mark.parametrize(("n_bits", "goes_on"), [(0, True), (SLOW_BITS, True), (97, False)])
def test_a_scene_that_goes_on_is_looked_at_now_and_then(n_bits: int, *, goes_on: bool) -> None:
    closer = Closer()
    shown = [seen(flipped(picture(1), n_bits * (n % 2))) for n in range(3 * SLOW_EVERY)]

    looked = [n for n, each in enumerate(shown) if looks(closer, each)]

    assert looked == ([1, 1 + SLOW_EVERY, 1 + 2 * SLOW_EVERY] if goes_on else [])


def test_of_a_scene_that_goes_on_between_bars_the_content_is_looked_at_too() -> None:
    of_content = tuple(view(picture(n), region="content") for n in range(10, 14))
    content = replace(seen(picture(2), of_content), region="content")
    inset = replace(seen(picture(3)), region="inset")
    closer = Closer()

    looks(closer, seen(picture(1)), content, inset)

    assert looks(closer, seen(picture(1)), content, inset) == [*SIDES, *of_content]


def test_cuts_between_scenes_buy_no_closer_looks() -> None:
    closer = Closer()
    shown = [seen(picture(n // 2)) for n in range(4 * SLOW_EVERY)]

    looked = [n for n, each in enumerate(shown) if looks(closer, each)]

    assert looked == [1, 9, 17, 25]


def test_a_closer_look_at_what_is_near_counts() -> None:
    closer = Closer()

    assert looks(closer, seen(flipped(picture(FILM), NEAR_DISTANCE_BITS)))
    shown = [seen(flipped(picture(FILM), 70)) for _ in range(SLOW_EVERY + 1)]
    looked = [n for n, each in enumerate(shown, 1) if looks(closer, each)]

    assert looked == [SLOW_EVERY]


def test_nothing_is_looked_at_where_nothing_may_speak() -> None:
    closer = Closer()
    looks(closer, seen(picture(1)))

    assert closer.views(KNOWN, Heard((), (), 0), set()) == ()
    assert looks(closer, seen(picture(1))) == []  # the scene began anew
    assert len(looks(closer, seen(picture(1)))) == 4


def test_banks_without_sides_are_not_asked() -> None:
    plain = banks(film("film", FILM), settings=BankSettings(variants=("mirror", "crops")))
    near = seen(flipped(picture(FILM), 40))

    assert Closer().views(plain, listen(plain, [near]), set()) == ()
