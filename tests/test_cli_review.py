"""The console, its accounts and its audit, as the command line has them."""

import json
import subprocess
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.review.desk_file import DeskFile
from streamguard.review.folding import read_case
from tests.made_reviews import flag, flag_opened
from tests.processes import DEADLINE_S, Finished, Running, command, environment, streamguard

ADMIN_TOKEN = "a token of sixteen or more"  # noqa: S105  # of nobody
PASSWORD = "correct horse battery"  # noqa: S105  # of nobody


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "streamguard.toml"
    file.write_text(
        f'[log]\nfile = "{tmp_path / "log.db"}"\n[review]\nport = 0\nmetrics_port = 0\n'
    )
    return file


def account(config: Path, *arguments: str, password: str = PASSWORD) -> Finished:
    """Run a verb of `account` with a password on standard input."""
    done = subprocess.run(
        command("account", *arguments, "--config", config),
        cwd=config.parent,
        input=f"{password}\n",
        capture_output=True,
        text=True,
        env=environment(),
        timeout=DEADLINE_S,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def test_from_the_first_account_to_a_decision_and_its_audit(config: Path, tmp_path: Path) -> None:
    made = account(config, "add", "anna", "--role", "senior", "--clearance", "*")
    with Running("review", "--config", config) as console:
        port = console.wait_for(console.log, event="review_started")["port"]
        with SqliteLog(tmp_path / "log.db", "write") as log:
            log.append([flag_opened(flag(1))])
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1") as client:
            said = client.post("/sign-in", json={"name": "anna", "password": PASSWORD})
            client.headers["x-csrf-token"] = said.json()["csrf"]
            case = client.post("/claim", json={}).json()["case"]
            choice = {"outcome": "rejected", "reason_code": "NOTHING.FOUND"}
            decision = client.post(
                f"/cases/{case['case_id']}/decision", json=choice | {"token": case["token"]}
            )
        code = console.stop()
    exported = streamguard("audit", "export", "--config", config)

    assert (made.code, code) == (0, 0)
    assert decision.json()["actor"] == made.out.strip()
    assert [row["action"] for row in exported.rows] == [
        "account.made",
        "account.signed_in",
        "case.claimed",
        "case.decided",
    ]
    assert PASSWORD not in f"{console.log}{exported.out}"


def test_an_open_page_does_not_keep_the_console_from_stopping(config: Path) -> None:
    account(config, "add", "anna", "--role", "reviewer", "--clearance", "*")
    with Running("review", "--config", config) as console:
        port = console.wait_for(console.log, event="review_started")["port"]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S) as client:
            client.post("/api/v1/sign-in", json={"name": "anna", "password": PASSWORD})
            with client.stream("GET", "/events") as pushed:
                lines = pushed.iter_lines()
                first = [next(lines) for _ in range(3)]
                code = console.stop()
                rest = list(lines)

    assert first == ["retry: 1000", "", "event: queue"]
    assert code == 0
    assert rest  # it ended as it should, not cut off
    assert "Traceback" not in str(console.log)


def test_an_account_is_changed_and_listed(config: Path) -> None:
    account(config, "add", "anna", "--role", "reviewer", "--clearance", "tvec")

    changed = account(config, "change", "anna", "--role", "senior", "--disable")
    listed = account(config, "list")
    rows = account(config, "list", "--json").rows
    unknown = account(config, "change", "ben", "--role", "senior")
    again = account(config, "add", "anna", "--role", "reviewer")
    short = account(config, "add", "ben", "--role", "reviewer", password="x" * 11)

    assert changed.code == 0
    assert listed.out.split() == ["anna", rows[0]["account_id"], "senior", "tvec", "disabled"]
    assert (rows[0]["clearance"], rows[0]["is_active"]) == (["tvec"], False)
    assert [one.code for one in (unknown, again, short)] == [2, 2, 2]
    assert "12 to 128" in short.problem


