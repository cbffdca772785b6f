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
    Sha256,
    read_struct,
    unsigned,
)

Action = Literal[
    "collect",
    "verify",
    "view",
    "copy",
    "approve",
    "export",
    "exported",
    "classify",
    "hold",
    "release",
    "delete",
    "erased",
    "restart",
]
"""`approve`: a second person agrees to an export, which `export` orders and `exported` proves;
`delete`: its erasure was ordered; `erased`: what it names is gone, and that was looked after;
`restart`: the chain was damaged, and goes on with what follows, by a file that it names."""

STORE = "ffffffff-ffff-ffff-ffff-ffffffffffff"
"""Stands for all evidence of a store, where it was verified as a whole. Source: RFC 9562, 5.10."""

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
class Approval:
    """One person's word that another may export an evidence, once."""

    ticket: str
    actor: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the entries of one evidence amount to.

    decision_id: of the decision that gave it its class; "" where it came from the command line.
    case_id: of the case that it was last decided on in; "" where there was none.
    since: when its class was decided, or it was collected first.
    """

    evidence_id: str
    since: str
    n_entries: int = 0
    last_hash: str = NOTHING_BEFORE
    evidence_class: EvidenceClass = "unreviewed"
    decision_id: str = ""
    case_id: str = ""
    manifest_number: int = -1
    manifest_sha256: str = NOTHING_BEFORE
    revision: int = -1
    holds: tuple[Hold, ...] = ()
    approvals: tuple[Approval, ...] = ()
    state: Literal["kept", "deleting", "erased"] = "kept"


@dataclass(slots=True)
class Ledger:
    """All entries so far, in what follows from them.

    last_of_store: hash of the last entry that is of the store as a whole.
    """

    n_entries: int = 0
    last_hash: str = NOTHING_BEFORE
    last_of_store: str = NOTHING_BEFORE
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
        entry = Entry(
            self.n_entries,
            at,
            actor,
            action,
            evidence_id,
            purpose,
            detail,
            self.last_hash,
            self._last_of(evidence_id),
            key_id,
        )
        return msgspec.structs.replace(entry, hash=hash_of(entry))

    def take(self, entry: Entry) -> None:
        """Go on with an entry; its signature is somebody else's to check.

        Raises:
            EvidenceDamaged: it is not the one that follows; nothing was taken.
        """
        if entry.seq != self.n_entries or entry.prev_hash != self.last_hash:
            raise EvidenceDamaged(f"custody entry {self.n_entries} is missing, or out of order")
        own = self._last_of(entry.evidence_id)
        if entry.hash != hash_of(entry) or entry.prev_of_evidence != own:
            raise EvidenceDamaged(f"custody entry {entry.seq} is not what was written")
        if entry.evidence_id == STORE:
            self._take_of_store(entry)
        else:
            self._take_of_evidence(entry)
        self.n_entries, self.last_hash = entry.seq + 1, entry.hash

    def _last_of(self, evidence_id: str) -> str:
        """Give the hash of the last entry of an evidence, or of the store."""
        if evidence_id == STORE:
            return self.last_of_store
        before = self.evidence.get(evidence_id)
        return before.last_hash if before else NOTHING_BEFORE

    def _take_of_store(self, entry: Entry) -> None:
        if entry.action not in ("verify", "restart"):
            raise EvidenceDamaged(f"custody entry {entry.seq} is of no evidence")
        self.last_of_store = entry.hash

    def _take_of_evidence(self, entry: Entry) -> None:
        standing = self.evidence.get(entry.evidence_id) or Standing(entry.evidence_id, entry.at)
        changed = _after(standing, entry)
        if entry.action == "collect":
            number = manifest_number(entry, self.n_manifests)
            changed = replace(changed, manifest_number=number)
            self.n_manifests = number + 1
            self.last_manifest_sha256 = changed.manifest_sha256
        self.evidence[entry.evidence_id] = replace(
            changed, n_entries=standing.n_entries + 1, last_hash=entry.hash
        )


def _after(standing: Standing, entry: Entry) -> Standing:
    """Give what an entry makes of the standing of its evidence."""
    detail, after = entry.detail, standing
    ref, ticket = str(detail.get("ref", "")), str(detail.get("ticket", ""))
    match entry.action:
        case "collect":
            sha256 = str(detail.get("manifest_sha256", ""))
            after = replace(standing, manifest_sha256=sha256, revision=standing.revision + 1)
        case "classify":
            after = _classified(standing, entry)
        case "hold":
            hold = Hold(ref, str(detail.get("authority", "")), str(detail.get("until", "")))
            after = replace(standing, holds=(*_without(standing.holds, ref), hold))
        case "release":
            after = replace(standing, holds=_without(standing.holds, ref))
        case "approve":
            approval = Approval(ticket, entry.actor)
            after = replace(standing, approvals=(*standing.approvals, approval))
        case "export":
            left = tuple(each for each in standing.approvals if each.ticket != ticket)
            after = replace(standing, approvals=left)
        case "delete":
            after = replace(standing, state="deleting")
        case "erased":
            after = replace(standing, state="erased")
    return after


def _without(holds: tuple[Hold, ...], ref: str) -> tuple[Hold, ...]:
    return tuple(hold for hold in holds if hold.ref != ref)


def _classified(standing: Standing, entry: Entry) -> Standing:
    named = entry.detail.get("class")
    for known in get_args(EvidenceClass):
        if known == named:
            return replace(
                standing,
                evidence_class=known,
                decision_id=str(entry.detail.get("decision_id", "")),
                case_id=str(entry.detail.get("case_id", standing.case_id)),
                since=entry.at,
            )
    raise EvidenceDamaged(f"custody entry {entry.seq} names no class that there is")


def manifest_number(entry: Entry, n_before: int) -> int:
    """Give the number of the manifest that an entry is of, which comes after `n_before` others.

    Behind a restart some may be missing: there an entry says it itself. Raises EvidenceDamaged.
    """
    number = entry.detail.get("manifest_number", n_before)
    if not isinstance(number, int) or number < n_before:
        raise EvidenceDamaged(f"custody entry {entry.seq} is of no manifest that follows")
    return number


def hash_of(entry: Entry) -> str:
    """Give the hash of an entry, by which the next one names it."""
    return hashlib.sha256(entry.signed).hexdigest()


def read_entry(line: bytes) -> Entry:
    """Read a line of the chain.

    Raises:
        EvidenceDamaged: it is not what was written.
    """
    return read_struct(line, Entry)


def instant(wall_s: float) -> str:
    """Write a time, seconds since 1970 UTC, to the millisecond."""
    at = datetime.fromtimestamp(wall_s, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def wall_s(at: str) -> float:
    """Read a time that `instant` wrote, seconds since 1970 UTC."""
    return datetime.fromisoformat(at).timestamp()
