from dataclasses import replace

import pytest

from streamguard.core.bank_values import BankSettings
from streamguard.core.closer import LOOK_EVERY, LOOK_ON, Closer
from streamguard.core.hearing import Heard, listen
from streamguard.core.types import View
from tests.core_fakes import Pdq, banks, film, flipped, picture, view

FILM = 1000
SIDES = tuple(view(picture(n)) for n in range(7))
KNOWN = banks(film("film", FILM))


def seen(pdq: Pdq, sides: tuple[View, ...] = SIDES) -> View:
    return replace(view(pdq), sides=lambda n_first=None: sides[:n_first])


def looks(closer: Closer, *views: View, found: tuple[str, ...] = ()) -> list[View]:
    heard = listen(KNOWN, views)
    return [*closer.views(KNOWN, heard, {("known", name) for name in found})]


@pytest.mark.parametrize(("n_bits", "n_sides"), [(32, 7), (61, 7), (62, 0)])
def test_what_is_near_is_looked_at_closer(n_bits: int, n_sides: int) -> None:
    closer = Closer()
    looks(closer, seen(picture(1)))

    assert len(looks(closer, seen(flipped(picture(FILM), n_bits)))) == n_sides


def test_what_is_found_is_not() -> None:
    near = seen(flipped(picture(FILM), 40))

    assert looks(Closer(), near, found=("film",)) == []
    assert len(looks(Closer(), near, found=("other",))) == 7


def test_the_nearest_view_is_chosen() -> None:
    inset = tuple(view(picture(n), region="inset") for n in range(10, 17))
    full = seen(flipped(picture(FILM), 60))
    part = replace(seen(flipped(picture(FILM), 40), inset), region="inset")

    assert looks(Closer(), full, part) == [*inset]


def test_a_side_that_may_not_be_matched_is_left_out() -> None:
    poor = view(picture(1), quality=10)

    assert looks(Closer(), seen(flipped(picture(FILM), 40), (SIDES[0], poor))) == [SIDES[0]]


def test_what_is_near_nothing_is_looked_at_now_and_then() -> None:
    closer = Closer()

    looked = [n for n in range(3 * LOOK_EVERY) if looks(closer, seen(picture(n)))]

    assert looked == [0, LOOK_EVERY, 2 * LOOK_EVERY]


def test_of_that_the_first_parts_of_the_whole_and_of_the_content_are_looked_at() -> None:
    of_content = tuple(view(picture(n), region="content") for n in range(10, 17))
    content = replace(seen(picture(2), of_content), region="content")
    inset = replace(seen(picture(3)), region="inset")

    looked = looks(Closer(), seen(picture(1)), inset, content, content)

    assert looked == [*SIDES[:3], *of_content[:3]]


def test_what_came_near_by_a_closer_look_is_looked_at_on() -> None:
    closer = Closer()
    looks(closer, seen(picture(1)))

    closer.came_near()
    n_looked = [len(looks(closer, seen(picture(1)))) for _ in range(LOOK_EVERY + 1)]

    assert n_looked == [7] * LOOK_ON + [0] * (LOOK_EVERY - LOOK_ON - 1) + [3, 0]


def test_nothing_is_looked_at_where_nothing_may_speak() -> None:
    closer = Closer()

    assert closer.views(KNOWN, Heard((), (), 0), set()) == ()


def test_banks_without_sides_are_not_asked() -> None:
    plain = banks(film("film", FILM), settings=BankSettings(variants=("mirror", "crops")))
    near = seen(flipped(picture(FILM), 40))

    assert Closer().views(plain, listen(plain, [near]), set()) == ()
