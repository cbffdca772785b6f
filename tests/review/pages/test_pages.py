"""The pages without a browser: who gets which, what they allow, and what each key means."""

import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from starlette.responses import Response

from streamguard.core.decision_data import Context, Role
from streamguard.core.reasons import REASONS
from streamguard.review import pages
from streamguard.review.guard import HEADERS, Call, Handler
from streamguard.review.pages.board import Board
from streamguard.review.pages.doors import SKIPS, page_doors
from streamguard.review.pages.keys import LETTERS, weighed
from streamguard.review.pages.paper import PAGE_POLICY, static_files
from streamguard.review.queue import SKIP_REASONS
from tests.made_reviews import flag, flag_opened
from tests.review.bench import Bench
from tests.review.console import Console

ALL = "reviewer senior auditor operator administrator"
WHO = {
    "/sign-in": f"{ALL} nobody",
    "/": ALL,
    "/cases/{case_id}": "reviewer senior auditor",
    "/exposure": "reviewer senior",
    "/team": "senior administrator",
    "/incidents": "senior",
    "/banks": "senior auditor",
    "/accounts": "auditor administrator",
    "/password": ALL,
    "/appeals": "reviewer senior",
    "/appeals/{appeal_id}": "reviewer senior",
    "/audit": "auditor",
    "/events": ALL,
    "/events?case={case_id}": "reviewer senior auditor",
}
"""Who may open what; written by hand, so that a change of rights is a change of this table."""

TAKEN = set(" bhjklxz[].?")


def test_the_table_names_every_page(bench: Bench) -> None:
    console = Console(bench)

    doors = page_doors(Board(console.review))

    assert {door.path for door in doors} == {path.partition("?")[0] for path in WHO}
    assert {door.method for door in doors} == {"GET"}


@pytest.mark.parametrize("path", sorted(WHO))
@pytest.mark.parametrize("role", get_args(Role))
def test_a_role_opens_the_pages_that_the_table_says(bench: Bench, role: str, path: str) -> None:
    bench.tell(flag_opened(flag(1)))
    console = Console(bench)
    console.account(role)
    console.app.state.board.is_closed = True  # or what is pushed to a page would not end

    case_id = bench.cases()[0].case_id
    answer = console.signed_in(role).get(path.format(case_id=case_id, appeal_id="no-appeal"))

    opened = 409 if "appeal_id" in path else 200  # nobody has that one in hand
    assert answer.status_code == (opened if role in WHO[path].split() else 403)
    assert answer.headers["cache-control"] == "no-store"
    if answer.headers["content-type"].startswith("text/html"):
        assert answer.headers["content-security-policy"] == PAGE_POLICY


