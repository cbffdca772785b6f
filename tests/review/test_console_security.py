"""What nobody can do from outside, whatever they send; SECURITY.md names these tests."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from streamguard.review import pages
from streamguard.review.pages.paper import static_files
from tests.processes import ROOT
from tests.review.bench import Bench
from tests.review.console import PASSWORD, Console

HOSTILE = """' OR 1=1 --"; DROP TABLE accounts; <script>{{7*7}}</script>"""
"""A text that would like to be a command, in several languages."""

SCRIPTS = {name: bytes(one.body).decode() for name, one in static_files().items() if ".js" in name}
REFERENCE = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_a_new_console_has_no_account(bench: Bench) -> None:
    console = Console(bench)

    tries = [
        console.stranger().post("/api/v1/sign-in", json={"name": name, "password": password})
        for name in ("admin", "root", "administrator", "streamguard")
        for password in ("", name, "admin", PASSWORD)
    ]

    assert console.review.accounts.all() == []
    assert {one.status_code for one in tries} <= {401, 429}


@pytest.mark.parametrize(
    "path", ["/sign-in", "/api/v1/me", "/static/case.js", "/nowhere", "/livez"]
)
def test_browsers_are_told_to_come_by_tls_alone(bench: Bench, path: str) -> None:
    headers = Console(bench).stranger().get(path).headers

    assert headers["strict-transport-security"] == "max-age=31536000"
    assert "access-control-allow-origin" not in headers


def test_what_the_api_answers_does_nothing_where_it_is_opened_as_a_page(bench: Bench) -> None:
    policy = Console(bench).stranger().get("/api/v1/me").headers["content-security-policy"]

    assert policy == "default-src 'none'; frame-ancestors 'none'; sandbox"


def test_a_text_is_no_command_to_the_database(bench: Bench) -> None:
    console = Console(bench)
    console.account("auditor", "audrey")
    console.account("senior", "sena")
    auditor, senior = console.signed_in("audrey"), console.signed_in("sena")

    found = auditor.get("/api/v1/audit", params={"actor": HOSTILE, "about": HOSTILE}).json()
    case = senior.get(f"/api/v1/cases/{HOSTILE}")
    tried = console.stranger().post("/api/v1/sign-in", json={"name": HOSTILE, "password": HOSTILE})

    assert found["records"] == []
    assert (case.status_code, tried.status_code) == (404, 401)
    assert len(console.review.accounts.all()) == 2


def test_no_script_runs_a_text_or_writes_markup_of_its_own() -> None:
    """`show` in api.js alone takes markup: what templates made, which escape all they are given."""
    assert len(SCRIPTS) > 10
    for name, script in SCRIPTS.items():
        for dangerous in ("eval(", "new Function", "document.write", "insertAdjacentHTML"):
            assert dangerous not in script, (name, dangerous)
        n_markup = script.count("innerHTML") + script.count("outerHTML")
        assert n_markup == (1 if name == "api.js" else 0), name
        assert "postMessage" not in script, name


def test_templates_take_markup_from_other_templates_alone() -> None:
    folder = Path(pages.__path__[0]) / "templates"
    marked = [
        (one.name, what)
        for one in sorted(folder.iterdir())
        for what in re.findall(r"{{ (\w+(?:\.\w+)?)\|safe }}", one.read_text())
    ]

    assert {what for _, what in marked} == {"facts", "incidents", "rows.html"}
    assert all(
        "|safe" not in re.sub(r"{{ (facts|incidents|rows\.html)\|safe }}", "", one.read_text())
        for one in folder.iterdir()
    )


def test_tokens_are_long_random_and_new_each_time(bench: Bench) -> None:
    console = Console(bench)
    anna = console.account("reviewer", "anna")

    tokens = sorted(console.review.sessions.begin(anna)[0] for _ in range(50))

    assert len(set(tokens)) == 50
    assert min(map(len, tokens)) >= 43  # 256 bits in base64
    assert all(one[:8] != next_one[:8] for one, next_one in pairwise(tokens))


def test_passwords_are_masked_and_left_to_password_managers() -> None:
    folder = Path(pages.__path__[0]) / "templates"
    fields = [
        field
        for one in folder.iterdir()
        for field in re.findall(r"<input[^>]*password[^>]*>", one.read_text())
        if "hidden" not in field
    ]

    assert len(fields) >= 6
    for field in fields:
        assert 'type="password"' in field
        assert "current-password" in field or "new-password" in field
    assert not any("onpaste" in one or "'paste'" in one for one in SCRIPTS.values())


def test_whoever_is_disabled_is_signed_out_at_once(bench: Bench) -> None:
    console = Console(bench)
    anna = console.account("reviewer", "anna")
    client = console.signed_in("anna")

    console.review.accounts.change(anna.account_id, is_active=False)

    assert client.get("/api/v1/me").status_code == 401


def test_security_md_names_tests_that_are_there() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    named = REFERENCE.findall(text)

    assert len(named) > 30
    for file, test in named:
        path = ROOT / file
        assert path.exists(), file
        assert not test or f"def {test}(" in path.read_text(), (file, test)
