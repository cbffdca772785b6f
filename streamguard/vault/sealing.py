"""Encrypts the parts of an evidence, fragment by fragment: AES-256-GCM.

Rule: a fragment is bound to its evidence, its part and its place there; what was changed, moved,
cut off or taken from elsewhere is not opened.

A sealed part is a header (SGE1, bytes of a full fragment, number of fragments, bytes of all) and
the fragments in order, each a random nonce of 12 bytes, the encrypted bytes, and a tag of 16.
"""

import os
import struct
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streamguard.core.errors import EvidenceDamaged

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16

FRAGMENT_BYTES = 1 << 20
"""Plain bytes of a full fragment: a player may be served from the middle, a mebibyte at a time."""

MAGIC = b"SGE1"
HEADER = struct.Struct("<4sIIQ")
PLACE = struct.Struct("<16sII")
"""Evidence, part and fragment: what a fragment is bound to, beside the header."""


def new_key() -> bytes:
    """Draw a key."""
    return os.urandom(KEY_BYTES)


def sealed(key: bytes, evidence_id: str, number: int, content: bytes) -> bytearray:
    """Encrypt a part of an evidence; beside the part there is no more than this in memory."""
    n_fragments = max(1, -(-len(content) // FRAGMENT_BYTES))
    header = HEADER.pack(MAGIC, FRAGMENT_BYTES, n_fragments, len(content))
    stored = bytearray(HEADER.size + len(content) + n_fragments * (NONCE_BYTES + TAG_BYTES))
    stored[: HEADER.size], at, cipher = header, HEADER.size, AESGCM(key)
    for index in range(n_fragments):
        nonce = os.urandom(NONCE_BYTES)
        plain = content[index * FRAGMENT_BYTES : (index + 1) * FRAGMENT_BYTES]
        bound = header + PLACE.pack(UUID(evidence_id).bytes, number, index)
        fragment = nonce + cipher.encrypt(nonce, plain, bound)
        stored[at : at + len(fragment)] = fragment
        at += len(fragment)
    return stored


def opened(key: bytes, evidence_id: str, number: int, content: bytes) -> bytes:
    """Decrypt a part of an evidence.

    Raises:
        EvidenceDamaged: it is not what was sealed, as a whole and here.
    """
    if len(content) < HEADER.size:
        raise EvidenceDamaged("is cut off")
    header = content[: HEADER.size]
    magic, fragment_bytes, n_fragments, size = HEADER.unpack(header)
    expected = HEADER.size + size + n_fragments * (NONCE_BYTES + TAG_BYTES)
    if magic != MAGIC or fragment_bytes != FRAGMENT_BYTES or len(content) != expected:
        raise EvidenceDamaged("is no sealed part, or has another length than it says")
    cipher, pieces, at = AESGCM(key), list[bytes](), HEADER.size
    for index in range(n_fragments):
        end = min(at + NONCE_BYTES + FRAGMENT_BYTES + TAG_BYTES, len(content))
        nonce, fragment = content[at : at + NONCE_BYTES], content[at + NONCE_BYTES : end]
        bound = header + PLACE.pack(UUID(evidence_id).bytes, number, index)
        try:
            pieces.append(cipher.decrypt(nonce, fragment, bound))
        except (InvalidTag, ValueError):
            raise EvidenceDamaged(f"fragment {index} is not what was sealed") from None
        at = end
    return b"".join(pieces)
