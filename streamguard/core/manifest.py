"""What is kept as evidence, and that it is unaltered: one manifest for each state of an evidence.

Rule: values only. A manifest names the one before it by its hash, and is signed as a whole.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from streamguard.core.canonical import canonical, read_canonical
from streamguard.core.errors import EvidenceDamaged

FORMAT: Literal["streamguard.evidence/v1"] = "streamguard.evidence/v1"

NOTHING_BEFORE = "0" * 64
"""Stands for the hash of what comes before the first."""

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Role = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,31}$")]
"""What a part is: `clip`, `still` and the like."""
Instant = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Text = Annotated[str, msgspec.Meta(max_length=256, pattern="^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
Signature = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")]
KeyId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]

INGEST = "ingest"
"""The clock of the machine that screens."""

T = TypeVar("T")


def name_of(number: int, role: str) -> str:
    """Name the stored object of a part within its evidence."""
    return f"{number:04d}-{role}.sealed"


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One part of an evidence.

    number:     counts the parts of this evidence, from 0.
    start_ms, end_ms: media time of the session that it shows, milliseconds; one instant of a still.
    is_original: the publisher's own packets, in another container at most; else made from them.
    sha256, size_bytes: of the part itself.
    sealed_sha256, sealed_size_bytes: of the encrypted object that is stored.
    kept_at:    when it came into the store.
    transform:  what was done to what the publisher sent to get it, in words.
    derived_from: the role of the parts that hold, at its media time, what it was made from.
    uri:        where it is kept in the end.
    ingest_time: when its first packet was read here, by the clock of `clock_basis`: `ingest` is
        that of the machine that screens. No source tells when it was captured.
    est_error_ms: by how much that clock may have been off UTC when the part was kept, at most, as
        the kernel reckoned it; absent where nothing disciplined it.
    """

    number: Count
    role: Role
    media_type: str
    start_ms: int
    end_ms: int
    is_original: bool
    size_bytes: Count
    sha256: Sha256
    sealed_size_bytes: Count
    sealed_sha256: Sha256
    kept_at: str = ""
    transform: str = ""
    derived_from: str = ""
    uri: str = ""
    ingest_time: str = ""
    clock_basis: str = ""
    est_error_ms: Count | None = None

    @property
    def name(self) -> str:
        """Name the stored object within its evidence."""
        return name_of(self.number, self.role)


class StreamContext(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Of which publish an evidence is; never its URL, which holds the stream key.

    protocol: how it was read.
    epoch:    which unbroken timeline of the session its media times are of.
    publish:  which publish the ingest server called it, by a name that tells no path.
    began_at: when the first packet of that timeline was read, by the clock of the parts.
    """

    protocol: Role
    epoch: Count
    publish: Text = ""
    began_at: Instant = ""


class HeldFor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An order to keep an evidence; `until` is "" where it has no end."""

    ref: str
    authority: str
    until: str = ""


class Keeping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long an evidence was to be kept when a manifest was made; later, the custody tells.

    retention_class: what people made of it so far.
    delete_after: when it may be erased, unless it is on hold.
    legal_holds: what held it.
    """

    retention_class: Literal["unreviewed", "rejected", "confirmed"]
    delete_after: Instant
    legal_holds: tuple[HeldFor, ...] = ()


class AccessPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may see an evidence, as it was laid down when it was collected.

    roles: of people who may look at it; the program that they sign in to enforces it.
    two_person_export: it is handed out only after a second person approved of it.
    """

    roles: tuple[str, ...] = ()
    two_person_export: bool = False


FOR_ALL = AccessPolicy()
"""Nothing is laid down."""


PLACED = (
    "number",
    "revision",
    "created_at",
    "prev_manifest_sha256",
    "key_id",
    "signature",
    "timestamp_token",
)
"""Fields of a manifest by which it has its place among the others."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The state of an evidence after parts were added; the newest one names all its parts.

    number:   counts the manifests of this store, from 0.
    revision: counts the manifests of this evidence, from 0.
    deployment, version, config_sha256: who collected it, with what, and how that was configured.
    merkle_root: over the hashes of the parts, as in RFC 6962.
    prev_manifest_sha256: of the manifest before it in this store, whatever its evidence.
    key_id:   which key signed it.
    access_policy: who may see it, and how it may be handed out.
    stream_context: of which publish it is.
    case_id:  of the case that was decided on last with this evidence on the table.
    incident_id: of what happened, in the words of the list whose entry was found.
    retention: how long it was to be kept then.
    timestamp_token: RFC 3161, base64 of DER, over `stamped`: an authority's word that all this
        was there by then. It comes with a manifest of its own, of the same parts.

    A field that says nothing is left out, also of what is hashed and signed.
    """

    format: Literal["streamguard.evidence/v1"]
    number: Count
    evidence_id: Id
    revision: Count
    created_at: Instant
    deployment: str
    version: str
    stream_id: str
    session_id: str
    flag_ids: tuple[str, ...]
    items: tuple[Item, ...]
    merkle_root: Sha256
    prev_manifest_sha256: Sha256
    key_id: KeyId
    config_sha256: str = ""
    access_policy: AccessPolicy | None = None
    stream_context: StreamContext | None = None
    case_id: Id = ""
    incident_id: Text = ""
    retention: Keeping | None = None
    timestamp_token: str = ""
    signature: str = ""

    @property
    def signed(self) -> bytes:
        """Give the bytes that the signature is of: all but itself, and what was made of it."""
        return unsigned(self, "signature", "timestamp_token")

    @property
    def stamped(self) -> bytes:
        """Give what a time stamp is of: all that it says of the evidence, wherever it stands."""
        return unsigned(self, *PLACED)

    @property
    def content(self) -> bytes:
        """Give its one form, as it is stored."""
        return canonical(msgspec.to_builtins(self))

    @property
    def sha256(self) -> str:
        """Give the hash by which the next manifest and the custody name it."""
        return hashlib.sha256(self.content).hexdigest()


def unsigned(value: msgspec.Struct, *left_out: str) -> bytes:
    """Write a value without some of its fields, in its one form."""
    fields = msgspec.to_builtins(value)
    return canonical({name: each for name, each in fields.items() if name not in left_out})


def read_struct(content: bytes, kind: type[T]) -> T:
    """Read a value in its one form.

    Raises:
        EvidenceDamaged: it has another form, or makes no sense.
    """
    value: Any = read_canonical(content)
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        raise EvidenceDamaged("does not say what it should") from None


def merkle_root(hashes: Sequence[str]) -> str:
    """Fold the hashes of parts, lower-case hex, into one. Source: RFC 6962, 2.1."""
    if not hashes:
        return hashlib.sha256(b"").hexdigest()
    level = [hashlib.sha256(b"\x00" + bytes.fromhex(each)).digest() for each in hashes]
    return _folded(level).hex()


def _folded(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1  # the largest power of two below their number
    left, right = _folded(leaves[:split]), _folded(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()
