"""The client's patience and bounds, and that nothing secret ever shows."""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from streamguard.core.errors import ConfigError, ExchangeUnavailable, StreamguardError
from streamguard.exchange.complaint import MAX_BODY_BYTES
from streamguard.exchange.web import (
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    MAX_ANSWER_BYTES,
    MAX_TRIES,
    WHOLE_TIMEOUT_S,
    Patience,
    Web,
    retry_s,
)
from tests.exchange.services import (
    PASSWORD,
    TOKEN,
    Answer,
    HashList,
    Trouble,
    cut_short,
    fails,
    half_json,
    hash_list,
    repeats,
    says,
)
from tests.servers import refusing_port

JWT = "JWT-1"
NOW = datetime(2025, 6, 1, tzinfo=UTC)


def patience(monotonic: Callable[[], float] = lambda: 0.0, *, gives_up: bool = False) -> Patience:
    return Patience(lambda _: gives_up, lambda: 0.5, monotonic, lambda: NOW)


@pytest.fixture
def service() -> Iterator[HashList]:
    with hash_list() as running:
        yield running


def ask(url: str, how: Patience | None = None) -> dict[str, object]:
    with closing(Web("ex", url, how or patience())) as web:
        return web.get("/any", {"access_token": TOKEN})


@pytest.mark.parametrize("n_failures", [1, 2, 5, 6, 100])
def test_waits_grow_up_to_a_bound_and_are_spread_by_chance(n_failures: int) -> None:
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (n_failures - 1))

    assert retry_s(n_failures, 0.0) == 0.0
    assert retry_s(n_failures, 0.25) == longest / 4


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "https://",
        "example.org",
        "https://me:secret@example.org",
        "https://example.org/?token=secret",
        "https://example.org/#secret",
        "https://example.org:port",
    ],
)
def test_only_https_and_loopback_are_asked(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Web("ex", url, patience())

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://example.org/v9.0/", "http://127.0.0.1:80", "http://[::1]", "http://localhost"]
)
def test_other_addresses_are_taken(url: str) -> None:
    with closing(Web("ex", url, patience())) as web:
        assert not web.base.endswith("/")


def test_nobody_at_the_other_end_is_said_so() -> None:
    with pytest.raises(ExchangeUnavailable, match=f"does not answer.*{MAX_TRIES} times"):
        ask(f"http://127.0.0.1:{refusing_port()}")


def test_an_answer_that_takes_too_long_is_given_up(service: HashList) -> None:
    hands = iter(range(0, 10**6, int(WHOLE_TIMEOUT_S) + 1))
    service.troubles = [says(b"{}")] * MAX_TRIES

    with pytest.raises(ExchangeUnavailable, match="an answer takes longer than 120 s"):
        ask(service.url, patience(lambda: float(next(hands))))


@pytest.mark.parametrize("n_over", [0, 1])
def test_an_answer_may_be_so_large_and_no_larger(n_over: int, service: HashList) -> None:
    text = "x" * (MAX_ANSWER_BYTES - len('{"a": ""}') + n_over)
    service.troubles = [says(f'{{"a": "{text}"}}'.encode())]

    if n_over:
        with pytest.raises(ExchangeUnavailable, match="an answer is larger than"):
            ask(service.url)
    else:
        assert ask(service.url)["a"] == text


def test_a_sync_that_is_stopped_tries_no_more(service: HashList) -> None:
    service.troubles = [fails(500)] * MAX_TRIES

    with pytest.raises(ExchangeUnavailable, match="HTTP 500, and the sync was stopped"):
        ask(service.url, patience(gives_up=True))

    assert len(service.asked) == 1


def logs_in(web: Web) -> None:
    web.post("/token-auth/tcap/", {"username": "x", "password": PASSWORD})


def asks_for_a_page(web: Web) -> None:
    web.get("/any", {"access_token": TOKEN}, {"Authorization": f"Bearer {JWT}"})


@pytest.mark.parametrize("asks", [logs_in, asks_for_a_page])
@pytest.mark.parametrize(
    "trouble",
    [repeats(500), repeats(400), repeats(401), fails(302, Location="/x"), cut_short, half_json],
)
def test_no_error_log_or_traceback_holds_a_secret(
    asks: Callable[[Web], None],
    trouble: Trouble,
    service: HashList,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    service.troubles = [trouble] * MAX_TRIES
    with closing(Web("ex", service.url, patience())) as web:
        try:
            asks(web)
        except StreamguardError as error:
            shown = "".join(traceback.format_exception(error)) + str(error.__context__)
        else:
            shown = ""

    for secret in (PASSWORD, TOKEN, quote(TOKEN), "TOPSECRET", JWT, service.url):
        assert secret not in shown
        assert secret not in caplog.text


def test_the_reason_that_a_service_gives_ends_the_error(service: HashList) -> None:
    service.troubles = [fails(404)]

    with pytest.raises(ExchangeUnavailable) as caught:
        ask(service.url)

    assert str(caught.value) == (
        "exchange ex: it answers with HTTP 404: check the settings of this exchange; it says"
        ' "Not now."'
    )


@pytest.mark.parametrize("n_over", [0, 1])
def test_a_reason_is_read_up_to_a_bound(n_over: int, service: HashList) -> None:
    body = b'{"detail": "Too much."}'.ljust(MAX_BODY_BYTES + n_over)
    service.troubles = [lambda *_: Answer(body, 400)]

    with pytest.raises(ExchangeUnavailable) as caught:
        ask(service.url)

    assert ("Too much." in str(caught.value)) is (n_over == 0)


def test_a_reason_that_breaks_off_is_left_out(service: HashList) -> None:
    body = b'{"detail": "Too m'
    service.troubles = [lambda *_: Answer(body, 400, n_announced=len(body) + 9)]

    with pytest.raises(ExchangeUnavailable, match=r"check the settings of this exchange$"):
        ask(service.url)


def test_a_whole_sync_logs_no_address(service: HashList, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    service.troubles = [says(b"{}")]

    ask(service.url)

    assert caplog.text == ""
