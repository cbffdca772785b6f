"""Writes events as JSON Lines to a text stream: the log of `streamguard screen`.

Rule: one event a line, flushed before it counts as committed. A reader that has gone wants no more,
which is no error; a disk that is full is one.
"""

from collections.abc import Callable, Sequence
from typing import TextIO

from streamguard.core.errors import LogUnavailable
from streamguard.core.events import Event


class StdoutLog:
    """An event log that is a pipe to somebody else."""

    def __init__(self, stream: TextIO, on_gone: Callable[[], object] = lambda: None) -> None:
        """Write to `stream`; `on_gone` is called, in the writing thread, when its reader leaves."""
        self._stream = stream
        self._on_gone = on_gone

    def append(self, events: Sequence[Event]) -> None:
        """Print events in order.

        Raises:
            LogUnavailable: the disk behind it is full.
        """
        try:
            self._stream.writelines(f"{event.to_json()}\n" for event in events)
            self._stream.flush()
        except BrokenPipeError:
            self._on_gone()
        except OSError as error:
            raise LogUnavailable(f"standard output cannot be written: {error.strerror}") from None
