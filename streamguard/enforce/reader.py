"""Our own viewer of a stream, from this side: starts the process that watches, and hears it.

Rule: a viewer that is not there proves nothing; only from when it says that it looks does its
silence count.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from streamguard.adapters.worker_spawn import PASSED_ON
from streamguard.core.location import Location
from streamguard.core.ports import Clock

READY, MEDIA = "r", "m"
"""What the process says, a line each: that it begins to look; that media came."""


class Reader:
    """One viewer; a context manager on the event loop. Instants are Clock.monotonic() seconds."""

    def __init__(self, place: Location, clock: Clock) -> None:
        self._place = place
        self._clock = clock
        self._hearing: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.ready_s: float | None = None
        """Since when it looks; None before that, and where it has ended."""
        self.media_s: float | None = None
        """When media came last; None where none did."""

    async def __aenter__(self) -> Self:
        told = {
            "protocol": self._place.protocol,
            "url": self._place.url,
            "label": self._place.label,
            "rtmp_name": self._place.rtmp_name,
        }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "streamguard.enforce_reader"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # FFmpeg's words may hold the address
            env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
        )
        assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self._hearing = asyncio.create_task(self._hear(self._process))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None and self._hearing is not None  # noqa: S101, PT018  # entered
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._hearing

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        while line := await process.stdout.readline():
            word = line.decode().strip()
            if word == READY:
                self.ready_s = self._clock.monotonic()
            elif word == MEDIA:
                self.media_s = self._clock.monotonic()
        self.ready_s = None
