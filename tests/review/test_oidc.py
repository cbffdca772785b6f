from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from streamguard.core.errors import SignInRefused
from streamguard.review.accounts import Accounts
from streamguard.review.oidc import AT_ONCE, KEPT_S, TRY_S, Oidc, Provider, Vouched, is_safe
from streamguard.review.web import make_app
from tests.review.bench import Bench
from tests.review.console import CHEAP, PASSWORD, Console
from tests.review.oidc_server import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, SUBJECT, OidcServer

START, BACK = "/api/v1/oidc/start", "/api/v1/oidc/back"


@pytest.fixture
def server(bench: Bench) -> Iterator[OidcServer]:
    with OidcServer(bench.clock.wall()) as made:
        yield made


def oidc_of(bench: Bench, server: OidcServer, **changes: Any) -> Oidc:
    provider = Provider(server.issuer, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, **changes)
    return Oidc(provider, bench.file, bench.clock.wall, bench.clock.monotonic)


def signed_in(oidc: Oidc, server: OidcServer) -> str:
    url, browser = oidc.begin()
    back = server.visited(url)
    taken = oidc.take(back["state"], browser)
    assert taken is not None
    return oidc.finish(taken, back["code"]).name


def test_a_browser_is_signed_in_as_the_account_of_that_name(
    bench: Bench, server: OidcServer
) -> None:
    console = Console(bench)
    console.review.accounts.add("anna", "reviewer", frozenset({"*"}), None)
    console.app = make_app(
        console.review,
        is_secure=False,
        monotonic=bench.clock.monotonic,
        oidc=oidc_of(bench, server),
    )
    client = console.stranger()

    started = client.get(START)
    back = server.visited(started.headers["location"])
    arrived = client.get(BACK, params=back)
    again = client.get(BACK, params=back)

    assert (started.status_code, arrived.status_code, again.status_code) == (303, 200, 401)
    assert "samesite=lax" in started.headers["set-cookie"].lower()
    assert client.get("/api/v1/me").json()["role"] == "reviewer"
    assert [one[1:] for one in bench.deeds()] == [("account.signed_in", False)]


@pytest.mark.parametrize("state", ["unknown", "disabled"])
def test_whoever_has_no_account_here_is_not_signed_in(
    bench: Bench, server: OidcServer, state: str
) -> None:
    console = Console(bench)
    if state == "disabled":
        made = console.review.accounts.add("anna", "reviewer", frozenset(), None)
        console.review.accounts.change(made.account_id, is_active=False)
    console.app = make_app(console.review, is_secure=False, oidc=oidc_of(bench, server))
    client = console.stranger()

    arrived = client.get(BACK, params=server.visited(client.get(START).headers["location"]))

    assert arrived.status_code == 401
    assert "streamguard" not in client.cookies
    assert bench.deeds() == [("-", "account.signed_in", True)]


def test_a_try_is_for_the_browser_that_began_it_and_works_once(
    bench: Bench, server: OidcServer
) -> None:
    oidc = oidc_of(bench, server)
    url, browser = oidc.begin()
    back = server.visited(url)

    for state, whose in (("x", browser), (back["state"], "another"), (back["state"], "")):
        assert oidc.take(state, whose) is None
    taken = oidc.take(back["state"], browser)

    assert taken is not None
    assert oidc.finish(taken, back["code"]) == Vouched("anna", server.issuer, SUBJECT)
    assert oidc.take(back["state"], browser) is None


def test_a_try_ends_after_ten_minutes(bench: Bench, server: OidcServer) -> None:
    oidc = oidc_of(bench, server)
    url, browser = oidc.begin()
    back = server.visited(url)
    bench.clock.advance(TRY_S)

    assert oidc.take(back["state"], browser) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another"},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"exp": 1},
        {"nonce": "of another try"},
        {"preferred_username": None},
        {"preferred_username": ["anna"]},
        {"sub": None},
    ],
    ids=str,
)
def test_a_word_that_is_not_for_us_and_now_counts_for_nothing(
    bench: Bench, server: OidcServer, claims: dict[str, Any]
) -> None:
    server.claims = claims

    with pytest.raises(SignInRefused):
        signed_in(oidc_of(bench, server), server)


def test_a_word_that_somebody_else_signed_counts_for_nothing(
    bench: Bench, server: OidcServer
) -> None:
    server.signer = ECKey.generate_key("P-256", {"kid": "one"})

    with pytest.raises(SignInRefused, match="not signed"):
        signed_in(oidc_of(bench, server), server)


