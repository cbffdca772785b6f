"""Keys that sign, as files hold them: Ed25519 in PEM, the private ones and the public.

Rule: a key is named by what tells nothing of it; what is no such key is told by None.
"""

import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)

Key = Ed25519PrivateKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new key, PEM, and its name."""

    private: bytes
    public: bytes
    name: str


def keys_in(content: bytes) -> list[Key | None]:
    """Give the keys of a file in their order; None for each that is none of Ed25519."""
    return [_read(each.group()) for each in _PEM.finditer(content)]


def key_name(key: bytes) -> str:
    """Name a key by 16 hex digits, from its bytes."""
    return hashlib.sha256(b"streamguard key id" + key).hexdigest()[:16]


def public_of(key: Key) -> Ed25519PublicKey:
    """Give the public half of a key."""
    return key.public_key() if isinstance(key, Ed25519PrivateKey) else key


def name_of(key: Key) -> str:
    """Name a key that signs; both halves have one name."""
    return key_name(public_of(key).public_bytes_raw())


def private_pem(key: Ed25519PrivateKey) -> bytes:
    """Write a private key."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Write a public key."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def new_pair() -> KeyPair:
    """Make a key."""
    key = Ed25519PrivateKey.generate()
    return KeyPair(private_pem(key), public_pem(key.public_key()), name_of(key))


def is_signed(key: Ed25519PublicKey, signature: str, content: bytes) -> bool:
    """Say whether a signature, lower-case hex, is of this content by this key."""
    try:
        raw = bytes.fromhex(signature)
        if raw.hex() != signature:
            return False
        key.verify(raw, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _read(pem: bytes) -> Key | None:
    try:
        if b"PUBLIC" in pem.splitlines()[0]:
            public = load_pem_public_key(pem)
            return public if isinstance(public, Ed25519PublicKey) else None
        private = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        return None
    return private if isinstance(private, Ed25519PrivateKey) else None
