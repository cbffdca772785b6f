"""What is pushed to open pages is pushed to so many of one account."""

import asyncio

import pytest

from streamguard.review.guard import Call, Refused
from streamguard.review.pages.board import Board
from streamguard.review.pages.live import MOST_FOLLOWED, events
from streamguard.review.web_sessions import WebSession
from tests.review.bench import Bench
from tests.review.console import Console


def call_of(console: Console, name: str) -> Call:
    account = console.review.accounts.named(name)
    assert account is not None
    token, csrf = console.review.sessions.begin(account)
    session = WebSession(account, csrf)
    return Call(console.review, session, token, "127.0.0.1", {}, {}, {}, {})


def test_one_account_follows_so_many_pages_and_each_that_ends_makes_room(bench: Bench) -> None:
    console = Console(bench)
    console.account("reviewer", "anna")
    console.account("reviewer", "ben")
    anna, ben = call_of(console, "anna"), call_of(console, "ben")
    board = Board(console.review)

    async def followed() -> list[str | bytes | memoryview]:
        """Open as many pages as there may be, then close one."""
        opened = [aiter(events(board, anna).body_iterator) for _ in range(MOST_FOLLOWED)]
        first = [await anext(one) for one in opened]
        with pytest.raises(Refused, match="too many pages"):
            events(board, anna)
        events(board, ben)
        await opened[0].aclose()  # type: ignore[attr-defined]  # it is a generator
        events(board, anna)
        for one in opened:
            await one.aclose()  # type: ignore[attr-defined]  # as above
        return first

    first = asyncio.run(followed())

    assert first == ["retry: 1000\n\n"] * MOST_FOLLOWED
    assert board.followers.total() == 0
