"""How an event goes to somebody else's queue by HTTP, and what the answer means.

Rule: the form is that of Standard Webhooks, for which receivers have libraries; each try is signed
anew, so that a receiver can refuse what is old.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streamguard.core.record import Record

REPLAY_WINDOW_S = 300.0
"""A receiver refuses what was signed longer ago, or so far ahead; source: the libraries of Standard
Webhooks."""

MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
"""Source: Standard Webhooks, "Signature scheme"."""

PREFIX = "whsec_"

Meaning = Literal["done", "again", "refused"]
"""`refused`: this event, for what it is; `again`: nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try.

    what:   says it to people.
    wait_s: how long the receiver asked us to wait, at the least, seconds.
    """

    meaning: Meaning
    what: str
    wait_s: float = 0.0


_REFUSALS = frozenset({400, 413, 415, 422})


def secret_of(text: str) -> bytes:
    """Read a secret, 24 to 64 bytes in base64, with or without `whsec_` before it.

    Raises:
        ValueError: it is none.
    """
    try:
        secret = base64.b64decode(text.strip().removeprefix(PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
        raise ValueError(
            f"a webhook secret is {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes in base64, as "
            "`openssl rand -base64 32` makes them"
        )
    return secret


def headers_of(record: Record, secret: bytes, now_s: float) -> dict[str, str]:
    """Give the headers of one try.

    `webhook-id` is the event's: whoever has seen it has the event. Events of one `sg-key`, a
    stream, come in their order, each after the one before was taken.

    now_s: seconds since 1970 UTC.
    """
    at_s = str(int(now_s))
    return {
        "content-type": "application/cloudevents+json",
        "webhook-id": record.id,
        "webhook-timestamp": at_s,
        "webhook-signature": f"v1,{_signature(record.id, at_s, record.body.encode(), secret)}",
        "sg-key": record.key,
        "sg-type": record.type,
    }


def is_authentic(headers: Mapping[str, str], body: bytes, secret: bytes, now_s: float) -> bool:
    """Say what a receiver has to: whether it comes from whoever has the secret, and lately."""
    event_id, at_s, given = (
        headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    )
    if not at_s.isdecimal() or abs(now_s - int(at_s)) > REPLAY_WINDOW_S:
        return False
    ours = f"v1,{_signature(event_id, at_s, body, secret)}"
    return any(hmac.compare_digest(one.encode(), ours.encode()) for one in given.split())


def meaning_of(status: int) -> Meaning:
    """Say what an HTTP status means for the event.

    What points at the way there (a wrong address or secret, too many requests, a server in trouble)
    says nothing of the event: it waits.
    """
    if 200 <= status < 300:  # noqa: PLR2004  # RFC 9110, 15.3: successful
        return "done"
    return "refused" if status in _REFUSALS else "again"


def _signature(event_id: str, at_s: str, body: bytes, secret: bytes) -> str:
    signed = b".".join((event_id.encode(), at_s.encode(), body))
    return base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
