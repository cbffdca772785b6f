"""The keys of a deployment's evidence: one that wraps data keys, and one that signs.

Rule: they are in files of their own, never in the evidence's directory, and in no process but the
one that keeps evidence. Of each file the first key is in use; the others are of former times.
"""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streamguard.adapters.ed25519_pem import (
    is_signed,
    key_name,
    keys_in,
    name_of,
    new_pair,
    public_of,
    public_pem,
)
from streamguard.core.canonical import canonical
from streamguard.core.errors import ConfigError, EvidenceDamaged
from streamguard.core.manifest import Id, KeyId, read_struct
from streamguard.vault.durable import write_once
from streamguard.vault.sealing import KEY_BYTES, NONCE_BYTES, new_key

_HEX_KEY = re.compile(rb"[0-9a-f]{64}")


class WrappedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The data key of one evidence, which only the master key opens."""

    evidence_id: Id
    key_id: KeyId
    wrapped: str


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where the keys are.

    master:  a line of 64 hex digits for each key.
    signing: PEM, an Ed25519 private key; then those of former times, of which the public is enough.
    """

    master: Path
    signing: Path

    @property
    def all(self) -> tuple[Path, ...]:
        """Give both."""
        return (self.master, self.signing)

    @classmethod
    def beside(cls, directory: Path) -> "KeyFiles":
        """Name the files for a directory of evidence, where nobody said other ones."""
        keys = directory.absolute().with_name(f"{directory.absolute().name}.keys")
        return cls(keys / "master.key", keys / "signing.pem")


class Keys:
    """The keys in use; files that are missing are made with the first evidence."""

    def __init__(self, files: KeyFiles) -> None:
        """Read the keys that are there.

        Raises:
            ConfigError: a file cannot be read, or holds no key.
        """
        self._files = files
        if files.master.exists():
            _ = self._masters
        if files.signing.exists():
            _ = self._signing

    @property
    def are_there(self) -> bool:
        """Say whether both files were made."""
        return self._files.master.exists() and self._files.signing.exists()

    def make_missing(self) -> None:
        """Make the files that are missing; whoever comes second takes those of the first.

        Raises:
            ConfigError: they cannot be made.
        """
        try:
            if not self._files.master.exists():
                write_once(self._files.master, new_key().hex().encode() + b"\n")
            if not self._files.signing.exists():
                write_once(self._files.signing, new_pair().private)
        except OSError as error:
            raise ConfigError(
                f"{self._files.master.parent}: the keys of evidence cannot be made there: "
                f"{error.strerror}"
            ) from None

    def wrap(self, evidence_id: str, data_key: bytes) -> bytes:
        """Give a data key as it is stored."""
        key_id, master = next(iter(self._masters.items()))
        nonce = os.urandom(NONCE_BYTES)
        bound = _bound(evidence_id, key_id)
        wrapped = nonce + AESGCM(master).encrypt(nonce, data_key, bound)
        return canonical(msgspec.to_builtins(WrappedKey(evidence_id, key_id, wrapped.hex())))

    def unwrap(self, evidence_id: str, content: bytes) -> bytes:
        """Give a data key back.

        Raises:
            EvidenceDamaged: it is not what was stored, or was wrapped by a key that is not here.
        """
        stored = read_struct(content, WrappedKey)
        master = self._masters.get(stored.key_id)
        if stored.evidence_id != evidence_id or master is None:
            raise EvidenceDamaged("belongs to another evidence, or to another master key")
        try:
            wrapped = bytes.fromhex(stored.wrapped)
            if wrapped.hex() != stored.wrapped:
                raise EvidenceDamaged("is not what was wrapped")
            nonce, rest = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
            return AESGCM(master).decrypt(nonce, rest, _bound(evidence_id, stored.key_id))
        except (InvalidTag, ValueError):
            raise EvidenceDamaged("is not what was wrapped") from None

    @property
    def signing_id(self) -> str:
        """Name the key that signs now."""
        return next(iter(self._signing[1]))

    def sign(self, content: bytes) -> str:
        """Sign with the key that is in use; lower-case hex."""
        return self._signing[0].sign(content).hex()

    def is_signed(self, key_id: str, signature: str, content: bytes) -> bool:
        """Say whether a signature is of this content, by a key of ours."""
        key = self._signing[1].get(key_id)
        return key is not None and is_signed(key, signature, content)

    def public_pem(self, key_id: str) -> bytes:
        """Give the public key by which others check a signature; raises KeyError."""
        return public_pem(self._signing[1][key_id])

    @cached_property
    def _masters(self) -> dict[str, bytes]:
        lines = _content(self._files.master).split()
        if not lines or not all(_HEX_KEY.fullmatch(line) for line in lines):
            raise ConfigError(
                f"{self._files.master}: no master key: give {2 * KEY_BYTES} hex digits, as"
                f" `openssl rand -hex {KEY_BYTES}` makes them"
            )
        return {key_name(key): key for key in (bytes.fromhex(line.decode()) for line in lines)}

    @cached_property
    def _signing(self) -> tuple[Ed25519PrivateKey, dict[str, Ed25519PublicKey]]:
        keys = keys_in(_content(self._files.signing))
        if not keys or not isinstance(keys[0], Ed25519PrivateKey) or None in keys:
            raise ConfigError(
                f"{self._files.signing}: no signing key: give one in PEM, as"
                " `openssl genpkey -algorithm ed25519` makes it"
            )
        return keys[0], {name_of(key): public_of(key) for key in keys if key}


def _bound(evidence_id: str, key_id: str) -> bytes:
    return f"streamguard data key {evidence_id} {key_id}".encode()


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: this key cannot be read: {error.strerror}") from None