@pytest.mark.parametrize("path", ["/", "/cases/no-case", "/exposure", "/audit"])
def test_whoever_has_not_signed_in_is_asked_to(bench: Bench, path: str) -> None:
    answer = Console(bench).stranger().get(path, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_signing_in_elsewhere_is_offered_where_that_is_possible(bench: Bench) -> None:
    board = Board(Console(bench).review)
    [here, there] = [page_doors(board, one)[0].handler for one in (None, "/elsewhere")]
    nobody = Call(Console(bench).review, None, "", "-", {}, {}, {}, {})

    assert b"/elsewhere" not in page_of(here, nobody)
    assert b'href="/elsewhere"' in page_of(there, nobody)


def page_of(handler: Handler, call: Call) -> bytes:
    answer = handler(call)
    assert isinstance(answer, Response)
    return bytes(answer.body)


def test_events_are_for_those_who_have_signed_in(bench: Bench) -> None:
    assert Console(bench).stranger().get("/events").status_code == 401


def test_a_case_of_a_policy_without_clearance_is_not_there(bench: Bench) -> None:
    bench.tell(flag_opened(flag(1)))
    console = Console(bench)
    console.account("reviewer", "anna", "other-policy")
    client = console.signed_in("anna")

    answer = client.get(f"/cases/{bench.cases()[0].case_id}")

    assert answer.status_code == 404
    assert "there is no such case" in answer.text
    assert "tvec" not in client.get("/").text


def test_pages_run_only_scripts_of_the_console(bench: Bench) -> None:
    client = Console(bench).stranger()
    rules = dict(part.split(" ", 1) for part in PAGE_POLICY.split("; "))

    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert "unsafe" not in PAGE_POLICY
    assert "http" not in PAGE_POLICY
    assert "onclick" not in client.get("/sign-in").text


def test_no_script_or_style_stands_in_a_template_or_comes_from_elsewhere() -> None:
    folder = Path(pages.__path__[0])
    texts = {one.name: one.read_text() for one in (folder / "templates").iterdir()}

    assert len(texts) > 5
    for name, text in texts.items():
        assert " style=" not in text, name
        assert "<style" not in text, name
        assert " on" not in {part[:3] for part in text.split('="')[0].split("<")}, name
        assert "//" not in text.replace("</", ""), name
        assert all('src="/static/' in one for one in text.split("<script")[1:]), name


def test_a_form_that_a_script_sends_waits_for_it_and_has_no_address_to_be_sent_to() -> None:
    for path in (Path(pages.__path__[0]) / "templates").glob("*.html"):
        for form in re.findall(r"<form.*?</form>", path.read_text("utf-8"), re.DOTALL):
            is_search = form.startswith('<form method="get" action=')
            waits = form.startswith('<form method="post"') and 'type="submit" disabled' in form
            assert is_search != waits, path.name


def test_static_files_are_those_and_no_others(bench: Bench) -> None:
    client = Console(bench).stranger()

    found = {name: client.get(f"/static/{name}") for name in static_files()}
    wrong = [client.get(f"/static/{name}") for name in ("no.js", "..%2fpaper.py", "paper.py")]

    assert {"case.js", "console.css", "icon.svg"} <= set(found)
    assert {one.status_code for one in found.values()} == {200}
    assert found["case.js"].headers["content-type"].startswith("text/javascript")
    assert found["case.js"].headers["x-content-type-options"] == HEADERS["x-content-type-options"]
    assert [one.status_code for one in wrong] == [404] * 3


def test_each_reason_has_a_letter_of_its_own_that_does_nothing_else() -> None:
    assert set(LETTERS) == set(REASONS)
    assert len(set(LETTERS.values())) == len(LETTERS)
    assert not TAKEN & set(LETTERS.values())


def test_each_reason_to_skip_is_said_in_words() -> None:
    assert set(SKIPS) == set(SKIP_REASONS)


def test_the_board_is_made_once_for_all_who_see_the_same(bench: Bench) -> None:
    console = Console(bench)
    board = Board(console.review, bench.clock.monotonic)
    anna, ben = (console.account("reviewer", name).person for name in ("anna", "ben"))
    other = console.account("reviewer", "other", "other-policy").person
    bench.tell(flag_opened(flag(1)))

    first = board.rows(anna)
    bench.tell(flag_opened(flag(2, session="s-2", severity="P0")))
    at_once, foreign = board.rows(ben), board.rows(other)
    bench.clock.advance(0.1)
    later = board.rows(ben)

    assert at_once is first
    assert (first.n_cases, first.severity) == (1, "P1")
    assert (foreign.n_cases, foreign.severity) == (0, "")
    assert (later.n_cases, later.severity) == (2, "P0")


def test_the_board_tells_ages_anew_every_few_seconds(bench: Bench) -> None:
    board = Board(Console(bench).review, bench.clock.monotonic)
    first = board.version()

    bench.clock.advance(4.5)
    before = board.version()
    bench.clock.advance(0.5)

    assert before == first
    assert board.version() == first + 1


def test_each_context_has_a_key_of_its_own_beside_those_of_the_page(bench: Bench) -> None:
    bench.tell(flag_opened(flag(1)))
    console = Console(bench)
    console.account("reviewer")
    client = console.signed_in("reviewer")
    case_id = client.post("/api/v1/claim", json={}).json()["case"]["case_id"]

    text = client.get(f"/cases/{case_id}").text

    assert {one.name for one in weighed()} == set(get_args(Context))
    with_shift = re.findall("<kbd>⇧(.)</kbd>", text)
    assert {one.key for one in weighed()} < set(with_shift)
    assert len(with_shift) == len(set(with_shift))
    fixed = re.findall('data-key="([^"]+)" (?!data-reason|data-skip)', text)
    assert not [one for one, n_controls in Counter(fixed).items() if n_controls > 1]
