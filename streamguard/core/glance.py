"""Reads of an event that is written out only what delivery asks for.

Rule: what need not be read is not: all of its JSON, read and written anew, took half of the time
that a record has in a replay.
"""

import msgspec

from streamguard.core.event_data import utc_seconds


class _Rescreened(msgspec.Struct):
    is_rescreened: bool = False


class _Glance(msgspec.Struct):
    time: str
    data: _Rescreened


_GLANCE = msgspec.json.Decoder(_Glance)
_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


def time_s(body: str) -> float:
    """Give the instant of what happened, seconds since 1970 UTC."""
    return utc_seconds(_GLANCE.decode(body).time)


def is_rescreened(body: str) -> bool:
    """Say whether it tells of something that had been shown before its entry was known."""
    return _GLANCE.decode(body).data.is_rescreened


def attributes_and_data(body: str) -> tuple[dict[str, str], bytes]:
    """Give an event's attributes by name, and its data as they are written."""
    event = _PARTS.decode(body)
    data = event.pop("data")
    return {name: _TEXT.decode(value) for name, value in event.items()}, bytes(data)
