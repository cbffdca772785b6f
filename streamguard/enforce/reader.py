"""Our own viewers of streams, from this side: starts the processes that watch, and hears them.

Rule: a viewer that is not there proves nothing; only from when it says that it looks does its
silence count. Nobody waits for one to start, which takes a second on a busy machine and may fail:
it is tried again for as long as somebody wants to watch. Each watches one stream and is killed.
"""

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from streamguard.adapters.worker_spawn import PASSED_ON
from streamguard.core.location import Location
from streamguard.core.ports import Clock

UP, READY, MEDIA, REFUSED = "u", "r", "m", "x"
"""What the process says, a line each: that it waits to be told a place; that it reached the server
and begins to look; that media came; that the server would not have it watch."""

SPARES = 3
"""Viewers that wait, 66 MB each, half of it shared (measured); our choice: more streams than that
are seldom cut in one second."""


AT_ONCE = 16
"""Streams that are watched at the same time (our choice: a gigabyte at most)."""

START_S = 20.0
"""One that does not run by then is given up: it takes 0.1 s, and seconds on a busy machine."""

AGAIN_S = 0.5
"""Before another one is started, where one could not be or has ended (our choice)."""

log = structlog.get_logger()


class Reader:
    """What a viewer sees. Instants are Clock.monotonic() seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ready_s: float | None = None
        """Since when it looks; None before that, and where it has ended."""
        self.media_s: float | None = None
        """When media came last; None where none did."""
        self.is_refused = False
        """The server would not have it watch: there is no such stream, or it has no right to."""

    async def hear(self, process: asyncio.subprocess.Process, place: Location) -> None:
        """Have a process watch a place, and hear what it says, to its end."""
        told = {
            "protocol": place.protocol,
            "url": place.url,
            "label": place.label,
            "rtmp_name": place.rtmp_name,
        }
        assert process.stdin is not None  # noqa: S101  # a pipe was asked for
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        process.stdin.write(json.dumps(told).encode() + b"\n")
        while line := await process.stdout.readline():
            word = line.decode().strip()
            if word == READY:
                self.ready_s = self._clock.monotonic()
            elif word == MEDIA:
                self.media_s = self._clock.monotonic()
            elif word == REFUSED:
                self.is_refused = True
        self.ready_s = None


class Readers:
    """The viewers of one enforcer; on its event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._room = asyncio.Semaphore(AT_ONCE)
        self._spares: deque[asyncio.subprocess.Process] = deque()
        self._filling: asyncio.Task[None] | None = None

    async def fill(self) -> None:
        """Have some wait; return once they do, or cannot be started."""
        while len(self._spares) < SPARES:
            process = await _started()
            if process is None:
                return
            self._spares.append(process)

    @asynccontextmanager
    async def open(self, place: Location) -> AsyncIterator[Reader]:
        """Watch a place as long as this lasts."""
        reader = Reader(self._clock)
        watching = asyncio.create_task(self._watch(reader, place))
        try:
            yield reader
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            if self._filling is None or self._filling.done():  # nobody waits for it
                self._filling = asyncio.create_task(self.fill())

    async def close(self) -> None:
        """End those that wait."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait([self._filling])
        while self._spares:
            await _ended(self._spares.popleft())

    async def _watch(self, reader: Reader, place: Location) -> None:
        """Have a process watch; another one where it ends, or could not be started."""
        async with self._room:
            while True:
                process = self._spare() or await _started()
                if process is not None:
                    try:
                        await reader.hear(process, place)
                    finally:
                        await _ended(process)
                await asyncio.sleep(AGAIN_S)

    def _spare(self) -> asyncio.subprocess.Process | None:
        while self._spares:
            process = self._spares.popleft()
            if process.returncode is None:
                return process
        return None


async def _started() -> asyncio.subprocess.Process | None:
    """Start one; return once it waits to be told a place, or None where that cannot be."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "streamguard.enforce_reader"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # FFmpeg's words may hold the address
            env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
        )
    except OSError as error:
        log.warning("viewer_not_started", problem=error.strerror)
        return None
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    is_up = False
    try:
        async with asyncio.timeout(START_S):
            is_up = bool(await process.stdout.readline())
    except TimeoutError:
        log.warning("viewer_not_started", problem=f"it said nothing for {START_S:.0f} s")
    finally:
        if not is_up:
            await _ended(process)
    return process if is_up else None


async def _ended(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
