"""Writes events as JSON Lines to standard output: the log of `streamguard screen`.

Rule: one event a line, handed to the system before it counts as committed. What a full disk took
half of goes on from there: no line is broken, none is written twice.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Sequence
from typing import IO

from streamguard.core.account import Account
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import Event
from streamguard.core.record import Row, row_of


class StdoutLog:
    """An event log that is a pipe to somebody else."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._rest = b""  # lines, the first perhaps without its beginning, that are not out yet
        self._seen: set[str] = set()  # their ids, and those of all before: a few in a minute

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:  # noqa: ARG002  # nobody goes on with them
        """Print events in order; an id seen before is ignored.

        Raises:
            LogUnavailable: the disk behind it is full; the next call goes on where this one ended.
        """
        for event in events:
            if event.id not in self._seen:
                self._seen.add(event.id)
                self._rest += f"{row_of(event).body}\n".encode()
        try:
            self._stream.flush()
            while self._rest:
                self._rest = self._rest[os.write(self._stream.fileno(), self._rest) :]
        except BrokenPipeError:
            self._rest = b""  # `when_reader_leaves` tells whom it concerns
        except OSError as error:
            raise LogUnavailable(f"standard output cannot be written: {error.strerror}") from None


def when_reader_leaves(stream: IO[str], call: Callable[[], object]) -> None:
    """Call once, on the running event loop, when nobody reads a stream's pipe or socket any more.

    A quiet stream may write nothing for hours after its reader has left. Nothing is called for a
    file or a terminal. Source: epoll(7), the writing end of a pipe is reported as soon as its
    reading end is closed.
    """
    descriptor = stream.fileno()
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(descriptor)
        call()

    loop.add_reader(descriptor, gone)
