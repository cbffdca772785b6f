"""Keeps the file of the reviewers from growing for ever.

Rule: every console does so, when it begins and then every hour; a little at a time, that who works
with the file gets their turn. Whatever goes wrong is said, and tried again.
"""

import asyncio

import structlog

from streamguard.core.errors import StreamguardError
from streamguard.review.desk import Desk
from streamguard.review.forgetting import forget_rest, forget_some

PRUNE_EVERY_S = 3600.0

PAUSE_S = 0.05
"""Between two steps: one takes less, so that most of the time is for those who work."""

log = structlog.get_logger()


async def keep_desk_pruned(desk: Desk, every_s: float = PRUNE_EVERY_S) -> None:
    """Forget what is old, again and again."""
    while True:
        try:
            n_cases = await prune_desk(desk)
        except StreamguardError as error:
            log.warning("desk_prune_failed", problem=str(error))
        except Exception:  # nobody who decides is to be stopped by what is forgotten or not
            log.exception("desk_prune_failed")
        else:
            if n_cases:
                log.info("desk_pruned", n_cases=n_cases)
        await asyncio.sleep(every_s)


async def prune_desk(desk: Desk) -> int:
    """Forget what is old now; give how many cases went.

    Raises:
        DeskUnavailable, LogUnavailable: the file or the log cannot be used now.
    """
    n_gone, after = await asyncio.to_thread(_some, desk, "")
    while after:
        await asyncio.sleep(PAUSE_S)
        n_some, after = await asyncio.to_thread(_some, desk, after)
        n_gone += n_some
    await asyncio.to_thread(_rest, desk)
    return n_gone


def _some(desk: Desk, after: str) -> tuple[int, str]:
    with desk.turn() as connection:
        return forget_some(connection, desk.wall(), after)


def _rest(desk: Desk) -> None:
    with desk.turn() as connection:
        forget_rest(connection, desk.wall())
