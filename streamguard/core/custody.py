"""Who had evidence in hand, and what for: a chain of entries that cannot be changed unnoticed.

Rule: pure; whoever writes the entries passes the time, signs them and makes them durable. An entry
names the one before it, and the one before it of the same evidence, by their hashes.
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, get_args

import msgspec

from streamguard.core.errors import EvidenceDamaged
from streamguard.core.manifest import (
    NOTHING_BEFORE,
    Count,
    Id,
    Instant,
    KeyId,
    Manifest,
    Sha256,
    read_struct,
    unsigned,
)

Action = Literal[
    "collect", "view", "copy", "export", "classify", "hold", "release", "delete", "erased"
]
"""`delete`: its erasure was ordered; `erased`: what it names is gone, and that was looked after."""

EvidenceClass = Literal["unreviewed", "rejected", "confirmed"]

Detail = dict[str, str | int | tuple[str, ...]]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that was done with one evidence.

    seq:     counts the entries of this store, from 0.
    actor:   who did it: a person or a part of the program.
    purpose: what for, in the actor's words.
    detail:  what belongs to the action, such as hashes.
    """

    seq: Count
    at: Instant
    actor: str
    action: Action
    evidence_id: Id
    purpose: str
    detail: Detail
    prev_hash: Sha256
    prev_of_evidence: Sha256
    key_id: KeyId
    hash: str = ""
    signature: str = ""

    @property
    def signed(self) -> bytes:
        """Give the bytes that hash and signature are of: all but those two."""
        return unsigned(self, "hash", "signature")

    @property
    def content(self) -> bytes:
        """Give its one form, as it is stored: a line without its end."""
        return unsigned(self)


@dataclass(frozen=True, slots=True)
class Hold:
    """An order to keep an evidence.

    until: when it ends by itself; "" for never.
    """

    ref: str
    authority: str
    until: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the entries of one evidence amount to.

    since: when its class was decided, or it was collected first.
    """

    evidence_id: str
    since: str
    n_entries: int = 0
    last_hash: str = NOTHING_BEFORE
    evidence_class: EvidenceClass = "unreviewed"
    manifest_number: int = -1
    manifest_sha256: str = NOTHING_BEFORE
    revision: int = -1
    holds: tuple[Hold, ...] = ()
    state: Literal["kept", "deleting", "erased"] = "kept"


@dataclass(slots=True)
class Ledger:
    """All entries so far, in what follows from them."""

    n_entries: int = 0
    last_hash: str = NOTHING_BEFORE
    n_manifests: int = 0
    last_manifest_sha256: str = NOTHING_BEFORE
    evidence: dict[str, Standing] = field(default_factory=dict)

    def next_entry(
        self,
        evidence_id: str,
        action: Action,
        detail: Detail,
        *,
        actor: str,
        purpose: str,
        at: str,
        key_id: str,
    ) -> Entry:
        """Make the entry that follows, with its hash; it is not signed, and not taken yet."""
        before = self.evidence.get(evidence_id)
        entry = Entry(
            self.n_entries,
            at,
            actor,
            action,
            evidence_id,
            purpose,
            detail,
            self.last_hash,
            before.last_hash if before else NOTHING_BEFORE,
            key_id,
        )
        return msgspec.structs.replace(entry, hash=hash_of(entry))

    def take(self, entry: Entry) -> None:
        """Go on with an entry; its signature is somebody else's to check.

        Raises:
            EvidenceDamaged: it is not the one that follows; nothing was taken.
        """
        before = self.evidence.get(entry.evidence_id)
        own = before.last_hash if before else NOTHING_BEFORE
        if entry.seq != self.n_entries or entry.prev_hash != self.last_hash:
            raise EvidenceDamaged(f"custody entry {self.n_entries} is missing, or out of order")
        if entry.hash != hash_of(entry) or entry.prev_of_evidence != own:
            raise EvidenceDamaged(f"custody entry {entry.seq} is not what was written")
        standing = before or Standing(entry.evidence_id, entry.at)
        changed = _after(standing, entry)
        if entry.action == "collect":
            changed = replace(changed, manifest_number=self.n_manifests)
            self.n_manifests += 1
            self.last_manifest_sha256 = changed.manifest_sha256
        self.evidence[entry.evidence_id] = replace(
            changed, n_entries=standing.n_entries + 1, last_hash=entry.hash
        )
        self.n_entries, self.last_hash = entry.seq + 1, entry.hash


def _after(standing: Standing, entry: Entry) -> Standing:
    """Give what an entry makes of the standing of its evidence."""
    detail = entry.detail
    ref = str(detail.get("ref", ""))
    match entry.action:
        case "collect":
            sha256 = str(detail.get("manifest_sha256", ""))
            return replace(standing, manifest_sha256=sha256, revision=standing.revision + 1)
        case "classify":
            return _classified(standing, entry)
        case "hold":
            hold = Hold(ref, str(detail.get("authority", "")), str(detail.get("until", "")))
            return replace(standing, holds=(*_without(standing.holds, ref), hold))
        case "release":
            return replace(standing, holds=_without(standing.holds, ref))
        case "delete" | "erased":
            return replace(standing, state="deleting" if entry.action == "delete" else "erased")
    return standing


def _without(holds: tuple[Hold, ...], ref: str) -> tuple[Hold, ...]:
    return tuple(hold for hold in holds if hold.ref != ref)


def _classified(standing: Standing, entry: Entry) -> Standing:
    named = entry.detail.get("class")
    for known in get_args(EvidenceClass):
        if known == named:
            return replace(standing, evidence_class=known, since=entry.at)
    raise EvidenceDamaged(f"custody entry {entry.seq} names no class that there is")


def hash_of(entry: Entry) -> str:
    """Give the hash of an entry, by which the next one names it."""
    return hashlib.sha256(entry.signed).hexdigest()


def read_entry(line: bytes) -> Entry:
    """Read a line of the chain.

    Raises:
        EvidenceDamaged: it is not what was written.
    """
    return read_struct(line, Entry)


def next_manifest(ledger: Ledger, made: Manifest) -> Manifest:
    """Put a manifest into its place behind all others; it is not signed yet."""
    standing = ledger.evidence.get(made.evidence_id)
    return msgspec.structs.replace(
        made,
        number=ledger.n_manifests,
        revision=standing.revision + 1 if standing else 0,
        prev_manifest_sha256=ledger.last_manifest_sha256,
        signature="",
    )


def instant(wall_s: float) -> str:
    """Write a time, seconds since 1970 UTC, to the millisecond."""
    at = datetime.fromtimestamp(wall_s, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def wall_s(at: str) -> float:
    """Read a time that `instant` wrote, seconds since 1970 UTC."""
    return datetime.fromisoformat(at).timestamp()