def test_an_audit_is_checked_in_the_log_and_from_an_export(config: Path, tmp_path: Path) -> None:
    for name in ("anna", "ben", "carl"):
        account(config, "add", name, "--role", "reviewer")
    whole = tmp_path / "whole.jsonl"
    whole.write_text(streamguard("audit", "export", "--config", config).out)
    lines = whole.read_text().splitlines()
    cut, changed = tmp_path / "cut.jsonl", tmp_path / "changed.jsonl"
    cut.write_text("\n".join(lines[:2]))
    changed.write_text(whole.read_text().replace("reviewer", "senior", 1))

    said = streamguard("audit", "verify", "--config", config, "--json")
    head = json.loads(said.out)["head"]
    results = {
        "export": streamguard("audit", "verify", "--file", whole, "--head", head),
        "cut": streamguard("audit", "verify", "--file", cut),
        "cut, with its head known": streamguard("audit", "verify", "--file", cut, "--head", head),
        "changed": streamguard("audit", "verify", "--file", changed),
        "no head": streamguard("audit", "verify", "--file", whole, "--head", "3"),
        "no export": streamguard("audit", "verify", "--file", config),
        "no file": streamguard("audit", "verify", "--file", tmp_path / "none"),
    }

    assert said.code == 0
    assert head.startswith("3:")
    assert {name: done.code for name, done in results.items()} == {
        "export": 0,
        "cut": 0,
        "cut, with its head known": 2,
        "changed": 2,
        "no head": 2,
        "no export": 2,
        "no file": 2,
    }
    assert "record 0 is not what was written" in results["changed"].out
    assert f"head {head}" in results["export"].out


def wait_until(claim: Callable[[], bool]) -> None:
    """Look again and again, for another process is at work."""
    waiting, until_s = Event(), time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < until_s
        waiting.wait(0.02)


class Supervisor(BaseHTTPRequestHandler):
    """Answers as the admin API of a running deployment."""

    def do_GET(self) -> None:
        is_ours = self.headers["authorization"] == f"Bearer {ADMIN_TOKEN}"
        rows = [
            {"session_id": "s-1", "n_viewers": 137},
            {"session_id": "", "n_viewers": 5},
            {"session_id": "s-2", "n_viewers": None},
        ]
        body = json.dumps({"streams": rows}).encode()
        self.send_response(200 if is_ours and self.path == "/v1/streams" else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_audience_of_a_case_is_what_the_supervisor_says(config: Path, tmp_path: Path) -> None:
    (tmp_path / "log.db.token").write_text(ADMIN_TOKEN)
    with SqliteLog(tmp_path / "log.db") as log:
        log.append([flag_opened(flag(1)), flag_opened(flag(2, session="s-2"))])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Supervisor)
    thread = Thread(target=server.serve_forever)
    thread.start()
    variables = environment(STREAMGUARD_ADMIN__PORT=str(server.server_port))
    file = DeskFile(tmp_path / "log.db.review")

    def viewers() -> list[int | None]:
        rows = file.rows("SELECT body FROM cases ORDER BY session_id")
        return [read_case(body).n_viewers for (body,) in rows]

    with Running("review", "--config", config, env=variables) as console:
        wait_until(lambda: viewers() == [137, None])
        code = console.stop()
    found = viewers()
    file.close()
    server.shutdown()
    thread.join()
    server.server_close()

    assert (code, found) == (0, [137, None])


def test_a_provider_that_is_half_configured_is_told(config: Path) -> None:
    variables = environment(STREAMGUARD_REVIEW__OIDC_ISSUER="https://login.example.org")

    done = streamguard("review", "--config", config, env=variables)

    assert (done.code, "oidc_client_id" in done.err) == (2, True)


def test_an_account_of_a_provider_has_no_password(config: Path) -> None:
    done = account(config, "add", "anna", "--role", "reviewer", "--no-password", password="")

    assert done.code == 0


def test_an_address_that_is_taken_is_told(config: Path) -> None:
    with Running("review", "--config", config) as console:
        port = console.wait_for(console.log, event="review_started")["port"]
        second = streamguard(
            "review", "--config", config, env=environment(STREAMGUARD_REVIEW__PORT=str(port))
        )
        console.stop()

    assert (second.code, "cannot listen" in second.err) == (2, True)
