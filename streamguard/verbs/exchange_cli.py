"""The arguments of the `bank` verbs that take hash lists in and give them out.

Rule: arguments only; what a verb does stands in exchange_verbs, exchange_sync and aside_verbs.
"""

import argparse
from pathlib import Path

from streamguard.cli_parser import Verbs, add_verb

FORMATS = ("csv", "jsonl", "plain", "te", "vpdq")
"""The names of `exchange.lists`, which takes too long to import for those who want no list."""


def add_exchange_verbs(verbs: Verbs) -> None:
    """Add them below `bank`."""
    _add_import(verbs)
    _add_export(verbs)
    _add_sync(verbs)
    _add_aside(verbs)
    _add_admit(verbs)


def _add_import(verbs: Verbs) -> None:
    take_in = add_verb(
        verbs,
        "import",
        "verbs.exchange_verbs.import_list",
        "take somebody's hash list into a bank, which is made where there is none",
        "streamguard bank import bank/ list.jsonl --format jsonl --source partner --dry-run",
    )
    take_in.add_argument("directory", type=Path, metavar="DIR")
    take_in.add_argument("file", type=Path, metavar="FILE")
    take_in.add_argument("--format", choices=FORMATS, required=True)
    take_in.add_argument("--source", metavar="NAME", help="whose list it is; else the file's name")
    take_in.add_argument("--policy", metavar="CODE", help="policy code of what names none")
    mode = take_in.add_mutually_exclusive_group()
    mode.add_argument(
        "--snapshot", action="store_true", help="it is all that its source has: withdraw the rest"
    )
    mode.add_argument(
        "--delta", action="store_true", help="it says itself what is withdrawn (the default)"
    )
    take_in.add_argument(
        "--negative",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="set aside what is near this bank of harmless pictures; may be repeated",
    )
    _add_caution(take_in)


def _add_export(verbs: Verbs) -> None:
    give_out = add_verb(
        verbs,
        "export",
        "verbs.exchange_verbs.export_list",
        "print what a bank holds as a hash list",
        "streamguard bank export bank/ --format csv",
    )
    give_out.add_argument("directory", type=Path, metavar="DIR")
    give_out.add_argument("--format", choices=FORMATS, required=True)
    give_out.add_argument("--entry", metavar="NAME", help="this entry alone; vpdq needs it")
    give_out.add_argument(
        "--opinions",
        type=Path,
        metavar="FILE",
        help="decisions as JSON Lines: print them for the exchanges, instead of the hashes",
    )
    give_out.add_argument(
        "--privacy-group",
        metavar="ID",
        help="of ThreatExchange: offer it confirmed hashes that it does not know",
    )


def _add_sync(verbs: Verbs) -> None:
    follow = add_verb(
        verbs,
        "sync",
        "verbs.exchange_sync.sync_bank",
        "bring a bank up to the hash list of an exchange",
        "streamguard bank sync bank/ --exchange tat --config streamguard.toml",
    )
    follow.add_argument("directory", type=Path, metavar="DIR")
    follow.add_argument("--exchange", required=True, metavar="NAME", help="of [exchange.NAME]")
    follow.add_argument("--config", type=Path, metavar="FILE", help="settings that have it")
    follow.add_argument("--follow", action="store_true", help="sync again at each interval")
    follow.add_argument("--refetch", action="store_true", help="fetch the whole list anew")
    _add_caution(follow)


def _add_aside(verbs: Verbs) -> None:
    aside = add_verb(
        verbs,
        "aside",
        "verbs.aside_verbs.list_aside",
        "print what imports and persons keep out of a bank, and why",
        "streamguard bank aside bank/ --json",
    )
    aside.add_argument("directory", type=Path, metavar="DIR")
    aside.add_argument("--json", action="store_true")


def _add_admit(verbs: Verbs) -> None:
    admit = add_verb(
        verbs,
        "admit",
        "verbs.aside_verbs.admit",
        "let in what is kept out, by the name that `aside` prints",
        "streamguard bank admit bank/ partner:17",
    )
    admit.add_argument("directory", type=Path, metavar="DIR")
    admit.add_argument("name", metavar="NAME")
    admit.add_argument("--json", action="store_true")


def _add_caution(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dry-run", action="store_true", help="tell what would change, no more")
    verb.add_argument(
        "--allow-shrink", action="store_true", help="let a source take away much of what it held"
    )
    verb.add_argument("--json", action="store_true")
