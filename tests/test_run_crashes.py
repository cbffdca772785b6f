"""`streamguard run` when its processes die: real processes, real signals, what the log says."""

import itertools
import os
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from streamguard.adapters.sqlite_log import SqliteLog
from tests.processes import Row, Running, on_time, short_type, transport_stream, until
from tests.servers import serving
from tests.test_run import configure, events_in, wait_for_events

pytestmark = pytest.mark.integration

LATE_S = 1.0
"""What is published of a process that died is at most so much longer than the truth."""


@pytest.fixture
def channel(real_clips: dict[str, Path]) -> Iterator[str]:
    """Serve a channel that shows what the bank knows, for as long as a test needs it."""
    video = on_time(transport_stream(real_clips["bikes"], n_rounds=30), burst_s=6)
    with serving(video) as server:
        yield server.url()


def one_worker(folder: Path, bank: Path, url: str) -> Path:
    config = configure(folder, bank, {"known": url})
    config.write_text(config.read_text().replace("[worker]\n", "[worker]\ncount = 1\n"))
    return config


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def wall_s() -> float:
    return datetime.now().astimezone().timestamp()


def open_flags(log_file: Path) -> int:
    with SqliteLog.open_reader(log_file) as event_log:
        return len(event_log.left_over().flags)


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def second_epoch(events: list[Row]) -> Row:
    (began,) = (
        e["data"]
        for e in events
        if short_type(e) == "stream.started" and e["data"]["stream"]["epoch"] == 1
    )
    return began


def assert_nothing_is_hidden(events: list[Row], killed_s: float) -> None:
    """Check the flags and the gap of a session whose process died at an instant."""
    began = second_epoch(events)
    gaps = [e["data"] for e in events if short_type(e) == "coverage.gap"]
    gaps = [gap for gap in gaps if gap["reason"] == "interrupted"]
    (closed, *_) = (e["data"] for e in events if short_type(e) == "flag.closed")
    starts_s = min(seconds(gap["start_time"]) for gap in gaps)
    ends_s = max(seconds(gap["end_time"]) for gap in gaps)
    assert {e["data"]["stream"]["session_id"] for e in events} == {began["stream"]["session_id"]}
    assert (closed["close_reason"], closed["state"]) == ("interrupted", "closed")
    assert killed_s - LATE_S <= starts_s <= killed_s
    assert ends_s == pytest.approx(seconds(began["start_time"]), abs=0.3)
    for before, after in itertools.pairwise(gaps):
        assert before["end_time"] == after["start_time"]


def test_a_worker_that_is_killed_hands_its_stream_to_the_spare_and_the_gap_is_the_truth(
    tmp_path: Path, known_bank: Path, channel: str
) -> None:
    log_file = tmp_path / "log.db"
    with Running("run", "--config", one_worker(tmp_path, known_bank, channel), cwd=tmp_path) as run:
        first = run.wait_for(run.log, event="worker_active")
        wait_for_events(log_file, ("known", "flag.opened"))
        until(lambda: len(children_of(run.process.pid)) > 1)
        os.kill(first["pid"], signal.SIGKILL)
        killed_s = wall_s()
        died = run.wait_for(run.log, event="worker_died")
        until(
            lambda: any(
                short_type(e) == "stream.started" and e["data"]["stream"]["epoch"] == 1
                for e in events_in(log_file)
            )
        )
        until(lambda: len([e for e in events_in(log_file) if short_type(e) == "flag.opened"]) > 1)
        code = run.stop(signal.SIGTERM)

    events = events_in(log_file)
    assert (code, died["code"]) == (0, -signal.SIGKILL)
    assert open_flags(log_file) == 0
    assert_nothing_is_hidden(events, killed_s)
    assert seconds(second_epoch(events)["start_time"]) - killed_s < 5


def test_a_supervisor_that_is_killed_takes_its_workers_along_and_the_next_one_settles_the_log(
    tmp_path: Path, known_bank: Path, channel: str
) -> None:
    config, log_file = one_worker(tmp_path, known_bank, channel), tmp_path / "log.db"
    with Running("run", "--config", config, cwd=tmp_path) as run:
        run.wait_for(run.log, event="run_started")
        wait_for_events(log_file, ("known", "flag.opened"))
        workers = children_of(run.process.pid)
        run.process.kill()
        killed_s = wall_s()
        run.join()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    n_open = open_flags(log_file)
    with Running("run", "--config", config, cwd=tmp_path) as run:
        until(
            lambda: any(
                short_type(e) == "stream.started" and e["data"]["stream"]["epoch"] == 1
                for e in events_in(log_file)
            )
        )
        code = run.stop(signal.SIGTERM)

    assert (n_open, open_flags(log_file), code) == (1, 0, 0)
    assert_nothing_is_hidden(events_in(log_file), killed_s)


def test_a_worker_that_shows_no_sign_of_life_is_killed(
    tmp_path: Path, known_bank: Path, channel: str
) -> None:
    with Running("run", "--config", one_worker(tmp_path, known_bank, channel), cwd=tmp_path) as run:
        first = run.wait_for(run.log, event="worker_active")
        wait_for_events(tmp_path / "log.db", ("known", "stream.started"))
        os.kill(first["pid"], signal.SIGSTOP)
        given_up = run.wait_for(run.log, event="worker_given_up")
        ended = run.wait_for(run.log, event="worker_ended", worker=first["worker"])
        until(lambda: len([row for row in run.log if row["event"] == "worker_active"]) > 1)
        run.stop(signal.SIGTERM)

    assert (given_up["worker"], given_up["trouble"]) == (first["worker"], "silent")
    assert ended["code"] == -signal.SIGKILL
    assert not [row for row in run.log if row["event"] == "worker_died"]
