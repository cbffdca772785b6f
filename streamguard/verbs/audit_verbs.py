"""What the verbs of `audit` do.

Rule: whoever checks an export needs nothing but the export, and what an earlier check said.
"""

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.audit import Head, verify
from streamguard.core.audit_data import AuditData
from streamguard.core.errors import ConfigError
from streamguard.review.trail import Trail
from streamguard.settings import load_settings

_HEAD = re.compile(r"([0-9]{1,15}):([0-9a-f]{64})")


def verify_audit(arguments: argparse.Namespace) -> int:
    """Check the chain, of the log or of an export; say how far it comes."""
    known = _head_of(arguments.head)
    passed = known is None or known.n_records == 0

    def watched(records: Iterable[AuditData]) -> Iterator[AuditData]:
        nonlocal passed
        for record in records:
            if known and record.seq == known.n_records - 1:
                passed = record.record_sha256 == known.last_sha256
            yield record

    if arguments.file is not None:
        verdict = verify(watched(_exported(arguments.file)))
    else:
        with SqliteLog.open_reader(_log_of(arguments)) as log:
            verdict = verify(watched(_trail(log).records()))
    problem = verdict.problem
    if problem is None and not passed:
        problem = "it is not the chain that this head is of, or its end was cut off"
    head = f"{verdict.head.n_records}:{verdict.head.last_sha256}"
    if arguments.json:
        print(json.dumps({"head": head, "problem": problem}))
    else:
        print(f"{verdict.head.n_records} records, {problem or 'as they were written'}\nhead {head}")
    return 2 if problem else 0


def export_audit(arguments: argparse.Namespace) -> int:
    """Print the records, in order."""
    with SqliteLog.open_reader(_log_of(arguments)) as log:
        for record in _trail(log).records():
            print(record.model_dump_json(exclude_none=True))
    return 0


def _trail(log: SqliteLog) -> Trail:
    return Trail(log, "/streamguard/audit", lambda: 0.0)


def _log_of(arguments: argparse.Namespace) -> Path:
    file: Path = arguments.log or load_settings(arguments.config).log.file
    return file


def _exported(file: Path) -> Iterator[AuditData]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{file}: cannot be read as an export of the audit") from None
    for number, line in enumerate(lines, 1):
        try:
            yield AuditData.model_validate_json(line)
        except ValidationError:
            raise ConfigError(f"{file}:{number}: is no record of an audit") from None


def _head_of(text: str | None) -> Head | None:
    if text is None:
        return None
    said = _HEAD.fullmatch(text)
    if said is None:
        raise ConfigError("a head is what `audit verify` says: a number, a colon and 64 hex digits")
    return Head(int(said[1]), said[2])
