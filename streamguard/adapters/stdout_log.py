"""Writes events as JSON Lines to a text stream: the log of `streamguard screen`.

Rule: one event a line, flushed before it counts as committed.
"""

from collections.abc import Sequence
from typing import TextIO

from streamguard.core.errors import LogUnavailable
from streamguard.core.events import Event


class StdoutLog:
    """An event log that is a pipe to somebody else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def append(self, events: Sequence[Event]) -> None:
        """Print events in order.

        Raises:
            LogUnavailable: the reader has gone, or the disk behind it is full.
        """
        try:
            self._stream.writelines(f"{event.to_json()}\n" for event in events)
            self._stream.flush()
        except OSError as error:
            raise LogUnavailable(f"standard output cannot be written: {error.strerror}") from None
