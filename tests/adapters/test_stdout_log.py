import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtest.made_events import opened
from streamguard.adapters.stdout_log import StdoutLog, when_reader_leaves
from streamguard.core.errors import LogUnavailable
from tests.processes import DEADLINE_S


def test_each_event_is_one_line_of_json_after_what_was_printed_before(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    with path.open("w") as stream:
        print("first", file=stream)
        StdoutLog(stream).append([opened(1), opened(2)])

        first, *lines = path.read_text().splitlines()

    assert first == "first"
    assert lines == [opened(1).to_json(), opened(2).to_json()]
    assert [json.loads(line)["specversion"] for line in lines] == ["1.0"] * 2


def test_what_was_appended_has_reached_the_reader() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader, os.fdopen(writing, "w", buffering=1 << 20) as stream:
        StdoutLog(stream).append([opened(1)])

        assert reader.readline() == f"{opened(1).to_json()}\n"


def socket_pair() -> tuple[int, int]:
    one, other = socket.socketpair()
    return one.detach(), other.detach()


def test_a_reader_that_has_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as stream:
        StdoutLog(stream).append([opened(1)])
        StdoutLog(stream).append([opened(2)])


@pytest.mark.parametrize("pair", [os.pipe, socket_pair])
def test_a_reader_that_leaves_is_told_although_nothing_is_written(
    pair: Callable[[], tuple[int, int]],
) -> None:
    reading, writing = pair()

    async def watched() -> bool:
        gone = asyncio.Event()
        when_reader_leaves(stream, gone.set)
        await asyncio.sleep(0)
        was_gone = gone.is_set()
        os.close(reading)
        async with asyncio.timeout(DEADLINE_S):
            await gone.wait()
        return was_gone

    with os.fdopen(writing, "w") as stream:
        assert not asyncio.run(watched())


def test_a_file_has_no_reader_that_could_leave(tmp_path: Path) -> None:
    async def watched() -> bool:
        gone = asyncio.Event()
        when_reader_leaves(stream, gone.set)
        await asyncio.sleep(0)
        return gone.is_set()

    with (tmp_path / "events.jsonl").open("w") as stream:
        assert not asyncio.run(watched())


@pytest.mark.integration
def test_a_full_disk_behind_it_is_said_in_one_line_and_space_is_enough_to_go_on(
    tmp_path: Path,
) -> None:
    """The same batch is tried until it fits, as the writer does; each event is there, in order."""
    path = tmp_path / "events.jsonl"

    program = [sys.executable, "-m", "tests.adapters.test_stdout_log", str(path)]
    subprocess.run(program, check=True)

    lines = path.read_text().splitlines()
    told = [json.loads(line)["id"] for line in lines]
    assert told == [opened(number).id for number in range(40)]


def write_to_a_small_disk(path: Path) -> None:
    """Append to a file that may not grow beyond 10 kB for a while."""
    import resource  # noqa: PLC0415

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    with path.open("w") as stream:
        log, n_failed = StdoutLog(stream), 0
        for first in range(0, 40, 4):
            batch = [opened(number) for number in range(first, first + 4)]
            while True:
                try:
                    log.append(batch)
                    break
                except LogUnavailable:
                    n_failed += 1
                    if n_failed == 3:
                        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert n_failed == 3


if __name__ == "__main__":
    write_to_a_small_disk(Path(sys.argv[1]))
