"""Looks whether records are sound, and whether the bank holds what they say.

Rule: it writes nothing, and names what is wrong by record or entry, never by hash.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from streamguard.core.bank import Bank
from streamguard.core.bank_values import Entry
from streamguard.core.errors import ListInvalid
from streamguard.core.types import NO_LIMITS
from streamguard.exchange.projection import (
    LIMITS_OF,
    ROWS_OF,
    Reference,
    entry_of,
    given_limits,
    wanted,
)
from streamguard.exchange.record import FieldProblem, Record, make_record
from streamguard.exchange.records_file import RecordsFile

_INTEGRITY = "PRAGMA integrity_check(10)"
_BODIES = """SELECT source, record_id, body, is_deleted, pdq, offset_ms, variant, policy,
    max_distance, is_seed FROM records WHERE body <> ''"""
_ENTRIES = "SELECT name, key, digest FROM entries WHERE digest IS NOT NULL ORDER BY name"
_PENDING = "SELECT name, key, digest FROM entries WHERE is_applied = 0"
_FOLLOWED = (
    "SELECT name, key FROM entries WHERE is_applied = 1 AND digest IS NOT NULL ORDER BY name"
)
_STRAY = """SELECT DISTINCT source, record_id FROM records WHERE entry IS NOT NULL
    AND entry NOT IN (SELECT key FROM holds)
    AND entry NOT IN (SELECT key FROM entries WHERE digest IS NOT NULL)"""


def faults_of(records: RecordsFile) -> Iterator[str]:
    """Say what is wrong with records, whatever is in the bank."""
    found = [str(text) for (text,) in records.rows(_INTEGRITY)]
    if found != ["ok"]:
        yield from found
        return
    for row in records.each(_BODIES):
        if not _is_itself(row):
            yield f"record {row[0]}:{row[1]} is damaged"
    for source, record_id in records.each(_STRAY):
        yield f"record {source}:{record_id} is live and stands for no entry"
    for name, key, digest in records.rows(_ENTRIES):
        if _digest(records, name, key) != digest:
            yield f"entry {name!r} is not what its records say"


def discrepancies(records: RecordsFile, bank: Bank | None) -> Iterator[str]:
    """Name the entries of a bank that are not as its records say; the records are sound."""
    for name, key in records.rows(_FOLLOWED):
        want = entry_of(name, key, records)
        if bank is None or bank.entry_of(name) is None:
            yield f"entry {name!r} is missing in the bank; the next import or sync puts it in"
        elif differing := ", ".join(_differences(bank, want)):
            yield f"entry {name!r} has other {differing} in the bank; remove and admit it"


def n_pending(records: RecordsFile, bank: Bank | None) -> int:
    """Count the entries in which the bank has not followed its records yet."""
    return sum(
        _is_other(bank, name, None if digest is None else entry_of(name, key, records))
        for name, key, digest in records.rows(_PENDING)
    )


def _is_other(bank: Bank | None, name: str, want: Entry | None) -> bool:
    is_there = bank is not None and bank.entry_of(name) is not None
    if bank is None or want is None or not is_there:
        return is_there != (want is not None)
    return any(_differences(bank, want))


def _differences(bank: Bank, want: Entry) -> Iterator[str]:
    """Name in what an entry of the bank differs from what is wanted."""
    facts = bank.entry_of(want.name)
    assert facts is not None  # noqa: S101  # the caller has looked
    if (facts.policy, facts.kind) != (want.policy, want.kind):
        yield "policy or kind"
    if facts.limits != (want.limits or NO_LIMITS):
        yield "limits"
    held = bank.hashes_of(want.name)
    if not (
        np.array_equal(held.hashes, want.hashes)
        and np.array_equal(held.offsets_us, want.offsets_us)
        and np.array_equal(held.variants, want.variants)
    ):
        yield "hashes"


def _digest(records: RecordsFile, name: str, key: str) -> bytes | None:
    """Say anew what the bank should hold of an entry; None where that cannot be said."""
    rows = [Reference(*row) for row in records.rows(ROWS_OF, (key,))]
    if not rows:
        return None
    try:
        want = wanted(key, rows, given_limits(records.rows(LIMITS_OF, (name, key))))
    except ListInvalid:
        return None
    return want.digest if want.name == name else None


def _is_itself(row: Any) -> bool:
    """Say whether what is kept of a record beside it is what the record says."""
    source, record_id, body, is_deleted, *columns = row
    try:
        record = make_record(json.loads(body))
    except (ValueError, RecursionError, FieldProblem):
        return False
    is_its = (record.source, record.record_id, record.deleted) == (source, record_id, is_deleted)
    return is_its and columns == _columns(record)


def _columns(record: Record) -> list[Any]:
    pdq = bytes.fromhex(record.hash) if record.hash and record.is_matched else None
    return [
        pdq,
        record.t_offset_ms,
        record.variant,
        record.policy,
        record.max_distance,
        int(record.opinion == "seed"),
    ]
