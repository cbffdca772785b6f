"""What a process owes the machine it runs on: signals, exit codes, logs.

Rule: this is the only place that configures logging and handles signals.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def run_until_signal(main: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
    """Run `main` with a stop event that SIGINT and SIGTERM set; a second SIGINT forces the end.

    Returns:
        What `main` returned, or 130 after SIGINT.
    """

    async def watched() -> int:
        stop = asyncio.Event()
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
        # found anew for each line: whoever replaces sys.stderr gets what follows
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
