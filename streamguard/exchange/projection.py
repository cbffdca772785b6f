"""The bank as a projection of its records: which entry a record belongs to, and what is to be done.

Rule: an entry is a function of the live records that refer to it, of the limits that a person set
for it, and of nothing else. A hash is in the bank while one of them is live; the order in which
they came does not matter.

Stills of the same hash and policy are one entry, named by the first record that refers to it
(`SOURCE:RECORD`); frames are collected by video (`SOURCE/VIDEO`).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

import numpy as np

from streamguard.core.bank_values import MAX_NAME_BYTES, Entry
from streamguard.core.errors import ListInvalid
from streamguard.core.types import HASH_BYTES, MATCH_DISTANCE_BITS, NO_LIMITS, Limits
from streamguard.exchange.record import Record, id_of
from streamguard.exchange.records_file import RecordsFile

AT_ONCE = 20_000
"""Entries that a bank is given in one edit: 20,000 stills take 20 MB on their way."""

ROWS_OF = """SELECT source, record_id, pdq, offset_ms, variant, policy, max_distance, is_seed
    FROM records WHERE entry = ? ORDER BY source, record_id"""

LIMITS_OF = "SELECT given FROM limits WHERE name = ?1 OR key = ?2 ORDER BY name = ?1 DESC LIMIT 1"
"""What a person set for an entry, by its name or, where it was called otherwise, by its key."""

_TO_DO = "SELECT name, key, digest FROM entries WHERE is_applied = 0 ORDER BY name LIMIT ?"
_DONE = "UPDATE entries SET is_applied = 1 WHERE name = ? AND digest = ?"
_GONE = "DELETE FROM entries WHERE name = ? AND digest IS NULL"
_IN_BANK = "SELECT name FROM entries WHERE is_applied = 1 AND digest IS NOT NULL"
_AGAIN = "UPDATE entries SET is_applied = 0 WHERE name = ?"


class Reference(NamedTuple):
    """A live record, as ROWS_OF gives it."""

    source: str
    record_id: str
    pdq: bytes
    offset_ms: int | None
    variant: int
    policy: str
    max_distance: int | None
    is_seed: int


class EditableBank(Protocol):
    """The bank that follows the records."""

    def names(self) -> set[str]:
        """Give the names of all its entries."""
        ...

    def edit(self, add: Sequence[Entry], remove: Collection[str]) -> None:
        """Put entries in, in place of those of the same name, and take others out.

        Names in `remove` that it does not have are passed over.

        Raises:
            BankError: it cannot be written; whatever was done is done again later.
        """
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the bank should hold of one entry; the digest differs where anything in it does."""

    name: str
    digest: bytes


def key_of(record: Record) -> str:
    """Say which entry a live record belongs to."""
    if record.video_id is not None:
        return f"video {record.source}/{record.video_id}"
    return f"still {record.hash} {record.policy}"


def given_limits(found: Sequence[tuple[str]]) -> dict[str, Any]:
    """Read what LIMITS_OF finds: fields of Limits; of none of them where nobody set any."""
    given: dict[str, Any] = json.loads(found[0][0]) if found else {}
    return given


def wanted(key: str, rows: Sequence[Reference], given: Mapping[str, Any]) -> Wanted:
    """Say what the bank should hold for these live records, at least one.

    given: what a person set, as `given_limits` has it.

    Raises:
        ListInvalid: the frames of a video have two policies.
    """
    name, policies = name_of(key, rows), {row.policy for row in rows}
    if len(policies) > 1:
        one, other = sorted(policies)[:2]
        raise ListInvalid(
            f"{name}: its frames have the policies {one} and {other}; a video has one:"
            " give its parts a video_id each"
        )
    content = (name, rows[0].policy, _frames(rows), _limits(rows, given))
    return Wanted(name, sha256(repr(content).encode()).digest()[:16])


def follow(records: RecordsFile, bank: EditableBank) -> int:
    """Bring the bank up to the records; give how many entries were put in or taken out.

    It may be killed at any point: the next call ends in the same bank. Entries that have vanished
    from the bank, as when its file was lost, are put in again.

    Raises:
        BankError: the bank cannot be written.
    """
    lost = {name for (name,) in records.rows(_IN_BANK)} - bank.names()
    if lost:
        with records.transaction() as connection:
            connection.executemany(_AGAIN, [(name,) for name in lost])
    n_done = 0
    while to_do := records.rows(_TO_DO, (AT_ONCE,)):
        add = [entry_of(name, key, records) for name, key, digest in to_do if digest is not None]
        bank.edit(add, [name for name, _, digest in to_do if digest is None])
        with records.transaction() as connection:
            for name, _, digest in to_do:
                done = (_GONE, (name,)) if digest is None else (_DONE, (name, digest))
                connection.execute(*done)
        n_done += len(to_do)
    return n_done


def entry_of(name: str, key: str, records: RecordsFile) -> Entry:
    """Give what the bank should hold of an entry that live records refer to."""
    rows = [Reference(*row) for row in records.rows(ROWS_OF, (key,))]
    given = given_limits(records.rows(LIMITS_OF, (name, key)))
    frames = _frames(rows)
    offsets_us = np.array([offset_ms for offset_ms, _, _ in frames], np.int64) * 1000
    limits = _limits(rows, given)
    return Entry(
        name=name,
        policy=rows[0].policy,
        kind="image" if rows[0].offset_ms is None else "video",
        duration_us=int(offsets_us.max()),
        hashes=np.frombuffer(b"".join(pdq for *_, pdq in frames), np.uint8).reshape(-1, HASH_BYTES),
        offsets_us=offsets_us,
        variants=np.array([variant for _, variant, _ in frames], np.uint8),
        limits=None if limits == NO_LIMITS else limits,
    )


def _frames(rows: Sequence[Reference]) -> list[tuple[int, int, bytes]]:
    """Give offset, variant and hash of each frame once, in order of time."""
    return sorted({(row.offset_ms or 0, row.variant, row.pdq) for row in rows})


def _limits(rows: Sequence[Reference], given: Mapping[str, Any]) -> Limits:
    """Join what the records ask: one that is confirmed outweighs seeds, the loosest bound holds.

    What a person set goes before it.
    """
    firm = [row for row in rows if not row.is_seed]
    bounds = [
        MATCH_DISTANCE_BITS if row.max_distance is None else row.max_distance
        for row in firm or rows
    ]
    return replace(Limits(max_distance_bits=max(bounds), is_shadow=not firm), **given)


def name_of(key: str, rows: Sequence[Reference]) -> str:
    """Name an entry; what is too long for a bank ends in a digest."""
    kind, _, ident = key.partition(" ")
    first = rows[0]
    text = first.pdq.hex()
    if kind == "still":  # names reach events and logs, where no hash may stand
        shown = id_of("pdq", text) if text in first.record_id.lower() else first.record_id
        ident = f"{first.source}:{shown}"
    raw = ident.encode()
    if len(raw) <= MAX_NAME_BYTES:
        return ident
    tail = f"~{sha256(raw).hexdigest()[:16]}"
    return raw[: MAX_NAME_BYTES - len(tail)].decode(errors="ignore") + tail
