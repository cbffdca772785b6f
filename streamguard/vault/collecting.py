"""Seals the parts of an evidence, and makes the manifest that names them.

Rule: it holds no lock and writes no custody: whoever calls it does.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from streamguard.adapters.failpoint import reach
from streamguard.core.custody import Ledger, Standing, instant
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.kept import Part, Subject
from streamguard.core.manifest import (
    FOR_ALL,
    FORMAT,
    INGEST,
    NOTHING_BEFORE,
    AccessPolicy,
    HeldFor,
    Item,
    Keeping,
    Manifest,
    merkle_root,
    name_of,
)
from streamguard.core.retention import Retention, holds_in_force
from streamguard.vault.folder import KEY, Folder
from streamguard.vault.keys import Keys
from streamguard.vault.sealing import new_key, sealed

USUAL = Retention()
"""Where nobody said how long evidence is kept."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Who collects evidence: a deployment, and the version of the program.

    config_sha256: of the settings that it runs by; "" where nobody said.
    policy: who may see what is collected.
    retention: how long it is kept.
    clock_error_ms: says by how much the clock may be off UTC; None where nobody knows.
    authority: who is asked for time stamps; None for nobody.
    """

    deployment: str
    version: str
    config_sha256: str = ""
    policy: AccessPolicy = FOR_ALL
    retention: Retention = USUAL
    clock_error_ms: Callable[[], int | None] = lambda: None
    authority: "Authority | None" = None


def require_same(before: Manifest, subject: Subject) -> None:
    """Refuse to add to an evidence what is of something else.

    Raises:
        EvidenceUnavailable: it is of another stream or session.
    """
    if (before.stream_id, before.session_id) != (subject.stream_id, subject.session_id):
        raise EvidenceUnavailable("the evidence of this flag is of another stream or session")


def store_parts(
    folder: Folder, keys: Keys, subject: Subject, parts: Sequence[Part], before: Manifest | None
) -> tuple[Item, ...]:
    """Encrypt and store parts, behind those that a manifest names already.

    Raises:
        EvidenceDamaged: the data key is not what was stored.
        EvidenceUnavailable: the data key cannot be read.
        OSError: they cannot be written.
    """
    evidence_id = subject.evidence_id
    if before:
        data_key = keys.unwrap(evidence_id, folder.get(evidence_id, KEY))
    else:
        data_key = new_key()
        folder.put(evidence_id, KEY, keys.wrap(evidence_id, data_key))
    first = len(before.items) if before else 0
    items = []
    for number, part in enumerate(parts, first):
        content = sealed(data_key, evidence_id, number, part.content)
        item = Item(
            number=number,
            role=part.role,
            media_type=part.media_type,
            start_ms=part.start_ms,
            end_ms=part.end_ms,
            is_original=part.is_original,
            size_bytes=len(part.content),
            sha256=hashlib.sha256(part.content).hexdigest(),
            sealed_size_bytes=len(content),
            sealed_sha256=hashlib.sha256(content).hexdigest(),
            transform=part.transform,
            derived_from=part.derived_from,
            uri=folder.uri(evidence_id, name_of(number, part.role)),
            ingest_time="" if part.ingest_ms is None else instant(part.ingest_ms / 1000),
            clock_basis="" if part.ingest_ms is None else INGEST,
        )
        folder.put(evidence_id, item.name, content)
        reach("evidence_part_written")
        items.append(item)
    return tuple(items)


@dataclass(frozen=True, slots=True)
class Making:
    """Who makes manifests, by which key, and when.

    at_s: seconds since 1970 UTC.
    """

    collector: Collector
    keys: Keys
    at_s: float


def make_manifest(
    making: Making,
    ledger: Ledger,
    subject: Subject,
    before: Manifest | None,
    items: tuple[Item, ...],
) -> Manifest:
    """Make the manifest of what is there with these items, signed."""
    collector, keys = making.collector, making.keys
    kept_at = instant(making.at_s)
    error_ms = collector.clock_error_ms()
    new_items = (
        msgspec.structs.replace(
            item, kept_at=kept_at, est_error_ms=error_ms if item.clock_basis else None
        )
        for item in items
    )
    all_items = (*(before.items if before else ()), *new_items)
    made = Manifest(
        format=FORMAT,
        number=0,
        evidence_id=subject.evidence_id,
        revision=0,
        created_at=kept_at,
        deployment=collector.deployment,
        version=collector.version,
        stream_id=subject.stream_id,
        session_id=subject.session_id,
        flag_ids=(subject.evidence_id,),
        items=all_items,
        merkle_root=merkle_root([item.sha256 for item in all_items]),
        prev_manifest_sha256=NOTHING_BEFORE,
        key_id=keys.signing_id,
        config_sha256=collector.config_sha256,
        access_policy=collector.policy,
        stream_context=(before and before.stream_context) or subject.context,
        case_id=subject.case_id or (before.case_id if before else ""),
        incident_id=subject.incident_id or (before.incident_id if before else ""),
        retention=_keeping(making, ledger.evidence.get(subject.evidence_id)),
    )
    placed = _placed(ledger, made)
    return msgspec.structs.replace(placed, signature=keys.sign(placed.signed))


def make_stamped(making: Making, ledger: Ledger, before: Manifest, token: str) -> Manifest:
    """Make the manifest that has a time stamp of what the one before it says, signed."""
    keys = making.keys
    changed = msgspec.structs.replace(
        before,
        created_at=instant(making.at_s),
        key_id=keys.signing_id,
        timestamp_token=token,
    )
    placed = _placed(ledger, changed)
    return msgspec.structs.replace(placed, signature=keys.sign(placed.signed))


class Authority(Protocol):
    """Says that something was there by now; in any thread."""

    def stamp(self, content: bytes) -> str:
        """Give a token of a time stamp; raises EvidenceUnavailable."""
        ...

    def problem_with(self, token: str, content: bytes) -> str | None:
        """Say what is wrong with a token of this content; None where nothing is."""
        ...


def _keeping(making: Making, standing: Standing | None) -> Keeping:
    """Say how long an evidence is to be kept; None is one that begins now."""
    found = standing or Standing("", instant(making.at_s))
    holds = holds_in_force(found, making.at_s)
    named = tuple(HeldFor(hold.ref, hold.authority, hold.until) for hold in holds)
    delete_after = instant(making.collector.retention.delete_after_s(found))
    return Keeping(found.evidence_class, delete_after, named)


def _placed(ledger: Ledger, made: Manifest) -> Manifest:
    """Put a manifest into its place behind all others; it is not signed yet."""
    standing = ledger.evidence.get(made.evidence_id)
    return msgspec.structs.replace(
        made,
        number=ledger.n_manifests,
        revision=standing.revision + 1 if standing else 0,
        prev_manifest_sha256=ledger.last_manifest_sha256,
        signature="",
    )
