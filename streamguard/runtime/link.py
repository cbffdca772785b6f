"""One end of the socket between supervisor and worker.

Rule: messages arrive whole and in order, or the link is over; who writes never waits for long, for
the other end reads all the time.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

import msgspec

from streamguard.runtime.wire import HEADER, MAX_MESSAGE_BYTES, ToSupervisor, ToWorker, framed

M = TypeVar("M", bound=ToSupervisor | ToWorker)


class Link(Generic[M]):
    """Reads messages M and writes those of the other kind; on the event loop."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        read: Callable[[bytes], M],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._read = read

    @classmethod
    async def over(cls, end: socket.socket, read: Callable[[bytes], M]) -> "Link[M]":
        """Take one end of a connected pair."""
        reader, writer = await asyncio.open_connection(sock=end)
        return cls(reader, writer, read)

    def send(self, message: ToWorker | ToSupervisor) -> None:
        """Write a message; one to an end that is gone is lost, as that end is."""
        if not self._writer.is_closing():
            self._writer.write(framed(message))

    async def messages(self) -> AsyncIterator[M]:
        """Give what the other end says, until it is gone."""
        try:
            while True:
                (length,) = HEADER.unpack(await self._reader.readexactly(HEADER.size))
                if length > MAX_MESSAGE_BYTES:
                    return
                yield self._read(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.MsgspecError):
            return

    async def flushed(self) -> None:
        """Wait until what was sent is out."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    def close(self) -> None:
        """End the link."""
        self._writer.close()
