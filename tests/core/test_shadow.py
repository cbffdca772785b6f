from dataclasses import replace

import pytest

from streamguard.core.decision import Decision
from streamguard.core.shadow import AGAIN_US, ShadowBook
from tests.core_fakes import decision


def shadow(pts_us: int, entry: str = "film") -> Decision:
    return replace(decision(pts_us, entry=entry), is_shadow=True)


def test_a_match_in_shadow_is_told_of_once() -> None:
    book = ShadowBook()

    told = [book.news(0, n, [shadow(n)]) for n in range(3)]

    assert told == [(shadow(0),), (), ()]


def test_each_entry_is_told_of() -> None:
    book = ShadowBook()
    book.news(0, 0, [shadow(0)])

    assert book.news(0, 1, [shadow(1), shadow(1, "other")]) == (shadow(1, "other"),)


@pytest.mark.parametrize(("since_us", "is_news"), [(AGAIN_US, False), (AGAIN_US + 1, True)])
def test_an_entry_is_told_of_again_after_half_a_minute(since_us: int, *, is_news: bool) -> None:
    book = ShadowBook()
    book.news(0, 5, [shadow(5)])
    book.news(0, 5 + AGAIN_US // 2, [])

    assert bool(book.news(0, 5 + since_us, [shadow(5 + since_us)])) is is_news


def test_another_epoch_is_another_showing() -> None:
    book = ShadowBook()
    book.news(0, 5, [shadow(5)])

    assert book.news(1, 6, [shadow(6)]) == (shadow(6),)
