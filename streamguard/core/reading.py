"""Reads events back that this or another version wrote.

Rule: a version may add optional fields, so that what is not known is passed over; what cannot be
read otherwise is nobody's reason to stop, and None says so.
"""

import json

from pydantic import ValidationError

from streamguard.core.events import KINDS, Event, EventType


def read_event(body: str) -> Event | None:
    """Read an event as the log keeps it; None where it says what this version cannot know."""
    try:
        return Event.model_validate_json(body)
    except ValidationError:
        pass  # mostly a field that a later version added
    try:
        said = json.loads(body)
        kind = KINDS[EventType(said["type"])]
        data = kind.data.model_validate(said["data"], extra="ignore")
        return Event.model_validate(said | {"data": data}, extra="ignore")
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
