"""`streamguard run` with a stream that kills workers: it is found, and the others go on."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamguard.adapters.black_box import words_in
from streamguard.core.hands import mark_of
from tests.processes import Row, Running, on_time, short_type, transport_stream, until
from tests.servers import Connection, serving
from tests.test_run import configure, events_in, wait_for_events

pytestmark = pytest.mark.integration


@pytest.fixture
def streams(real_clips: dict[str, Path]) -> Iterator[dict[str, str]]:
    """Serve a stream that comes on time, and one that keeps its decoder busy all the time."""
    video = transport_stream(real_clips["bikes"], n_rounds=30)
    whole = b"".join(payload for _, payload in video)

    def hurry(connection: Connection) -> None:
        connection.head()
        while not connection.wait(0):
            connection.send(whole)

    with serving(on_time(video, burst_s=6)) as good, serving(hurry) as bad:
        yield {"good": good.url(), "bad": bad.url()}


def boxes_of(pid: int) -> Iterator[int]:
    """Open the boxes of a supervisor's workers, one after another."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            if "streamguard-hands" in str(link.readlink()):
                fd = os.open(link, os.O_RDONLY)
                try:
                    yield fd
                finally:
                    os.close(fd)


def has_in_hand(supervisor: int, stream_id: str) -> bool:
    """Say whether a worker decodes this stream, and no other, right now."""
    hands = [words_in(fd).hands for fd in boxes_of(supervisor)]
    marks = [{hand.mark for hand in each} for each in hands]
    return {mark_of(stream_id)} in marks


def kill_at(run: Running, worker: int, stream_id: str) -> None:
    """Kill a worker's process while it decodes this stream: it stands still while we look."""

    def caught() -> bool:
        os.kill(worker, signal.SIGSTOP)
        if has_in_hand(run.process.pid, stream_id):
            os.kill(worker, signal.SIGKILL)
            return True
        os.kill(worker, signal.SIGCONT)
        return False

    until(caught)


def epochs_of(log_file: Path, stream_id: str) -> list[int]:
    began = (e["data"] for e in events_in(log_file) if short_type(e) == "stream.started")
    return [one["stream"]["epoch"] for one in began if one["stream"]["stream_id"] == stream_id]


def test_a_stream_that_kills_two_workers_is_held_back_and_its_neighbour_goes_on(
    tmp_path: Path, known_bank: Path, streams: dict[str, str]
) -> None:
    config, log_file = configure(tmp_path, known_bank, streams), tmp_path / "log.db"
    config.write_text(config.read_text().replace("[worker]\n", "[worker]\ncount = 1\n"))
    actives: list[Row] = []

    def next_active(run: Running) -> int:
        until(lambda: len([r for r in run.log if r["event"] == "worker_active"]) > len(actives))
        actives[:] = [row for row in run.log if row["event"] == "worker_active"]
        return int(actives[-1]["pid"])

    with Running("run", "--config", config, cwd=tmp_path) as run:
        for n_deaths in range(2):
            worker = next_active(run)
            until(lambda n=n_deaths: len(epochs_of(log_file, "good")) == n + 1)
            kill_at(run, worker, "bad")
        held = run.wait_for(run.log, event="stream_quarantined")
        until(lambda: len(epochs_of(log_file, "good")) == 3)
        status = run.get("/metrics")[1]
        run.stop(signal.SIGTERM)

    suspected = [row["stream_id"] for row in run.log if row["event"] == "stream_suspected"]
    events = [e for e in events_in(log_file) if e["partitionkey"] == "bad"]
    gaps = [e["data"] for e in events if short_type(e) == "coverage.gap"]
    assert (held["stream_id"], held["trouble"], held["seconds"]) == ("bad", "died", 60.0)
    assert suspected == ["bad", "bad"]
    assert len([row for row in run.log if row["event"] == "worker_died"]) == 2
    assert "quarantined" in {gap["reason"] for gap in gaps}
    assert short_type(events[-1]) == "stream.ended"
    assert epochs_of(log_file, "good") == [0, 1, 2]
    assert 'streamguard_quarantines_total{trouble="died"} 1.0' in status
    assert "streamguard_streams_quarantined 1.0" in status


def test_a_worker_that_crashes_in_no_stream_s_thread_says_where_and_blames_none(
    tmp_path: Path, known_bank: Path, streams: dict[str, str]
) -> None:
    config = configure(tmp_path, known_bank, {"good": streams["good"]})
    with Running("run", "--config", config, cwd=tmp_path) as run:
        worker = run.wait_for(run.log, event="worker_active")
        wait_for_events(tmp_path / "log.db", ("good", "stream.started"))
        os.kill(worker["pid"], signal.SIGSEGV)
        died = run.wait_for(run.log, event="worker_died")
        run.stop(signal.SIGTERM)

    assert (died["code"], died["worker"]) == (-signal.SIGSEGV, worker["worker"])
    assert ".py:" in died["crash"]
    assert not [row for row in run.log if row["event"] == "stream_suspected"]