def test_a_provider_may_change_its_keys(bench: Bench, server: OidcServer) -> None:
    oidc = oidc_of(bench, server)
    before = signed_in(oidc, server)
    server.key = server.signer = ECKey.generate_key("P-256", {"kid": "one"})

    assert before == signed_in(oidc, server) == "anna"


@pytest.mark.parametrize(("is_verified", "name"), [(True, "a@b.example"), (False, None)])
def test_an_address_counts_where_it_was_verified(
    bench: Bench, server: OidcServer, is_verified: object, name: str | None
) -> None:
    server.claims = {"email": "a@b.example", "email_verified": is_verified}
    oidc = oidc_of(bench, server, claim="email")

    try:
        found: str | None = signed_in(oidc, server)
    except SignInRefused:
        found = None

    assert found == name


@pytest.mark.parametrize(
    "published",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"jwks_uri": None},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
    ],
    ids=str,
)
def test_a_provider_that_publishes_something_else_is_not_asked(
    bench: Bench, server: OidcServer, published: dict[str, Any]
) -> None:
    server.published = published

    with pytest.raises(SignInRefused):
        oidc_of(bench, server).begin()


def test_what_a_provider_publishes_is_kept_for_a_while(bench: Bench, server: OidcServer) -> None:
    oidc = oidc_of(bench, server)
    oidc.begin()
    server.published = {"issuer": "https://elsewhere.example"}

    oidc.begin()
    bench.clock.advance(KEPT_S)

    with pytest.raises(SignInRefused):
        oidc.begin()


def test_a_provider_that_is_away_is_told_as_such(bench: Bench) -> None:
    provider = Provider("http://127.0.0.1:1", CLIENT_ID, CLIENT_SECRET, REDIRECT_URI)
    console = Console(bench)
    oidc = Oidc(provider, bench.file, bench.clock.wall)
    console.app = make_app(console.review, is_secure=False, oidc=oidc)

    answer: httpx.Response = console.stranger().get(START)

    assert answer.status_code == 503
    assert CLIENT_SECRET not in f"{answer.text}{provider!r}"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://a.example", True),
        ("http://127.0.0.1:7", True),
        ("http://localhost", True),
        ("http://a.example", False),
        ("ftp://127.0.0.1", False),
        ("javascript:1", False),
    ],
)
def test_only_https_leaves_this_host(url: str, safe: object) -> None:
    assert is_safe(url) is safe


def test_an_account_is_for_the_first_who_comes_by_its_name(bench: Bench) -> None:
    accounts = Accounts(bench.file, bench.clock.wall, CHEAP)
    made = accounts.add("admin", "administrator", frozenset(), None)

    first = accounts.vouched("admin", "https://a.example", "s-1")
    renamed = accounts.vouched("admin", "https://a.example", "s-2")
    elsewhere = accounts.vouched("admin", "https://b.example", "s-1")
    again = accounts.vouched("admin", "https://a.example", "s-1")
    accounts.change(made.account_id, forgets_provider=True)

    assert first == again == made
    assert (renamed, elsewhere) == (None, None)
    assert accounts.vouched("admin", "https://a.example", "s-2") == made


def test_who_has_a_password_here_is_vouched_for_by_nobody(bench: Bench) -> None:
    accounts = Accounts(bench.file, bench.clock.wall, CHEAP)
    accounts.add("admin", "administrator", frozenset(), PASSWORD)

    assert accounts.vouched("admin", "https://a.example", "s-1") is None


def test_while_a_provider_hangs_so_many_wait_for_it_and_no_more(
    bench: Bench, server: OidcServer
) -> None:
    oidc = oidc_of(bench, server)
    server.hold()

    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(oidc.begin) for _ in range(AT_ONCE)]
        server.until_asked(AT_ONCE)
        with pytest.raises(SignInRefused, match="try again"):
            oidc.begin()
        server.let_go()
        urls = [one.result(30)[0] for one in waiting]

    assert len(urls) == AT_ONCE
    assert oidc.begin()[0] not in urls


def test_an_address_of_the_provider_may_say_something_already(
    bench: Bench, server: OidcServer
) -> None:
    server.published = {"authorization_endpoint": f"{server.issuer}/authorize?tenant=7"}

    url, _ = oidc_of(bench, server).begin()

    assert url.startswith(f"{server.issuer}/authorize?tenant=7&response_type=code&")
