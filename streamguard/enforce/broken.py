"""Errors that nobody foresaw: a mistake of ours, or odd bytes of a server.

Rule: one costs the one thing at hand, never the enforcer; what it says may hold a stream key, so
that only its kind and its place are told.
"""

import structlog

TRIES = 8
"""Times that an action may break before it is given up: with the pauses between them some three
seconds, so that a server's bad moment passes and a person hears of a mistake soon (our choice)."""

log = structlog.get_logger()


class Broken:
    """Counts them for one part of the enforcer; any thread."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, event: str, error: Exception, **about: str) -> None:
        """Log one under the name `event`, with what it is about, and count it."""
        self.count += 1
        log.error(event, error=type(error).__name__, place=_place(error), **about)


def _place(error: Exception) -> str:
    """Say where it was raised, as `module:line`."""
    trace, place = error.__traceback__, "nowhere"
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
