"""Our viewers as processes; that they see media is tested on a real server, with the cuts."""

import asyncio
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from streamguard.adapters.system_clock import SystemClock
from streamguard.core.location import Location
from streamguard.enforce.reader import SPARES, Reader, Readers
from tests.servers import refusing_port

DEADLINE_S = 30.0


def with_readers(use: Callable[[Readers], Awaitable[None]]) -> None:
    async def used() -> None:
        readers = Readers(SystemClock())
        try:
            async with asyncio.timeout(DEADLINE_S):
                await readers.fill()
                await use(readers)
        finally:
            await readers.close()

    asyncio.run(used())


@contextmanager
def server(*, refuses: bool = False) -> Iterator[Location]:
    """Take connections; say nothing, or end them at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken: list[socket.socket] = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    one, _ = listener.accept()
                    taken.append(one)
                    if refuses:
                        one.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield at(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in taken:
                one.close()


def at(port: int) -> Location:
    return Location("rtmp", f"rtmp://127.0.0.1:{port}/live", "rtmp", ("live", "a"))


@pytest.fixture
def silent() -> Iterator[Location]:
    with server() as place:
        yield place


async def until_ready(reader: Reader) -> None:
    while reader.ready_s is None:  # noqa: ASYNC110  # it tells nobody else
        await asyncio.sleep(0.02)


def test_a_viewer_of_nothing_looks_and_sees_nothing(silent: Location) -> None:
    async def use(readers: Readers) -> None:
        async with readers.open(silent) as reader:
            await until_ready(reader)

            assert reader.media_s is None

    with_readers(use)


def test_more_may_watch_than_wait(silent: Location) -> None:
    async def use(readers: Readers) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(SPARES + 1):
                tasks.create_task(watch(readers))

    async def watch(readers: Readers) -> None:
        async with readers.open(silent) as reader:
            await until_ready(reader)

    with_readers(use)


def test_a_viewer_that_died_while_it_waited_is_not_taken(silent: Location) -> None:
    async def use(readers: Readers) -> None:
        waiting = list(readers._spares)
        for process in waiting:
            process.kill()
            await process.wait()

        async with readers.open(silent) as reader:
            await until_ready(reader)

    with_readers(use)


def test_a_viewer_that_died_while_it_watched_is_replaced(silent: Location) -> None:
    async def use(readers: Readers) -> None:
        [first, *_] = readers._spares
        async with readers.open(silent) as reader:
            await until_ready(reader)
            first.kill()
            await first.wait()
            while reader.ready_s is not None:  # noqa: ASYNC110  # it tells nobody else
                await asyncio.sleep(0.02)

            await until_ready(reader)

    with_readers(use)


def test_nobody_waits_for_a_viewer_that_cannot_be_started(
    monkeypatch: pytest.MonkeyPatch, silent: Location
) -> None:
    async def use(readers: Readers) -> None:
        await exhausted(readers)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", "/nonexistent")
            async with readers.open(silent) as reader:
                await readers.fill()
                assert reader.ready_s is None
                patch.undo()

                await until_ready(reader)

    async def exhausted(readers: Readers) -> None:
        while readers._spares:
            process = readers._spares.popleft()
            process.kill()
            await process.wait()

    with_readers(use)


def test_a_viewer_that_cannot_reach_the_server_does_not_look(silent: Location) -> None:
    async def use(readers: Readers) -> None:
        nobody = at(refusing_port())
        async with readers.open(nobody) as lost, readers.open(silent) as other:
            await until_ready(other)

            assert lost.ready_s is None

    with_readers(use)


def test_a_viewer_that_is_turned_away_says_so() -> None:
    async def use(readers: Readers) -> None:
        with server(refuses=True) as place:
            async with readers.open(place) as reader:
                await until_ready(reader)
                while not reader.is_refused:  # noqa: ASYNC110  # it tells nobody else
                    await asyncio.sleep(0.02)

                assert reader.media_s is None

    with_readers(use)


def test_none_of_them_outlives_their_end() -> None:
    seen: list[asyncio.subprocess.Process] = []

    async def use(readers: Readers) -> None:
        seen.extend(readers._spares)

    with_readers(use)

    assert len(seen) == SPARES
    assert all(one.returncode is not None for one in seen)
