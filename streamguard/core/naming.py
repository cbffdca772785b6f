"""Names streams and sessions that were found, without telling what they are called there.

Rule: what comes out says nothing of a path, which may hold a stream key, to who does not have the
deployment's secret; the same path has the same id for as long as the secret stays.
"""

import base64
import hmac

from streamguard.core.published import SessionKey

MIN_SECRET_BYTES = 32
"""As long as the digest. Source: RFC 2104, section 3."""

ID_BYTES = 10
"""80 bits, 16 characters: among a million streams two share an id with a chance of 4e-13."""

SESSION_BYTES = 15
"""120 bits, 24 characters: as many sessions as there ever will be."""


def stream_id_of(secret: bytes, server: str, path: str) -> str:
    """Name a stream: its server, and what stands for its path."""
    return f"{server}-{_digest(secret, ID_BYTES, 'stream', server, path)}"


def session_text(secret: bytes, session: SessionKey) -> str:
    """Name a publish."""
    names = ("session", session.server, session.path, session.publisher)
    return _digest(secret, SESSION_BYTES, *names)


def _digest(secret: bytes, n_bytes: int, *names: str) -> str:
    """Fold names into text; their lengths are in it, so that no two lists of names are alike."""
    folded = b"".join(b"%d:%b" % (len(raw), raw) for raw in (name.encode() for name in names))
    digest = hmac.digest(secret, folded, "sha256")[:n_bytes]
    return base64.b32encode(digest).decode().lower()
