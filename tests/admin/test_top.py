"""What `streamguard top` draws, and what it says where it cannot."""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from streamguard.admin.top import fitted, table
from streamguard.cli import main
from tests.processes import Finished, command, environment, streamguard
from tests.servers import Answer, Server, in_turn, refusing_port, serving, status, whole

TOKEN = "a-token-of-enough-length"  # noqa: S105  # of a test


def row(stream_id: str, state: str = "screening", **other: Any) -> dict[str, Any]:
    drawn = {
        "id": stream_id,
        "state": state,
        "sampling": "auto",
        "is_dense": False,
        "is_pinned": False,
        "is_reported": False,
        "codec": "h264",
        "width": 1920,
        "height": 1080,
        "lag_s": 0.012,
        "drift_s": 0.0,
        "coverage": 0.9995,
        "gap_s": 3.2,
        "n_flags": 0,
        "last_error": "",
    }
    return {**drawn, **other}


def said(*rows: dict[str, Any]) -> dict[str, Any]:
    worker = {"worker": 1, "phase": "active", "n_streams": len(rows), "rss_bytes": 100 << 20}
    return {"streams": list(rows), "excluded": {"x": "ours"}, "workers": [worker]}


def test_what_is_wrong_comes_first_and_the_head_counts() -> None:
    lines = table(said(row("a"), row("b", "away", last_error="gone"), row("c")))

    assert lines[0] == "2 of 3 streams screened, 1 excluded; workers: 1 active (3, 100 MiB)"
    assert [line.split()[0] for line in lines[1:]] == ["stream", "b", "a", "c"]
    assert lines[2].endswith("gone")
    assert "h264 1920x1080" in lines[3]
    assert "99.95%" in lines[3]


def test_columns_stand_below_each_other() -> None:
    lines = table(said(row("a"), row("a-much-longer-name", sampling="dense")))

    starts = {line.index("screening") for line in lines[2:]}
    assert starts == {lines[1].index("state")}


def test_a_name_cannot_move_the_cursor() -> None:
    lines = table(said(row("evil\x1b[2J\u202e")))

    assert "\x1b" not in "".join(lines)
    assert "\u202e" not in "".join(lines)


def test_nothing_to_screen_is_shown_as_such() -> None:
    assert table(said())[0].startswith("0 of 0 streams screened")


def test_colours_say_the_state() -> None:
    lines = table(said(row("a", "waiting")), is_colour=True)

    assert lines[2].startswith("\x1b[31m")
    assert lines[2].endswith("\x1b[0m")


def test_why_a_stream_is_looked_at_closer_is_said() -> None:
    lines = table(said(row("a", is_dense=True, is_pinned=True), row("b", is_reported=True)))

    assert "auto dense pinned  " in lines[2]
    assert "auto reported  " in lines[3]


def test_a_line_is_no_wider_than_the_terminal() -> None:
    shown = said(row("a" * 50, last_error="x" * 300))

    assert max(map(len, table(shown, columns=80))) == 80
    assert max(map(len, table(shown))) > 300


@pytest.mark.parametrize(("most", "expected"), [(3, ["a", "b", "c"]), (2, ["a", "... and 2 more"])])
def test_what_does_not_fit_is_counted(most: int, expected: list[str]) -> None:
    assert fitted(["a", "b", "c"], most) == expected


def as_api(shown: dict[str, Any]) -> Answer:
    return whole(json.dumps(shown).encode())


def ask(folder: Path, port: int, *more: str) -> Finished:
    (folder / "token").write_text(TOKEN)
    url = f"http://127.0.0.1:{port}"
    env = environment(HTTP_PROXY=f"http://127.0.0.1:{refusing_port()}")
    return streamguard("top", "--url", url, "--token-file", folder / "token", *more, env=env)


@pytest.mark.integration
def test_through_a_pipe_it_is_shown_once_and_without_colours(tmp_path: Path) -> None:
    """A proxy of the environment is not asked: the token is not for it."""
    with serving(as_api(said(row("a")))) as server:
        done = ask(tmp_path, server.port)

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == table(said(row("a")))
    assert server.requests == ["GET /v1/streams HTTP/1.1", "GET /v1/workers HTTP/1.1"]


@pytest.mark.integration
def test_json_is_what_the_api_says(tmp_path: Path) -> None:
    with serving(as_api(said(row("a")))) as server:
        done = ask(tmp_path, server.port, "--json")

    assert done.rows == [said(row("a"))]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("answer", "code", "problem"),
    [
        (status("401 Unauthorized"), 2, "refuses this token: give --token-file"),
        (status("500 Internal Server Error"), 3, "is `streamguard run` running there?"),
        (whole(b"<html>"), 3, "is `streamguard run` running there?"),
        (whole(b"[]"), 3, "is `streamguard run` running there?"),
        (whole(b"{}"), 3, "is `streamguard run` running there?"),
    ],
)
def test_who_answers_otherwise_is_told_in_one_line(
    tmp_path: Path, answer: Answer, code: int, problem: str
) -> None:
    with serving(answer) as server:
        done = ask(tmp_path, server.port)

    assert (done.code, done.out) == (code, "")
    assert problem in done.problem
    assert TOKEN not in done.err


@pytest.mark.integration
def test_a_deployment_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    done = ask(tmp_path, refusing_port())

    assert done.code == 3
    assert "no answer from http://127.0.0.1:" in done.problem


class Terminal:
    """`streamguard top` in a terminal, of which all that is drawn is read."""

    def __init__(self, folder: Path, server: Server) -> None:
        (folder / "token").write_text(TOKEN)
        arguments = ("--url", f"http://127.0.0.1:{server.port}", "--token-file", folder / "token")
        self._reader, end = pty.openpty()
        self.process = subprocess.Popen(
            command("top", *arguments), env=environment(COLUMNS="60", LINES="5"), stdout=end
        )
        os.close(end)
        self.drawn = ""

    def wait_for(self, text: str) -> None:
        while text not in self.drawn:
            self.drawn += os.read(self._reader, 65_536).decode()

    def close(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        os.close(self._reader)
        return code


@pytest.mark.integration
def test_in_a_terminal_it_is_live_and_waits_for_a_deployment_that_is_started_anew(
    tmp_path: Path,
) -> None:
    shows, gone = as_api(said(*(row(str(n)) for n in range(5)))), status("502 Bad Gateway")

    with serving(in_turn(shows, shows, gone, shows)) as server:
        terminal = Terminal(tmp_path, server)
        terminal.wait_for("... and 4 more")
        terminal.wait_for("no answer from")
        n_drawn = terminal.drawn.count("5 of 5 streams screened")
        terminal.drawn = ""
        terminal.wait_for("5 of 5 streams screened")
        code = terminal.close()

    assert n_drawn >= 1
    assert "\x1b[32m" in terminal.drawn
    assert code == 130


def test_without_a_token_it_says_how_one_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    code = main(["top"])

    assert code == 2
    assert "no token of an admin API at streamguard.db.token: give the --config" in (
        capsys.readouterr().err
    )
