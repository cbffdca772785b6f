"""Guessing is slow, and whoever guesses keeps nobody else out."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from streamguard.core.errors import SignInRefused, TooManyTries
from streamguard.review import accounts as accounts_module
from streamguard.review.accounts import Accounts
from streamguard.review.tries import KNOWN_S, MAX_FROM, MAX_OF_NAME, MAX_TRIES, WINDOW_S, Tries
from tests.review.bench import Bench
from tests.review.console import CHEAP, PASSWORD, Console

WRONG = "not the password at all"  # of nobody


@pytest.fixture
def accounts(bench: Bench) -> Accounts:
    made = Accounts(bench.file, bench.clock.wall, CHEAP)
    made.add("anna", "reviewer", frozenset({"*"}), PASSWORD)
    return made


@pytest.fixture
def tries(bench: Bench) -> Tries:
    return Tries(bench.file, bench.clock.wall)


def guessed(accounts: Accounts, address: str = "6.6.6.6", name: str = "anna") -> None:
    assert accounts.sign_in(name, WRONG, address) is None


def test_one_name_from_one_address_has_five_tries_until_the_window_is_over(
    bench: Bench, accounts: Accounts
) -> None:
    for _ in range(MAX_TRIES):
        guessed(accounts)

    with pytest.raises(TooManyTries):
        accounts.sign_in("anna", PASSWORD, "6.6.6.6")
    bench.clock.advance(WINDOW_S)

    assert accounts.sign_in("anna", PASSWORD, "6.6.6.6") is not None


def test_who_guesses_elsewhere_keeps_nobody_out(accounts: Accounts) -> None:
    for _ in range(MAX_TRIES):
        guessed(accounts)

    assert accounts.sign_in("anna", PASSWORD, "10.0.0.7") is not None


def test_what_is_right_is_not_counted_and_forgets_what_was_wrong(accounts: Accounts) -> None:
    for _ in range(3 * MAX_FROM):
        guessed(accounts, "10.0.0.7", name="anna")
        assert accounts.sign_in("anna", PASSWORD, "10.0.0.7") is not None
        if accounts.tries.take("x", "10.0.0.7", None, "") is None:
            break
    else:
        pytest.fail("wrong tries of an address are counted whatever came after them")


def test_many_addresses_have_so_many_tries_of_a_name_and_a_known_browser_is_none_of_them(
    accounts: Accounts,
) -> None:
    anna = accounts.named("anna")
    assert anna is not None
    browser = accounts.tries.know(anna.account_id)
    for number in range(MAX_OF_NAME):
        guessed(accounts, f"6.6.6.{number}")

    with pytest.raises(TooManyTries):
        accounts.sign_in("anna", PASSWORD, "10.0.0.7")
    with pytest.raises(TooManyTries):
        accounts.sign_in("anna", PASSWORD, "10.0.0.7", "another")
    assert accounts.sign_in("anna", PASSWORD, "10.0.0.7", browser) is not None


def test_one_address_has_so_many_tries_and_a_known_browser_behind_it_its_own(
    accounts: Accounts,
) -> None:
    anna = accounts.named("anna")
    assert anna is not None
    browser = accounts.tries.know(anna.account_id)
    for number in range(MAX_FROM):
        guessed(accounts, "10.0.0.1", name=f"nobody-{number}")

    with pytest.raises(TooManyTries):
        accounts.sign_in("anna", PASSWORD, "10.0.0.1")
    assert accounts.sign_in("anna", PASSWORD, "10.0.0.1", browser) is not None
    for _ in range(MAX_TRIES):
        assert accounts.sign_in("anna", WRONG, "10.0.0.1", browser) is None
    with pytest.raises(TooManyTries):
        accounts.sign_in("anna", PASSWORD, "10.0.0.1", browser)


def test_a_browser_is_known_for_a_month_by_one_account_and_until_its_password_changes(
    bench: Bench, accounts: Accounts
) -> None:
    anna = accounts.named("anna")
    assert anna is not None
    first = accounts.tries.know(anna.account_id)
    known = [accounts.tries.is_known(one, first) for one in (anna.account_id, "r-other")]
    accounts.change(anna.account_id, password="another one that is good")  # noqa: S106  # of nobody
    after = accounts.tries.is_known(anna.account_id, first)
    second = accounts.tries.know(anna.account_id)
    bench.clock.advance(KNOWN_S - 1)
    late = accounts.tries.is_known(anna.account_id, second)
    bench.clock.advance(1)

    assert (known, after, late) == ([True, False], False, True)
    assert not accounts.tries.is_known(anna.account_id, second)
    assert not accounts.tries.is_known(anna.account_id, "")


def test_many_tries_at_once_are_no_more_than_one_after_another(accounts: Accounts) -> None:
    def one(_: int) -> str:
        while True:
            try:
                return str(accounts.sign_in("anna", WRONG, "6.6.6.6"))
            except TooManyTries:
                return "refused"
            except SignInRefused:
                continue

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(60)))

    assert answers.count("None") == MAX_TRIES
    assert answers.count("refused") == 60 - MAX_TRIES


class Slow(PasswordHasher):
    """Looks at a password for as long as the test wants."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.begun = Barrier(accounts_module.AT_ONCE + 1)
        self.ends = Barrier(accounts_module.AT_ONCE + 1)

    def verify(self, *_: Any) -> Any:
        self.begun.wait(30)
        self.ends.wait(30)
        return False


def test_so_many_passwords_are_looked_at_at_once_and_others_come_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts_module, "MAX_WAITING", accounts_module.AT_ONCE)
    slow = Slow()
    accounts = Accounts(bench.file, bench.clock.wall, slow)

    with ThreadPoolExecutor() as pool:
        running = [
            pool.submit(accounts.sign_in, f"n-{number}", WRONG, "1.1.1.1")
            for number in range(accounts_module.AT_ONCE)
        ]
        slow.begun.wait(30)
        with pytest.raises(SignInRefused, match="try again"):
            accounts.sign_in("one too many", WRONG, "1.1.1.1")
        slow.ends.wait(30)
        assert [one.result(30) for one in running] == [None] * accounts_module.AT_ONCE


def test_a_browser_that_signed_in_before_is_not_kept_out_by_strangers(bench: Bench) -> None:
    console = Console(bench)
    console.account("reviewer", "anna")
    client, stranger = console.signed_in("anna"), console.stranger()
    known = [one for one in client.cookies if one.endswith("-known")]
    said = {"name": "anna", "password": PASSWORD}
    client.post("/api/v1/sign-out", json={})

    wrong = [stranger.post("/api/v1/sign-in", json=said | {"password": WRONG}) for _ in range(6)]

    assert known == ["streamguard-known"]
    assert [one.status_code for one in wrong] == [401] * MAX_TRIES + [429]
    assert stranger.post("/api/v1/sign-in", json=said).status_code == 429
    again: httpx.Response = client.post("/api/v1/sign-in", json=said)
    assert again.status_code == 200
    assert "streamguard-known" not in again.headers["set-cookie"]
