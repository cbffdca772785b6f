"""Gives records out: what stands behind the imported entries of a bank.

Rule: only what is live is given; what was withdrawn, disowned or set aside is nobody's to pass on.
"""

import json
from collections.abc import Iterator

from streamguard.exchange.record import Record, make_record
from streamguard.exchange.records_file import RecordsFile

_LIVE = """SELECT body FROM records WHERE entry IS NOT NULL AND entry NOT IN (SELECT key FROM holds)
    ORDER BY source, record_id"""
_OF_ENTRY = "SELECT body FROM records WHERE entry = ? ORDER BY source, record_id"
_KEY = "SELECT key FROM entries WHERE name = ? AND digest IS NOT NULL"
_NAMES = "SELECT name FROM entries"


def live_records(records: RecordsFile, entry: str | None = None) -> Iterator[Record]:
    """Yield the live records, or those of one entry, which may be none."""
    if entry is None:
        rows = records.each(_LIVE)
    else:
        keys = records.rows(_KEY, (entry,))
        rows = records.each(_OF_ENTRY, keys[0]) if keys else iter(())
    for (body,) in rows:
        yield make_record(json.loads(body))


def imported_names(records: RecordsFile) -> set[str]:
    """Give the names of all entries that follow records."""
    return {name for (name,) in records.rows(_NAMES)}
