"""Our own viewers of streams, from this side: starts the processes that watch, and hears them.

Rule: a viewer that is not there proves nothing; only from when it says that it looks does its
silence count. Each watches one stream and is killed; a few wait, for to start one takes a second on
a busy machine.
"""

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from streamguard.adapters.worker_spawn import PASSED_ON
from streamguard.core.location import Location
from streamguard.core.ports import Clock

UP, READY, MEDIA = "u", "r", "m"
"""What the process says, a line each: that it waits to be told a place; that it begins to look;
that media came."""

SPARES = 3
"""Viewers that wait, 66 MB each, half of it shared (measured); our choice: more streams than that
are seldom cut in one second."""


class Reader:
    """One viewer. Instants are Clock.monotonic() seconds."""

    def __init__(self, process: asyncio.subprocess.Process, clock: Clock) -> None:
        self._process = process
        self._clock = clock
        self.ready_s: float | None = None
        """Since when it looks; None before that, and where it has ended."""
        self.media_s: float | None = None
        """When media came last; None where none did."""

    def watch(self, place: Location) -> None:
        """Let it watch a place."""
        told = {
            "protocol": place.protocol,
            "url": place.url,
            "label": place.label,
            "rtmp_name": place.rtmp_name,
        }
        assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
        self._process.stdin.write(json.dumps(told).encode() + b"\n")

    async def hear(self) -> None:
        """Hear what it says, to its end."""
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        while line := await self._process.stdout.readline():
            word = line.decode().strip()
            if word == READY:
                self.ready_s = self._clock.monotonic()
            elif word == MEDIA:
                self.media_s = self._clock.monotonic()
        self.ready_s = None


class Readers:
    """The viewers of one enforcer; on its event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spares: deque[asyncio.subprocess.Process] = deque()
        self._filling: asyncio.Task[None] | None = None

    async def fill(self) -> None:
        """Have some wait; return once they do."""
        while len(self._spares) < SPARES:
            self._spares.append(await _started())

    @asynccontextmanager
    async def open(self, place: Location) -> AsyncIterator[Reader]:
        """Watch a place as long as this lasts."""
        process = await self._taken()
        reader = Reader(process, self._clock)
        hearing = asyncio.create_task(reader.hear())
        try:
            reader.watch(place)
            yield reader
        finally:
            await _ended(process)
            await hearing
            if self._filling is None or self._filling.done():  # nobody waits for it
                self._filling = asyncio.create_task(self.fill())

    async def close(self) -> None:
        """End those that wait."""
        if self._filling is not None:
            await asyncio.wait([self._filling])
        while self._spares:
            await _ended(self._spares.popleft())

    async def _taken(self) -> asyncio.subprocess.Process:
        while self._spares:
            process = self._spares.popleft()
            if process.returncode is None:
                return process
        return await _started()


async def _started() -> asyncio.subprocess.Process:
    """Start one; return once it waits to be told a place, or has ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "streamguard.enforce_reader"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # FFmpeg's words may hold the address
        env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
    )
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    await process.stdout.readline()
    return process


async def _ended(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
