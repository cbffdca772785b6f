"""Keeps the event log from growing for ever.

Rule: one process prunes: the one that screens.
"""

import asyncio
import time
from pathlib import Path

import structlog

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import RETENTION_S

PRUNE_EVERY_S = 3600.0

log = structlog.get_logger()


async def keep_pruned(file: Path, *, has_broker: bool) -> None:
    """Remove what is past retention, over a connection of its own."""
    while True:
        await asyncio.to_thread(_prune, file, has_broker=has_broker)
        await asyncio.sleep(PRUNE_EVERY_S)


def _prune(file: Path, *, has_broker: bool) -> None:
    retention = {str(topic): float(seconds) for topic, seconds in RETENTION_S.items()}
    try:
        with SqliteLog(file, "write") as event_log:
            report = event_log.prune(time.time(), retention, has_broker=has_broker)
    except LogUnavailable as error:
        log.warning("prune_failed", problem=str(error))
        return
    for group in report.dropped_groups:
        log.error("consumer_group_dropped", group=group)
    if report.n_removed:
        log.info("log_pruned", n_removed=report.n_removed)
