"""Our viewers as processes; that they see media is tested on a real server, with the cuts."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

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


def nowhere() -> Location:
    return Location("rtmp", f"rtmp://127.0.0.1:{refusing_port()}/live", "rtmp", ("live", "a"))


async def until_ready(reader: Reader) -> None:
    while reader.ready_s is None:  # noqa: ASYNC110  # it tells nobody else
        await asyncio.sleep(0.02)


def test_a_viewer_of_nothing_looks_and_sees_nothing() -> None:
    async def use(readers: Readers) -> None:
        async with readers.open(nowhere()) as reader:
            await until_ready(reader)

            assert reader.media_s is None

    with_readers(use)


def test_more_may_watch_than_wait() -> None:
    async def use(readers: Readers) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(SPARES + 1):
                tasks.create_task(watch(readers))

    async def watch(readers: Readers) -> None:
        async with readers.open(nowhere()) as reader:
            await until_ready(reader)

    with_readers(use)


def test_a_viewer_that_died_while_it_waited_is_not_taken() -> None:
    async def use(readers: Readers) -> None:
        waiting = list(readers._spares)
        for process in waiting:
            process.kill()
            await process.wait()

        async with readers.open(nowhere()) as reader:
            await until_ready(reader)

    with_readers(use)


def test_a_viewer_that_died_while_it_watched_is_replaced() -> None:
    async def use(readers: Readers) -> None:
        [first, *_] = readers._spares
        async with readers.open(nowhere()) as reader:
            await until_ready(reader)
            first.kill()
            await first.wait()
            while reader.ready_s is not None:  # noqa: ASYNC110  # it tells nobody else
                await asyncio.sleep(0.02)

            await until_ready(reader)

    with_readers(use)


def test_nobody_waits_for_a_viewer_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(readers: Readers) -> None:
        await exhausted(readers)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", "/nonexistent")
            async with readers.open(nowhere()) as reader:
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


def test_none_of_them_outlives_their_end() -> None:
    seen: list[asyncio.subprocess.Process] = []

    async def use(readers: Readers) -> None:
        seen.extend(readers._spares)

    with_readers(use)

    assert len(seen) == SPARES
    assert all(one.returncode is not None for one in seen)
