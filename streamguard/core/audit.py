"""The chain of audit records: each names the one before it by its hash.

Rule: pure; a record has one form (RFC 8785) and one place. What was left out, put in, changed or
moved is found by whoever has the records alone; that the last ones were cut off, by whoever also
knows how far the chain had come.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streamguard.core.audit_data import AuditData, AuditDetail
from streamguard.core.canonical import canonical

NOTHING_BEFORE = "0" * 64
"""What the first record names."""

MAX_VALUE = 256
"""Characters of a detail's value."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain has come."""

    n_records: int = 0
    last_sha256: str = NOTHING_BEFORE


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody saw or did, before it has its place in the chain.

    actor:      account, rule or platform; "-" where nobody had signed in.
    action:     such as `case.claimed`.
    is_refused: it was asked for and not done.
    about:      a decision, an appeal, an account, an evidence; None where the case says it all.
    details:    what else is worth knowing; texts are cut to 256 characters.
    """

    actor: str
    action: str
    case_id: str | None = None
    about: str | None = None
    details: Mapping[str, str | int] = field(default_factory=dict)
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a check.

    problem: the first thing that is wrong; None where all is as it was written.
    """

    head: Head
    problem: str | None


def chained(deed: Deed, head: Head, at: str) -> AuditData:
    """Give a deed its place behind `head`; `at` is the instant of it, as `utc_text` writes it."""
    details = tuple(
        AuditDetail(name=name, value=str(value)[:MAX_VALUE])
        for name, value in sorted(deed.details.items())
    )
    open_ended = AuditData(
        seq=head.n_records,
        at=at,
        actor=deed.actor,
        action=deed.action,
        is_refused=deed.is_refused,
        case_id=deed.case_id,
        about=deed.about,
        details=details,
        previous_sha256=head.last_sha256,
        record_sha256=NOTHING_BEFORE,
    )
    return open_ended.model_copy(update={"record_sha256": hash_of(open_ended)})


def head_after(record: AuditData) -> Head:
    """Give the head of the chain that ends with this record."""
    return Head(record.seq + 1, record.record_sha256)


def hash_of(record: AuditData) -> str:
    """Give the hash that a record must have."""
    fields = record.model_dump(mode="json", exclude_none=True, exclude={"record_sha256"})
    return hashlib.sha256(canonical(fields)).hexdigest()


def verify(records: Iterable[AuditData], before: Head | None = None) -> Verdict:
    """Check records in the order of the chain.

    Args:
        records: all that are left; what retention removed is missing at their beginning alone.
        before: how far the chain had come before the first of them; None where nobody knows, and
            then the first record is believed in what it names.
    """
    head = before
    for record in records:
        head = head or Head(record.seq, record.previous_sha256)
        if record.seq != head.n_records:
            return Verdict(head, f"record {head.n_records} is missing or moved: {record.seq} came")
        if record.seq == 0 and record.previous_sha256 != NOTHING_BEFORE:
            return Verdict(head, "record 0 names one before it")
        if record.previous_sha256 != head.last_sha256:
            return Verdict(head, f"record {record.seq} does not follow from the one before it")
        if record.record_sha256 != hash_of(record):
            return Verdict(head, f"record {record.seq} is not what was written")
        head = head_after(record)
    return Verdict(head or Head(), None)
