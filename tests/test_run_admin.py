"""A real deployment by its admin API, as operators and scripts meet it."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamguard.adapters.sqlite_log import SqliteLog
from tests.processes import (
    Running,
    build_bank,
    metric,
    on_time,
    streamguard,
    transport_stream,
    until,
)
from tests.servers import refusing_port, serving

pytestmark = pytest.mark.integration

KEY = "VERYSECRETKEY"


class Api:
    """The admin API of a `run`."""

    def __init__(self, run: Running, folder: Path) -> None:
        self.port = int(run.wait_for(run.log, event="admin_started")["port"])
        self.token_file = folder / "log.db.token"

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
        answer = httpx.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token_file.read_text()}"},
            timeout=30,
            trust_env=False,
        )
        return answer.status_code, answer.json()

    def workers(self) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = self.ask("GET", "/v1/workers")[1]["workers"]
        return said

    def babble(self) -> None:
        """Send what is no HTTP, and wait until the other end hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as link:
            link.sendall(b"\x16\x03\x01 what is this?\r\n\r\n")
            while link.recv(4096):
                pass

    def row(self, stream_id: str) -> dict[str, Any]:
        said: dict[str, Any] = self.ask("GET", f"/v1/streams/{stream_id}")[1]
        return said


@pytest.fixture
def url(real_clips: dict[str, Path]) -> Iterator[str]:
    with serving(on_time(transport_stream(real_clips["bikes"], n_rounds=9), burst_s=6)) as server:
        yield server.url(f"/live/{KEY}.ts")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(
        '[http]\nport = 0\n[log]\nfile = "log.db"\n[worker]\ncount = 1\n'
        f'[[streams]]\nid = "dark"\nurl = "rtmp://127.0.0.1:{refusing_port()}/live/{KEY}"\n'
    )
    return file


def n_flags(log_file: Path) -> int:
    with SqliteLog.open_reader(log_file) as event_log:
        records = event_log.read(1, limit=100_000)
    return sum('"org.streamguard.flag.opened.v1"' in record.body for record in records)


def worker_commands(run: Running) -> str:
    """Give the command lines of all workers: anybody on the machine may read them."""
    pid = run.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return "".join(Path(f"/proc/{child}/cmdline").read_text() for child in children)


def test_a_stream_comes_and_goes_while_a_service_runs_and_its_url_is_nowhere(
    tmp_path: Path, config: Path, url: str
) -> None:
    with Running("run", "--config", config, cwd=tmp_path) as run:
        api = Api(run, tmp_path)
        api.babble()
        added = api.ask("POST", "/v1/streams", {"id": "lobby", "url": url})
        again = api.ask("POST", "/v1/streams", {"id": "lobby", "url": url})
        until(lambda: api.row("lobby")["state"] == "screening")
        until(lambda: api.row("dark")["last_error"] != "")
        pinned = api.ask("POST", "/v1/streams/lobby/pin")
        row, dark = api.row("lobby"), api.row("dark")
        workers = api.ask("GET", "/v1/workers")
        drawn = streamguard(
            "top", "--url", f"http://127.0.0.1:{api.port}", "--token-file", api.token_file
        )
        commands = worker_commands(run)
        n_active, rss_bytes = metric(run, "workers_active"), metric(run, "worker_rss_bytes")
        removed = api.ask("DELETE", "/v1/streams/lobby")
        until(lambda: api.row("lobby").get("id") is None)
        kept = (tmp_path / "log.db.streams.json").read_text()
        code = run.stop(signal.SIGTERM)

    assert (added[0], again[0], pinned[0], removed[0], code) == (201, 409, 200, 200, 0)
    assert (row["codec"], row["is_pinned"], row["is_discovered"]) == ("h264", True, False)
    assert row["session_id"]
    assert [line for line in run.log if "event" not in line] == []
    assert n_active == 1
    assert 20 << 20 < rss_bytes < 1 << 30
    assert dark["state"] == "connecting"
    assert [worker["phase"] for worker in workers[1]["workers"]].count("active") == 1
    assert "1 of 2 streams screened" in drawn.out
    assert "auto" in drawn.out
    assert "streamguard.worker_main" in commands
    told = [added, again, pinned, row, dark, workers, removed, drawn.out, run.log, run.out]
    assert KEY not in json.dumps(told) + commands + kept


def test_a_worker_that_cannot_read_a_bank_takes_no_stream(
    tmp_path: Path, config: Path, url: str, real_clips: dict[str, Path]
) -> None:
    """It would screen against nothing; the one that stood by has the bank as it was."""
    bank = build_bank(tmp_path / "bank", real_clips["bikes"])
    config.write_text(f'{config.read_text()}[bank]\npaths = ["{bank}"]\n')
    with Running("run", "--config", config, cwd=tmp_path) as run:
        api = Api(run, tmp_path)
        api.ask("POST", "/v1/streams", {"id": "lobby", "url": url})
        until(lambda: sorted(worker["phase"] for worker in api.workers()) == ["active", "spare"])
        until(lambda: api.row("lobby")["n_flags"] > 0)
        active, spare = sorted(api.workers(), key=lambda worker: str(worker["phase"]))
        (bank / "CURRENT").write_bytes(b"nonsense")
        os.kill(active["pid"], signal.SIGKILL)
        run.wait_for(run.log, event="worker_without_bank")
        until(lambda: api.row("lobby")["worker"] == spare["worker"])
        until(lambda: n_flags(tmp_path / "log.db") > 1)
        run.stop()

    problems = [row["problem"] for row in run.log if row["event"] == "worker_without_bank"]
    assert all(f"{bank}/CURRENT is unusable" in problem for problem in problems)


def test_what_was_added_is_screened_after_a_restart_and_a_drain_ends_a_service(
    tmp_path: Path, config: Path, url: str
) -> None:
    with Running("run", "--config", config, cwd=tmp_path) as run:
        api = Api(run, tmp_path)
        api.ask("POST", "/v1/streams", {"id": "lobby", "url": url})
        drained = api.ask("POST", "/v1/drain")
        code = run.join()
    with Running("run", "--config", config, cwd=tmp_path) as run:
        api = Api(run, tmp_path)
        until(lambda: api.row("lobby")["state"] == "screening")
        run.stop()

    assert (drained[0], code) == (202, 0)
