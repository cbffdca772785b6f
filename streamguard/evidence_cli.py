"""The arguments of the `evidence` verbs.

Rule: arguments only; what a verb does stands in evidence_verbs.
"""

import argparse
import getpass
from pathlib import Path

from streamguard.cli_parser import Verbs, add_verb


def add_evidence_verbs(verbs: Verbs) -> None:
    """Add `evidence` and the verbs below it."""
    evidence = verbs.add_parser("evidence", help="look after what is kept of flags")
    inner = evidence.add_subparsers(required=True, metavar="VERB")
    _add_list(inner)
    _add_show(inner)
    _add_verify(inner)


def _add_list(verbs: Verbs) -> None:
    listed = add_verb(
        verbs,
        "list",
        "evidence_verbs.list_evidence",
        "tell what is kept, of which stream, and until when",
        "streamguard evidence list --config streamguard.toml",
    )
    _add_place(listed)
    listed.add_argument("--json", action="store_true")


def _add_show(verbs: Verbs) -> None:
    show = add_verb(
        verbs,
        "show",
        "evidence_verbs.show",
        "print an evidence's manifest and custody; with --copy-to, its parts, on record",
        "streamguard evidence show ID --config streamguard.toml --copy-to look/ --purpose 'case 7'",
    )
    _add_id(show)
    _add_place(show)
    show.add_argument("--copy-to", type=Path, metavar="DIR", help="write its parts there, plainly")
    _add_who(show)


def _add_verify(verbs: Verbs) -> None:
    verify = add_verb(
        verbs,
        "verify",
        "evidence_verbs.verify",
        "check every byte of the evidence, its manifests and its custody",
        "streamguard evidence verify --config streamguard.toml",
    )
    _add_place(verify)
    verify.add_argument(
        "--head",
        metavar="HASH",
        help="hash that an earlier check printed: tells whether the custody was cut off since",
    )
    verify.add_argument("--json", action="store_true")


def _add_id(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("evidence_id", metavar="ID", help="the flag's id")


def _add_place(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--config", type=Path, metavar="FILE")
    verb.add_argument("--evidence", type=Path, metavar="DIR", help="instead of the configured one")


def _add_who(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--by", metavar="NAME", default=getpass.getuser(), help="who does it")
    verb.add_argument("--purpose", metavar="TEXT", default="", help="what for: it is put on record")
