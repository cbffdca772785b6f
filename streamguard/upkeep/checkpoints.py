"""Brings what was committed from the log's write-ahead log into its file, while `run` lasts.

Rule: in a thread of its own: it takes 10 to 30 ms, which no commit of a flag waits for (measured).
Other processes that write do it themselves where nobody runs this.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from streamguard.adapters.sqlite_file import LogFile
from streamguard.core.errors import StreamguardError

LOOK_EVERY_S = 0.1
"""A look takes 0.05 ms. A replay of 18,000 flags a second fills 1,000 pages in two of them."""

log = structlog.get_logger()


@contextmanager
def checkpointing(file: Path) -> Iterator[None]:
    """Look after the write-ahead log of a log that exists, as long as this lasts.

    Raises:
        LogUnavailable: it cannot be opened.
    """
    opened, stop = LogFile(file), threading.Event()
    thread = threading.Thread(target=_run, args=(opened, stop), name="checkpoints", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        opened.close()


def _run(file: LogFile, stop: threading.Event) -> None:
    is_well = True
    while not stop.wait(LOOK_EVERY_S):
        try:
            file.checkpoint()
        except StreamguardError as error:
            if is_well:
                log.warning("checkpoint_failed", problem=str(error))
            is_well = False
        except Exception:  # a thread that ends is never seen again
            log.exception("checkpoint_failed")
        else:
            is_well = True
