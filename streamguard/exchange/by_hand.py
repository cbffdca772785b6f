"""What a person decides about single records and entries, whatever their sources say.

Rule: a decision of a person outlasts imports and syncs: an entry that was taken out stays out, a
record that was let in stays in while its hash is the same, limits that were set stay set.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamguard.core.errors import BankError
from streamguard.exchange.edit import settle
from streamguard.exchange.projection import given_limits, key_of
from streamguard.exchange.record import make_record
from streamguard.exchange.records_file import RECORDS_FILE, RecordsFile

_SET_ASIDE = """SELECT source, record_id, problem, policy FROM records
    WHERE problem IS NOT NULL ORDER BY source, record_id"""
_KEY = "SELECT key FROM entries WHERE name = ? AND digest IS NOT NULL"
_HOLD = "INSERT OR IGNORE INTO holds VALUES (?, ?)"
_HELD = "SELECT key FROM holds WHERE name = ?"
_FREE = "DELETE FROM holds WHERE name = ?"
_HOLDS = "SELECT name FROM holds ORDER BY name"
_GIVEN = "SELECT given FROM limits WHERE name = ?"
_GIVE = "INSERT OR REPLACE INTO limits VALUES (?, ?, ?)"
_ASIDE = "SELECT body FROM records WHERE source = ? AND record_id = ? AND problem IS NOT NULL"
_LET_IN = """UPDATE records SET problem = NULL, is_let_in = 1, entry = ?
    WHERE source = ? AND record_id = ?"""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that is kept out of the bank.

    reason: a fault of core.hygiene, or what made it unusable.
    """

    source: str
    record_id: str
    reason: str
    policy: str | None


def set_aside(records: RecordsFile) -> list[SetAside]:
    """List what is kept out of the bank, and why."""
    return [SetAside(*row) for row in records.rows(_SET_ASIDE)]


def hold(records: RecordsFile, name: str) -> bool:
    """Keep an entry out of the bank from now on; False where no record refers to one so named.

    The bank itself follows at the next `projection.follow`, or by `remove_entry`.
    """
    with records.transaction() as connection:
        found: list[Any] = connection.execute(_KEY, (name,)).fetchall()
        for (key,) in found:
            connection.execute(_HOLD, (key, name))
            settle(connection, key)
    return bool(found)


def keep_out(directory: Path, name: str) -> None:
    """Keep an entry of the bank in this directory out from now on, if it follows records.

    Raises:
        RecordsUnavailable: the records cannot be written.
    """
    with _behind(directory) as records:
        if records:
            hold(records, name)


def limit(records: RecordsFile, name: str, given: Mapping[str, Any]) -> bool:
    """Keep limits of an entry from now on; False where no record refers to one so named.

    given: fields of core.types.Limits; those that are not named stay as they were set before.

    The bank itself follows at the next `projection.follow`, or by `amend_entry`.
    """
    with records.transaction() as connection:
        found: list[Any] = connection.execute(_KEY, (name,)).fetchall()
        for (key,) in found:
            before: list[Any] = connection.execute(_GIVEN, (name,)).fetchall()
            kept = json.dumps({**given_limits(before), **given})
            connection.execute(_GIVE, (name, key, kept))
            settle(connection, key)
    return bool(found)


def keep_limits(directory: Path, name: str, given: Mapping[str, Any]) -> None:
    """Keep limits of an entry of the bank in this directory from now on, if it follows records.

    Raises:
        RecordsUnavailable: the records cannot be written.
    """
    with _behind(directory) as records:
        if records:
            limit(records, name, given)


def holds(records: RecordsFile) -> list[str]:
    """List the entries that are kept out, by the names that they had."""
    return [name for (name,) in records.rows(_HOLDS)]


def free(records: RecordsFile, name: str) -> None:
    """Let an entry back in that was kept out.

    Raises:
        BankError: none of that name is.
    """
    with records.transaction() as connection:
        found: list[Any] = connection.execute(_HELD, (name,)).fetchall()
        if not found:
            raise BankError(f"no entry named {name!r} was taken out")
        connection.execute(_FREE, (name,))
        for (key,) in found:
            settle(connection, key)


def let_in(records: RecordsFile, source: str, record_id: str) -> None:
    """Let a record that was set aside into the bank.

    Raises:
        BankError: no such record is set aside, or there is no hash in it.
    """
    with records.transaction() as connection:
        found: list[Any] = connection.execute(_ASIDE, (source, record_id)).fetchall()
        if not found:
            raise BankError(f"no record {source}:{record_id} is set aside; see what is")
        ((body,),) = found
        if not body:
            raise BankError(f"{source}:{record_id} has no hash that could be matched")
        record = make_record(json.loads(body))
        key = key_of(record)
        is_disowned = record.opinion == "neg"
        connection.execute(_LET_IN, (None if is_disowned else key, source, record_id))
        settle(connection, key)


@contextmanager
def _behind(directory: Path) -> Iterator[RecordsFile | None]:
    """Open the records behind a bank; None where it follows none."""
    if not (directory / RECORDS_FILE).exists():
        yield None
        return
    records = RecordsFile.open(directory)
    try:
        yield records
    finally:
        records.close()
