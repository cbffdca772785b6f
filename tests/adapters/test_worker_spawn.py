"""Worker processes are started, ended and collected, and leave nothing of themselves."""

import gc
import signal
from pathlib import Path

import pytest

from streamguard.adapters import worker_spawn
from streamguard.adapters.worker_spawn import WorkerProcess
from streamguard.core.hands import LastWords
from tests.processes import DEADLINE_S


def n_open() -> int:
    """Count the open descriptors of this process, without what is garbage."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_process_that_is_killed_is_collected_and_its_descriptors_are_given_back() -> None:
    before = n_open()
    process = WorkerProcess()
    running = process.wait(0.0)
    process.kill()
    code = process.wait(DEADLINE_S)
    process.kill()
    words = process.last_words()
    process.close()
    process.socket.close()

    assert (running, code, words) == (None, -signal.SIGKILL, LastWords())
    assert not Path(f"/proc/{process.pid}").exists()
    assert n_open() == before


def test_a_process_whose_socket_ends_leaves_by_itself() -> None:
    process = WorkerProcess()
    process.socket.close()
    code = process.wait(DEADLINE_S)
    process.close()

    assert code == 0


def test_where_no_process_can_be_started_nothing_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = n_open()
    monkeypatch.setattr(worker_spawn.sys, "executable", "/no/such/program")

    with pytest.raises(OSError, match="No such file"):
        WorkerProcess()

    assert n_open() == before
