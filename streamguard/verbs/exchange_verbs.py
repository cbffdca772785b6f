"""What the `bank` verbs do that take hash lists in and give them out.

Rule: records are committed first, then the bank follows them; where it cannot, they are safe and
it follows at the next import or sync. A dry run works on a private copy.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from streamguard.adapters.bank_dir import has_bank, make_directory
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bank_lock import locked
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.bank_values import check_policy
from streamguard.core.errors import BankError, ConfigError
from streamguard.exchange.account import Account
from streamguard.exchange.intake import Reading, take_file
from streamguard.exchange.lists import FORMATS
from streamguard.exchange.opinions import Decision, as_list, as_requests, read_decisions
from streamguard.exchange.outgoing import imported_names, live_records
from streamguard.exchange.projection import follow
from streamguard.exchange.record import SOURCE_NAME, Record, source_name
from streamguard.exchange.records_file import LOCK_FILE, RECORDS_FILE, RecordsFile
from streamguard.exchange.row import Terms
from streamguard.exchange.text_file import TextFile
from streamguard.parts.exchange_bank import BankDirectory

NAMES_SOURCES = ("jsonl", "csv")
"""Formats whose records can say whose they are."""

SIGNS = {"added": "+", "changed": "~", "removed": "-", "quarantined": "!"}
"""How a diff marks what becomes of a record."""


def import_list(arguments: argparse.Namespace) -> int:
    """Take a file of records into a bank, or tell what that would change."""
    if arguments.policy:
        check_policy(arguments.policy)
    if arguments.snapshot and not arguments.source and arguments.format not in NAMES_SOURCES:
        raise ConfigError("a snapshot withdraws what it lacks: say whose it is with --source")
    reading = Reading(
        format=arguments.format,
        source=_source(arguments.source, arguments.file),
        is_source_given=arguments.source is not None,
        policy=arguments.policy,
    )
    terms = Terms(
        now=datetime.fromtimestamp(SystemClock().wall(), UTC),
        negatives=tuple(open_bank(directory) for directory in arguments.negative),
        is_whole=arguments.snapshot,
        may_shrink=arguments.allow_shrink or arguments.dry_run,
    )
    with records_of(arguments.directory, is_rehearsal=arguments.dry_run) as records:
        account = take_file(records, TextFile(arguments.file), reading, terms)
        n_entries = 0 if arguments.dry_run else bring_up(arguments.directory, records)
    tell(account, n_entries, arguments)
    return 0


def export_list(arguments: argparse.Namespace) -> int:
    """Print what a bank holds as a list, or what was decided about it."""
    directory: Path = arguments.directory
    if arguments.opinions:
        return _export_opinions(arguments)
    if arguments.format == "vpdq" and arguments.entry is None:
        raise ConfigError("a vPDQ file holds one video: name it with --entry")
    with _looking_at(directory) as records:
        lines = FORMATS[arguments.format].write(_held(directory, records, arguments.entry))
        sys.stdout.writelines(lines)
    return 0


def _export_opinions(arguments: argparse.Namespace) -> int:
    """Print decisions in the shape that an exchange takes."""
    if arguments.format not in ("jsonl", "csv", "te") or arguments.entry:
        raise ConfigError("opinions are printed as jsonl, csv or te, about all their entries")
    decisions = read_decisions(TextFile(arguments.opinions))
    passed_over: Counter[str] = Counter()
    with _looking_at(arguments.directory) as records:
        decided = _decided(arguments.directory, records, decisions, passed_over)
        if arguments.format == "te":
            lines = as_requests(decided, arguments.privacy_group, passed_over)
        else:
            lines = as_list(decided, arguments.format)
        sys.stdout.writelines(lines)
    for what, n_records in passed_over.items():
        print(f"passed over: {n_records} {what}", file=sys.stderr)
    return 0


def _decided(
    directory: Path,
    records: RecordsFile,
    decisions: Mapping[str, Decision],
    passed_over: Counter[str],
) -> Iterator[tuple[Decision, Record]]:
    """Yield each decision with the records behind its entry."""
    built = decisions.keys() - imported_names(records)
    found = set()
    for name in sorted(decisions.keys() - built):
        for record in live_records(records, name):
            found.add(name)
            yield decisions[name], record
    for name, record in BankDirectory(directory).records(built.__contains__):
        found.add(name)
        yield decisions[name], record
    if lost := len(decisions.keys() - found):
        passed_over["entries that are no longer in the bank"] = lost


@contextmanager
def _looking_at(directory: Path) -> Iterator[RecordsFile]:
    """Open the records behind a bank for reading; there may be none."""
    if not has_bank(directory) and not (directory / RECORDS_FILE).exists():
        raise BankError(f"{directory} holds no bank; make one with streamguard bank build")
    records = RecordsFile.look_at(directory)
    try:
        yield records
    finally:
        records.close()


def _held(directory: Path, records: RecordsFile, entry: str | None) -> Iterator[Record]:
    """Yield what a bank holds: imported records, then what was built into it."""
    imported = imported_names(records)
    if entry is None:
        yield from live_records(records)
        built = BankDirectory(directory).records(lambda name: name not in imported)
        yield from (record for _, record in built)
        return
    found = live_records(records, entry)
    if entry not in imported:
        built = BankDirectory(directory).records(lambda name: name == entry)
        found = (record for _, record in built)
    first = next(found, None)
    if first is None:
        raise BankError(f"{directory} has no entry named {entry!r}; see what it has with stat")
    yield first
    yield from found


@contextmanager
def records_of(directory: Path, *, is_rehearsal: bool) -> Iterator[RecordsFile]:
    """Open the records behind a bank, as the one who takes in; or a private copy of them."""
    with ExitStack() as stack:
        if is_rehearsal:
            records = RecordsFile.copy_of(directory)
        else:
            make_directory(directory)
            stack.enter_context(locked(directory, LOCK_FILE))
            records = RecordsFile.open(directory)
        stack.callback(records.close)
        yield records


def bring_up(directory: Path, records: RecordsFile) -> int:
    """Let the bank follow its records; give how many entries changed.

    Raises:
        BankError: the bank cannot be written now.
    """
    try:
        bank = BankDirectory(directory)
        n_entries = follow(records, bank)
        bank.settle()
    except BankError as error:
        raise type(error)(
            f"{error}; the records are safe, the bank follows them at the next import or sync"
        ) from None
    return n_entries


def tell(account: Account, n_entries: int, arguments: argparse.Namespace) -> None:
    """Print what was done, or would be."""
    is_rehearsal: bool = arguments.dry_run
    if arguments.json:
        values = {"dry_run": is_rehearsal, "entries_changed": n_entries, **account.to_json()}
        print(json.dumps(values, ensure_ascii=False))
        return
    if is_rehearsal:
        for step, record, reason in account.shown:
            print(f"{SIGNS[step]} {record}{f'  {reason}' if reason else ''}")
    for name, value in account.to_table().items():
        print(f"{name:<12}  {value}")
    if is_rehearsal:
        for source, how_much in account.shrinks.items():
            print(f"{source}: {how_much}: refused without --allow-shrink")
        print("nothing was written", file=sys.stderr)
    else:
        print(f"{'entries':<12}  {n_entries} changed in the bank")


def _source(named: str | None, file: Path) -> str:
    if named is None:
        return source_name(file.stem)
    if not SOURCE_NAME.fullmatch(named):
        raise ConfigError("--source is 1 to 32 letters, digits, dots, hyphens and underscores")
    return named
