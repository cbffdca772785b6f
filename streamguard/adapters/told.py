"""Reads what the log tells, for all who follow it.

Rule: an event that cannot be read is told of once by each who meets it, and holds nobody up.
"""

import structlog

from streamguard.core.events import Event
from streamguard.core.reading import read_event
from streamguard.core.record import Record

log = structlog.get_logger()


def event_of(record: Record) -> Event | None:
    """Give the event of a record; None, and a line in our own log, where it cannot be read."""
    event = read_event(record.body)
    if event is None:
        log.error("event_not_understood", event_id=record.id, offset=record.offset)
    return event
