"""What the `deny-list` verbs of the command line do.

Rule: who changed what and why is in the audit before it is changed; the enforcer sees the change
within a second, and need not be running.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from uuid import uuid4

from streamguard.adapters.deny_file import DenyFile
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.audit import Deed
from streamguard.core.denials import BY_HAND, Denial, Kind
from streamguard.core.errors import ConfigError
from streamguard.core.event_data import utc_text
from streamguard.review.trail import Trail
from streamguard.sections.enforce_section import enforce_file
from streamguard.settings import Settings, load_settings

HOUR_S = 3600.0


def list_denied(arguments: argparse.Namespace) -> int:
    """Print the deny list."""
    settings = load_settings(arguments.config)
    now_s = time.time()
    with closing(_file(settings)) as file:
        for one in file.denials():
            if not one.is_over(now_s):
                _tell(arguments, _row(one))
    return 0


def deny(arguments: argparse.Namespace) -> int:
    """Keep a stream out."""
    settings = load_settings(arguments.config)
    stream_id, now_s = arguments.stream_id, time.time()
    if not any(stream_id.startswith(f"{one.name}-") for one in settings.servers):
        raise ConfigError(
            "no [[servers]] of this configuration has that stream: its id begins with their name"
        )
    until_s = now_s + arguments.hours * HOUR_S if arguments.hours else None
    kind: Kind = "play" if arguments.viewers else "publish"
    one = Denial(stream_id, kind, BY_HAND, str(uuid4()), now_s, until_s)
    if not arguments.dry_run:
        _note(settings, arguments, "deny.added", [one])
        with closing(_file(settings)) as file:
            file.add(one)
    _tell(arguments, _row(one) | {"done": not arguments.dry_run})
    return 0


def allow(arguments: argparse.Namespace) -> int:
    """Let a stream in again."""
    settings = load_settings(arguments.config)
    with closing(_file(settings)) as file:
        gone = [one for one in file.denials() if one.stream_id == arguments.stream_id]
        kept = [] if arguments.all else [one for one in gone if one.case_id != BY_HAND]
        gone = [one for one in gone if one not in kept]
        if not gone:
            raise ConfigError(_why_none(kept))
        if not arguments.dry_run:
            _note(settings, arguments, "deny.removed", gone)
            for one in gone:
                file.remove(one.place)
    for one in gone:
        _tell(arguments, _row(one) | {"done": not arguments.dry_run})
    return 0


def _why_none(kept: Sequence[Denial]) -> str:
    if kept:
        return "a decision keeps it out: restore it in the console, or give --all"
    return "nothing keeps that stream out: see `deny-list list`"


def _note(
    settings: Settings, arguments: argparse.Namespace, action: str, denials: Sequence[Denial]
) -> None:
    """Put on record who does it, and why."""
    source = f"/streamguard/{settings.deployment.name}"
    with SqliteLog(settings.log.file, "write") as log:
        trail = Trail(log, source, time.time)
        trail.append(list(_deeds(arguments, action, denials)))


def _deeds(arguments: argparse.Namespace, action: str, denials: Sequence[Denial]) -> Iterator[Deed]:
    for one in denials:
        details = {"reason": arguments.reason, "kind": one.kind, "until": _until(one) or "-"}
        case_id = None if one.case_id == BY_HAND else one.case_id
        yield Deed(arguments.by, action, case_id, about=one.stream_id, details=details)


def _row(one: Denial) -> dict[str, str | bool | None]:
    return {
        "stream_id": one.stream_id,
        "kind": one.kind,
        "case_id": one.case_id,
        "decision_id": one.decision_id,
        "since": utc_text(one.since_s),
        "until": _until(one),
    }


def _until(one: Denial) -> str | None:
    return None if one.until_s is None else utc_text(one.until_s)


def _tell(arguments: argparse.Namespace, row: dict[str, str | bool | None]) -> None:
    if arguments.json:
        print(json.dumps(row))
        return
    done = "" if row.get("done", True) else "  (not done: --dry-run)"
    until = row["until"] or "restored"
    print(f"{row['stream_id']}  {row['kind']}  case {row['case_id']}  until {until}{done}")


def _file(settings: Settings) -> DenyFile:
    return DenyFile(enforce_file(settings.enforce, settings.log.file))
