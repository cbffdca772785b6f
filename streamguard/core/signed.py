"""What of an event is signed, so that whoever takes it from elsewhere knows who wrote it.

Rule: every attribute counts, but for the signature, and every byte of the data; that a broker shows
attributes as headers, in whatever order, changes nothing.
"""

from typing import Literal

from streamguard.core.canonical import canonical
from streamguard.core.events import KINDS, EventType, Topic
from streamguard.core.glance import attributes_and_data
from streamguard.core.record import Record

Refusal = Literal["unsigned", "unknown_key", "wrong"]
"""Why what came from elsewhere is not believed: nobody signed it, nobody whom we trust did, or it
is not what was signed."""

_PURPOSE = b"streamguard signed event 1\n"
"""A signature of something else that begins otherwise is none of an event."""

_SIGNED_TYPES = frozenset(name for name in EventType if KINDS[name].topic is Topic.DECISIONS)


def is_for_signing(topic: str, event_type: str) -> bool:
    """Say whether an event decides something, by the topic that it is in or by what it says."""
    return topic == Topic.DECISIONS or event_type in _SIGNED_TYPES


def needs_signature(record: Record) -> bool:
    """Say whether a record that came from elsewhere is believed only where it is signed."""
    return is_for_signing(record.topic, record.type)


def signed_bytes(body: str) -> bytes:
    """Give what is signed of an event: a line of ours, its attributes in a line, then its data.

    Args:
        body: the whole event as JSON. The attributes are written as RFC 8785 has it, without
            `signature`; the data as they stand.

    Raises:
        KeyError: it has no data.
        ValueError, msgspec.MsgspecError: it is no event.
    """
    attributes, data = attributes_and_data(body)
    attributes.pop("signature", None)
    return _PURPOSE + canonical(attributes) + b"\n" + data
