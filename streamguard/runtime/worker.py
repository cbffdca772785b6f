"""Keeps streams screened: one task each, across reconnects and sessions.

Rule: one stream's trouble never touches another. A retriable error is tried again as long as the
process lives; a bug ends that stream's session, is logged with its traceback, and starts it anew.
"""

import asyncio
import random
from dataclasses import replace

import structlog

from streamguard.core.backoff import delay_s
from streamguard.core.errors import SourceCorrupt, SourceUnavailable, StreamguardError
from streamguard.core.types import GapReason
from streamguard.runtime.notes import Ended
from streamguard.runtime.parts import Parts, Stream
from streamguard.runtime.screen import StreamScreen
from streamguard.runtime.stop import Stop

SESSION_PATIENCE_S = 30.0
"""A stream that stays away so long has ended: what comes later is another session. Of a stream that
was found, discovery says when it has ended: it is released then."""

HEALTHY_S = 30.0
"""A connection that lasted so long was good: what ends it is a first failure again."""

NEWS_S = 2.0
"""How long discovery is given to say what is published on a server that was down and is back: two
of its questions. Tried at once, what is published there now would pass for what was before."""

REPORT_EVERY = 30
"""Failures in a row between two log lines about the same stream: one a minute at most."""

log = structlog.get_logger()


async def screen_once(stream: Stream, parts: Parts, stop: Stop) -> Exception | None:
    """Screen one connection of one stream; return what ended it, None at its end or a stop."""
    async with asyncio.TaskGroup() as tasks:
        screen = StreamScreen(stream, parts, tasks)
        ended = await screen.connect(stop)
        if screen.has_begun:
            await screen.finish(_reason(ended.error, stop))
    return ended.error


async def keep_screening(stream: Stream, parts: Parts, stop: Stop) -> None:
    """Screen a live stream, session after session, until `stop`."""
    tries = _Tries(stream, parts)
    while not stop.is_set():
        try:
            async with asyncio.TaskGroup() as tasks:
                screen = StreamScreen(stream, parts, tasks)
                parts.board.began(stream.stream_id, screen.standing)
                await _screen_session(screen, tries, stop)
        except Exception as bug:  # noqa: BLE001  # one stream's, and no other's
            tries.count(Ended(bug, 0, None))
        found_s = None if stream.found_s is None else parts.clock.monotonic()
        stream = replace(stream, before=None, found_s=found_s)
        await tries.pause(stop)
    parts.board.left(stream.stream_id)
    parts.scheduler.forget(stream.stream_id)


async def _screen_session(screen: StreamScreen, tries: "_Tries", stop: Stop) -> None:
    """Screen one session; a source that comes back in time goes on with it."""
    await screen.go_on()
    while True:
        ended = await screen.connect(stop)
        tries.count(ended)
        if stop.is_set() or not screen.has_begun or tries.is_over(ended.error):
            break
        await screen.away(_gap_reason(ended.error), ended.read_until_s)
        await tries.pause(stop)
        if stop.is_set():
            break
    if screen.has_begun:
        await screen.finish(_reason(ended.error, stop))


class _Tries:
    """How often a stream was tried since a connection last was good."""

    def __init__(self, stream: Stream, parts: Parts) -> None:
        self._stream = stream
        self._parts = parts
        self._n_failures = 0
        self._asked_s = 0.0
        self._lost_at_s = stream.before.accounted_s if stream.before else 0.0
        self._tried_at_s = parts.clock.monotonic()

    def count(self, ended: Ended) -> None:
        """Take note of a connection that ended; say so once, and again now and then."""
        error = ended.error
        self._asked_s = error.retry_after_s if isinstance(error, SourceUnavailable) else 0.0
        now_s = self._parts.clock.monotonic()
        if ended.n_packets:
            self._lost_at_s = now_s
            if now_s - self._tried_at_s >= HEALTHY_S:
                self._n_failures = 0
        self._n_failures += 1
        self._parts.board.failed(self._stream.stream_id, _problem(error))
        if error is None:
            return
        self._parts.meter.reconnected(_reason_of(error))
        stream_id = self._stream.stream_id
        if not isinstance(error, StreamguardError):
            log.error("stream_failed", stream_id=stream_id, exc_info=error)
        elif self._n_failures == 1 or self._n_failures % REPORT_EVERY == 0:
            log.warning("source_lost", stream_id=stream_id, problem=str(error))

    def is_over(self, error: Exception | None) -> bool:
        """Say whether the session ends with this connection; None is the end of the stream."""
        if self._stream.session_key:
            return error is not None and not is_retriable(error)
        away_s = self._parts.clock.monotonic() - self._lost_at_s
        return not is_retriable(error) or away_s > SESSION_PATIENCE_S

    async def pause(self, stop: Stop) -> None:
        """Wait before the next try, at least as long as the server asked for, or for a stop."""
        seconds = delay_s(self._n_failures, random.random())  # noqa: S311  # spreads, hides nothing
        seconds += self._asked_s
        settle_s = NEWS_S if self._stream.session_key else 0.0
        if await self._parts.doors.wait(self._stream.location, seconds, stop, settle_s):
            self._n_failures = 1  # the server is back; its publishers may take a little longer
        self._tried_at_s = self._parts.clock.monotonic()


def is_retriable(error: Exception | None) -> bool:
    """Say whether the same connection may be tried again within the session."""
    return isinstance(error, StreamguardError) and error.retriable


def _problem(error: Exception | None) -> str:
    """Say what people may see of an error."""
    if error is None:
        return ""
    return str(error) if isinstance(error, StreamguardError) else "a bug, see the log"


def _gap_reason(error: Exception | None) -> GapReason:
    is_corrupt = isinstance(error, SourceCorrupt)
    return GapReason.SOURCE_CORRUPT if is_corrupt else GapReason.SOURCE_UNAVAILABLE


def _reason(error: Exception | None, stop: Stop) -> str:
    """Say in one word why a session ended."""
    if stop.is_set() and (error is None or stop.reason != "interrupted"):
        return stop.reason
    return "ended" if error is None else _reason_of(error)


def _reason_of(error: Exception) -> str:
    return error.reason if isinstance(error, StreamguardError) else "internal"
