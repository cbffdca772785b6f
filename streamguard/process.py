"""What a process owes the machine it runs on: signals, exit codes, logs.

Rule: this is the only place that configures logging and handles signals.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self

import structlog

from streamguard.runtime.stop import Stop

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def run_until_signal(main: Callable[[Stop], Coroutine[Any, Any, int]]) -> int:
    """Run `main` with a stop event that SIGINT and SIGTERM set; a second SIGINT forces the end.

    Returns:
        What `main` returned, or 130 after SIGINT.
    """

    async def watched() -> int:
        stop = Stop()
        loop = asyncio.get_running_loop()
        interrupted = False

        def on_interrupt() -> None:
            nonlocal interrupted
            if interrupted:
                os._exit(INTERRUPTED)
            interrupted = True
            stop.set()

        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGINT, on_interrupt)
        code = await main(stop)
        return INTERRUPTED if interrupted else code

    return asyncio.run(watched())


class Interrupt:
    """Takes SIGINT and SIGTERM while a loop without asyncio runs; a second one ends the process.

    Python raises an exception for SIGINT only where its starter did not have it ignored, as shells
    have it for what runs in the background.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._before: dict[int, Any] = {}
        self.code = 0
        """Exit code: 130 after SIGINT, 0 after SIGTERM."""

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until a signal came; say whether one did."""
        return self._stop.wait(seconds)

    def _on_signal(self, number: int, _: object) -> None:
        self.code = INTERRUPTED if number == signal.SIGINT else 0
        self._restore()
        self._stop.set()

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)


def configure_logging() -> None:
    """Log to stderr: JSON, or lines for people where that is a terminal."""
    is_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if is_terminal
            else structlog.processors.format_exc_info,
            *([] if is_terminal else [structlog.processors.JSONRenderer()]),
        ],
        # found anew for each line: whoever replaces sys.stderr gets what follows; a line is one
        # write, for several processes share it
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
