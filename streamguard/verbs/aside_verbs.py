"""What the `bank` verbs do that show what is kept out of a bank, and let it in.

Rule: what was set aside is never let in but by a person, and that is remembered.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from streamguard.core.errors import BankError
from streamguard.exchange.by_hand import free, holds, let_in, set_aside
from streamguard.exchange.records_file import RECORDS_FILE, RecordsFile
from streamguard.verbs.exchange_verbs import bring_up, records_of

BY_HAND = "removed by a person"


def list_aside(arguments: argparse.Namespace) -> int:
    """Print what is kept out of a bank, and why."""
    records = RecordsFile.look_at(_with_records(arguments.directory))
    try:
        for row in _rows(records):
            print(json.dumps(row, ensure_ascii=False) if arguments.json else _line(row))
    finally:
        records.close()
    return 0


def admit(arguments: argparse.Namespace) -> int:
    """Let a record that was set aside, or an entry that was removed, into a bank."""
    directory, name = _with_records(arguments.directory), arguments.name
    with records_of(directory, is_rehearsal=False) as records:
        if name in holds(records):
            free(records, name)
        else:
            source, _, record_id = name.partition(":")
            let_in(records, source, record_id)
        bring_up(directory, records)
    print(json.dumps({"name": name, "let_in": True}) if arguments.json else f"{name}: let in")
    return 0


def _rows(records: RecordsFile) -> Iterator[dict[str, str | None]]:
    for one in set_aside(records):
        name = f"{one.source}:{one.record_id}"
        yield {"name": name, "reason": one.reason, "policy": one.policy}
    for name in holds(records):
        yield {"name": name, "reason": BY_HAND, "policy": None}


def _with_records(directory: Path) -> Path:
    if not (directory / RECORDS_FILE).exists():
        raise BankError(f"{directory} has no imported records")
    return directory


def _line(row: dict[str, str | None]) -> str:
    return "  ".join(f"{name}={value}" for name, value in row.items() if value is not None)
