"""Keeps the event log from growing for ever.

Rule: one process prunes: the one that screens.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import RETENTION_S, Topic
from streamguard.core.ports import Exporter

PRUNE_EVERY_S = 3600.0

PAUSE_S = 0.05
"""Between two steps of a pruning: one takes about as long, so half of the time is for writers."""

log = structlog.get_logger()


def watch_groups(event_log: SqliteLog, meter: Exporter, enforcer: str) -> None:
    """Show how many consumer groups pruning does not wait for: what they need may go.

    And how long the enforcer, the group of that name, has left a decision unread.
    """

    def n_dropped() -> float:
        try:
            return len(event_log.dropped_groups())
        except LogUnavailable:
            return math.nan

    meter.watch(
        "consumer_groups_dropped",
        "Consumer groups that were silent for a day: pruning waits for them no longer.",
        n_dropped,
    )

    def unread_s() -> float:
        try:
            place = event_log.position(enforcer)
            unread = [] if place is None else event_log.read(place, Topic.DECISIONS, 1)
        except LogUnavailable:
            return math.nan
        return max(0.0, time.time() - unread[0].recorded_s) if unread else 0.0

    meter.watch(
        "enforcer_unread_seconds",
        "Seconds that the oldest decision waits which the enforcer has not read; 0 where there is"
        " none, and where no enforcer has read this log yet.",
        unread_s,
    )


async def keep_pruned(file: Path, *, has_broker: bool) -> None:
    """Remove what is past retention, over a connection of its own."""
    while True:
        await asyncio.to_thread(_prune, file, has_broker=has_broker)
        await asyncio.sleep(PRUNE_EVERY_S)


def _prune(file: Path, *, has_broker: bool) -> None:
    retention = {str(topic): float(seconds) for topic, seconds in RETENTION_S.items()}
    try:
        with SqliteLog(file, "write") as event_log:
            n_removed = _prune_all(event_log, retention, has_broker=has_broker)
    except LogUnavailable as error:
        log.warning("prune_failed", problem=str(error))
        return
    if n_removed:
        log.info("log_pruned", n_removed=n_removed)


def _prune_all(event_log: SqliteLog, retention: Mapping[str, float], *, has_broker: bool) -> int:
    """Remove a little at a time, that writers get their turns; give how many records went."""
    n_removed = 0
    while True:
        report = event_log.prune(time.time(), retention, has_broker=has_broker)
        for group in report.dropped_groups:
            log.error("consumer_group_dropped", group=group)
        n_removed += report.n_removed
        if not report.n_removed:
            return n_removed
        time.sleep(PAUSE_S)
