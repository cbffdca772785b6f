"""Keeps streams screened: one task each, across reconnects and sessions.

Rule: one stream's trouble never touches another. A retriable error is tried again for as long as the
process lives; a bug ends that stream's session, is logged with its traceback, and starts it anew.
"""

import asyncio
import random
from contextlib import suppress

import structlog

from streamguard.core.backoff import delay_s
from streamguard.core.errors import SourceCorrupt, StreamguardError
from streamguard.core.types import GapReason
from streamguard.runtime.screen import Parts, Stream, StreamScreen

SESSION_PATIENCE_S = 30.0
"""A stream that stays away so long has ended: what comes later is another session."""

log = structlog.get_logger()


async def screen_once(stream: Stream, parts: Parts, stop: asyncio.Event) -> Exception | None:
    """Screen one connection of one stream; return what ended it, None at its end or a stop."""
    async with asyncio.TaskGroup() as tasks:
        screen = StreamScreen(stream, parts, tasks)
        error = await screen.connect(stop)
        await screen.finish(_reason(error, stop))
    return error


async def keep_screening(stream: Stream, parts: Parts, stop: asyncio.Event) -> None:
    """Screen a live stream, session after session, until `stop`."""
    n_failures = 0
    while not stop.is_set():
        async with asyncio.TaskGroup() as tasks:
            screen = StreamScreen(stream, parts, tasks)
            error: Exception | None = None
            while not stop.is_set():
                error = await screen.connect(stop)
                n_failures = n_failures + 1 if screen.connection_failed else 1
                if stop.is_set() or error is None or not _is_retriable(error):
                    break
                _report(stream, error, n_failures)
                parts.meter.reconnected(_reason(error, stop))
                await screen.away(_gap_reason(error))
                if screen.away_s > SESSION_PATIENCE_S and screen.has_begun:
                    break
                await _pause(delay_s(n_failures, random.random()), stop)
            await screen.finish(_reason(error, stop))
        if error is not None and not _is_retriable(error):
            _report(stream, error, n_failures)
        await _pause(delay_s(max(2, n_failures), random.random()), stop)


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _is_retriable(error: Exception) -> bool:
    return isinstance(error, StreamguardError) and error.retriable


def _gap_reason(error: Exception) -> GapReason:
    is_corrupt = isinstance(error, SourceCorrupt)
    return GapReason.SOURCE_CORRUPT if is_corrupt else GapReason.SOURCE_UNAVAILABLE


def _reason(error: Exception | None, stop: asyncio.Event) -> str:
    """Say in one word why a session ended."""
    if error is None:
        return "interrupted" if stop.is_set() else "ended"
    return error.reason if isinstance(error, StreamguardError) else "internal"


def _report(stream: Stream, error: Exception, n_failures: int) -> None:
    if not isinstance(error, StreamguardError):
        log.error("stream_failed", stream_id=stream.stream_id, exc_info=error)
    elif n_failures <= 1 or n_failures % 30 == 0:
        log.warning(
            "source_lost", stream_id=stream.stream_id, reason=error.reason, problem=str(error)
        )
