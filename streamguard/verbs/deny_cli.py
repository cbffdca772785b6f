"""The arguments of the `deny-list` verbs.

Rule: arguments only; what a verb does stands in deny_verbs.
"""

import argparse
import getpass
import re
from pathlib import Path

from streamguard.cli_parser import Verbs, add_verb


def add_deny_list(verbs: Verbs) -> None:
    """Add `deny-list` and the verbs below it."""
    denied = verbs.add_parser("deny-list", help="see and change whom the enforcer keeps out")
    inner = denied.add_subparsers(required=True, metavar="VERB")
    listed = add_verb(
        inner,
        "list",
        "verbs.deny_verbs.list_denied",
        "print each entry: the stream, its case, since when and until when",
        "streamguard deny-list list --json --config enforce.toml",
    )
    add = add_verb(
        inner,
        "add",
        "verbs.deny_verbs.deny",
        "keep a stream out at once, by hand; whoever publishes it is ended",
        'streamguard deny-list add ingest-4e1f… --reason "court order 7" --hours 24 --config'
        " enforce.toml",
    )
    add.add_argument("--hours", type=_hours, help="for so long; without it until it is removed")
    add.add_argument("--viewers", action="store_true", help="refuse new viewers, not the publisher")
    remove = add_verb(
        inner,
        "remove",
        "verbs.deny_verbs.allow",
        "let a stream in again that was kept out by hand",
        'streamguard deny-list remove ingest-4e1f… --reason "order lifted" --config enforce.toml',
    )
    remove.add_argument(
        "--all",
        action="store_true",
        help="also what decisions put there, which the console restores with a reason of its own",
    )
    for verb in (add, remove):
        verb.add_argument("stream_id", metavar="STREAM", help="id of the stream, never its key")
        verb.add_argument("--reason", required=True, metavar="TEXT", help="goes on record")
        verb.add_argument(
            "--by", type=_actor, metavar="NAME", default=getpass.getuser(), help="who does it"
        )
        verb.add_argument("--dry-run", action="store_true", help="tell what would be done")
    for verb in (listed, add, remove):
        verb.add_argument("--json", action="store_true", help="JSON Lines")
        verb.add_argument(
            "--config", type=Path, metavar="FILE", required=True, help="that of `enforce`"
        )


def _hours(text: str) -> float:
    """Read a length of time, up to ten years."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 87_600:  # noqa: PLR2004  # ten years
        raise argparse.ArgumentTypeError("a number of hours is needed, up to ten years")
    return value


def _actor(text: str) -> str:
    """Read the name of whoever acts, as the audit takes it."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise argparse.ArgumentTypeError("a name of letters, digits, dots, - and _ is needed")
    return text
