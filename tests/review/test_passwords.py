"""Which passwords do, and how somebody changes their own."""

import pytest

from streamguard.core.errors import AccountRefused
from streamguard.review.passwords import MAX_PASSWORD, MIN_PASSWORD, require_good
from tests.review.bench import Bench
from tests.review.console import PASSWORD, Console

NEW = "seven tractors in the rain"


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "qwertyuiop12",
        "iloveyou1234",
        "123456789012",
        "letmeinletmein",
        "passwordpassword",
        "Password2026",
        "streamguard12",
        "streamguardmoderator",
        "annasmith123",
        "a" * MAX_PASSWORD,
    ],
)
def test_what_is_soon_guessed_is_refused(password: str) -> None:
    with pytest.raises(AccountRefused, match="soon guessed"):
        require_good("annasmith", password)


@pytest.mark.parametrize("password", [NEW, "q8Zr!m2Lx#vT", "пароль из четырёх слов"])
def test_any_characters_do_that_are_not(password: str) -> None:
    require_good("anna", password)


@pytest.mark.parametrize(
    ("length", "does"),
    [(MIN_PASSWORD - 1, False), (MIN_PASSWORD, True), (MAX_PASSWORD, True), (129, False)],
)
def test_a_password_has_12_to_128_characters(length: int, *, does: bool) -> None:
    password = ("q8Zr!m2Lx#vTw5%kBn&1" * 7)[:length]

    if does:
        require_good("anna", password)
    else:
        with pytest.raises(AccountRefused, match="12 to 128"):
            require_good("anna", password)


def test_a_name_of_one_letter_does_not_spoil_most_passwords() -> None:
    require_good("a", NEW)


def test_somebody_changes_their_own_password_and_signs_in_anew(bench: Bench) -> None:
    console = Console(bench)
    console.account("auditor", "anna")
    here, elsewhere = console.signed_in("anna"), console.signed_in("anna")

    answer = here.post("/api/v1/password", json={"current": PASSWORD, "new": NEW})

    assert answer.status_code == 200
    assert [one.get("/api/v1/me").status_code for one in (here, elsewhere)] == [401, 401]
    tries = [
        console.stranger().post("/api/v1/sign-in", json={"name": "anna", "password": one})
        for one in (PASSWORD, NEW)
    ]
    assert [one.status_code for one in tries] == [401, 200]
    assert ("account.password_changed", False) in [deed[1:] for deed in bench.deeds()]
    assert NEW not in str(list(bench.desk.trail.records()))


@pytest.mark.parametrize(
    ("current", "new", "problem"),
    [
        ("another one entirely", NEW, "current password is wrong"),
        (PASSWORD, PASSWORD, "is the current one"),
        (PASSWORD, "password1234", "soon guessed"),
    ],
)
def test_what_does_not_do_changes_nothing(
    bench: Bench, current: str, new: str, problem: str
) -> None:
    console = Console(bench)
    console.account("reviewer", "anna")
    client = console.signed_in("anna")

    answer = client.post("/api/v1/password", json={"current": current, "new": new})

    assert answer.status_code == 422
    assert problem in answer.json()["problem"]
    assert client.get("/api/v1/me").status_code == 200
    assert bench.deeds()[-1][1:] == ("account.password_changed", True)


def test_guessing_the_current_one_is_slowed_down(bench: Bench) -> None:
    console = Console(bench)
    console.account("reviewer", "anna")
    client = console.signed_in("anna")

    tries = [
        client.post("/api/v1/password", json={"current": f"wrong {at}", "new": NEW}).status_code
        for at in range(6)
    ]

    assert tries == [422] * 5 + [429]


def test_a_password_is_taken_as_it_is_to_its_last_character(bench: Bench) -> None:
    console = Console(bench)
    longest = ("q8Zr!m2Lx#vTw5%kBn&1" * 7)[:MAX_PASSWORD]
    console.review.accounts.add("anna", "reviewer", frozenset({"*"}), longest)

    tries = [
        console.stranger().post("/api/v1/sign-in", json={"name": "anna", "password": one})
        for one in (f"{longest}x", longest[:-1], longest.lower(), longest)
    ]

    assert [one.status_code for one in tries] == [401, 401, 401, 200]
