"""Who is there: heard of lately, by a request or by a page that is open; a session alone is not."""

import pytest

from streamguard.review.account_routes import Cookie
from streamguard.review.web_sessions import HEARD_S, IDLE_S, NOTED_S
from tests.review.bench import Bench
from tests.review.console import Console


@pytest.fixture
def console(bench: Bench) -> Console:
    made = Console(bench)
    made.account("reviewer", "anna")
    return made


def present(console: Console, after_s: float) -> bool:
    console.bench.clock.advance(after_s)
    return console.review.sessions.present() != []


def test_somebody_is_there_for_a_minute_and_a_half_after_a_request(console: Console) -> None:
    client = console.signed_in("anna")

    assert [present(console, after_s) for after_s in (HEARD_S - 1, 1)] == [True, False]
    assert client.get("/api/v1/me").status_code == 200  # the session goes on
    assert present(console, 0)


@pytest.mark.parametrize("pause_s", [NOTED_S, NOTED_S + 1])
def test_who_asks_again_and_again_is_always_there(console: Console, pause_s: float) -> None:
    client = console.signed_in("anna")

    for _ in range(10):
        client.get("/api/v1/me")
        assert present(console, pause_s)


def test_an_open_page_is_heard_but_does_not_prolong_the_session(console: Console) -> None:
    token = console.signed_in("anna").cookies[Cookie(is_secure=False).name]
    sessions = console.review.sessions

    there = []
    for _ in range(round(IDLE_S / 60)):
        sessions.hear(token)
        there.append(sessions.present() != [])
        console.bench.clock.advance(60)

    sessions.hear(token)
    assert all(there)
    assert not sessions.is_open(token)
    assert sessions.present() == []


def test_a_token_of_nobody_is_not_heard(console: Console) -> None:
    console.review.sessions.hear("nobody's")

    assert console.review.sessions.present() == []
