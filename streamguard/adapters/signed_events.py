"""Signs what is decided, and tells whether what came from elsewhere was signed by one we trust.

Rule: a signature is part of its event, and goes wherever that goes: it waits in the log, is sent
again, lies among the dead letters. A key in use and those of others are in files of their own; who
checks has public keys alone, and so could forge nothing.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from streamguard.adapters.ed25519_pem import Key, is_signed, keys_in, name_of
from streamguard.core.errors import ConfigError
from streamguard.core.events import Event
from streamguard.core.record import Row, row_of
from streamguard.core.signed import Refusal, is_for_signing, signed_bytes


class _Claim(msgspec.Struct):
    signedby: str | None = None
    signature: str | None = None


_CLAIM = msgspec.json.Decoder(_Claim)


class Signer:
    """Writes events out, those that decide something with a signature."""

    def __init__(self, file: Path) -> None:
        """Read the key.

        Raises:
            ConfigError: the file cannot be read, or holds anything but one private key.
        """
        keys = _keys_of(file)
        if len(keys) != 1 or not isinstance(keys[0], Ed25519PrivateKey):
            raise ConfigError(
                f"{file}: it holds no private key of Ed25519, or more than that:"
                " `streamguard decision-key make` makes one"
            )
        self._key = keys[0]
        self.name = name_of(self._key)
        """Names the key."""

    def row(self, event: Event | Row) -> Row:
        """Write an event out; a row is one already."""
        if isinstance(event, Row) or not is_for_signing(event.topic, event.type):
            return row_of(event)
        named = event.model_copy(update={"signedby": self.name, "signature": None})
        signature = self._key.sign(signed_bytes(named.to_json())).hex()
        return row_of(named.model_copy(update={"signature": signature}))


class Trusted:
    """The keys of those who may decide."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Read the keys; each file may hold several.

        Raises:
            ConfigError: a file cannot be read, holds no key, or a private one.
        """
        keys = [key for file in files for key in _public_in(file)]
        self._keys = {name_of(key): key for key in keys}

    @property
    def names(self) -> frozenset[str]:
        """Name the keys."""
        return frozenset(self._keys)

    def refusal(self, body: str) -> Refusal | None:
        """Say why an event is not believed; None where one whom we trust signed exactly that."""
        try:
            claim = _CLAIM.decode(body)
            if claim.signature is None or claim.signedby is None:
                return "unsigned"
            key = self._keys.get(claim.signedby)
            if key is None:
                return "unknown_key"
            is_right = is_signed(key, claim.signature, signed_bytes(body))
        except (msgspec.MsgspecError, ValueError, KeyError):
            return "wrong"
        return None if is_right else "wrong"


def _public_in(file: Path) -> list[Ed25519PublicKey]:
    found = _keys_of(file)
    if any(isinstance(key, Ed25519PrivateKey) for key in found):
        raise ConfigError(f"{file}: it holds a private key: name the public one, {file}.pub")
    keys = [key for key in found if isinstance(key, Ed25519PublicKey)]
    if not keys or len(keys) < len(found):
        raise ConfigError(f"{file}: it holds no public key of Ed25519, or something else as well")
    return keys


def _keys_of(file: Path) -> list[Key | None]:
    try:
        return keys_in(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file}: this key cannot be read: {error.strerror}") from None
