"""The arguments of the `bank` verbs that change or list what is in a bank.

Rule: arguments only; what a verb does stands in bank_edit_verbs.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from streamguard.cli_parser import Verbs, add_verb
from streamguard.core.types import MATCH_DISTANCE_BITS, MIN_QUALITY
from streamguard.core.variants import RECIPES

MAX_VOTES = 1_000
"""Votes that may be asked for: over a thousand samples no livestream's copy agrees that long."""


def add_bank_edit_verbs(verbs: Verbs) -> None:
    """Add these verbs below `bank`."""
    _add_remove(verbs)
    _add_list(verbs)
    _add_configure(verbs)
    _add_quarantine(verbs)
    _add_release(verbs)
    _add_compact(verbs)
    _add_slates(verbs)


def _add_remove(verbs: Verbs) -> None:
    remove = add_verb(
        verbs,
        "remove",
        "verbs.bank_edit_verbs.remove",
        "take an entry out of a bank",
        "streamguard bank remove bank/ attack.mp4",
    )
    _add_common(remove, entry=True)


def _add_list(verbs: Verbs) -> None:
    listing = add_verb(
        verbs,
        "list",
        "verbs.bank_edit_verbs.list_entries",
        "print what is in a bank, one line an entry",
        "streamguard bank list bank/ --json",
    )
    _add_common(listing)


def _add_configure(verbs: Verbs) -> None:
    configure = add_verb(
        verbs,
        "configure",
        "verbs.bank_edit_verbs.configure",
        "change what holds for a bank or one of its entries, or show it",
        "streamguard bank configure slates/ --negative --max-distance 20",
    )
    _add_common(configure)
    role = configure.add_mutually_exclusive_group()
    for name, text in (
        ("negative", "it holds harmless pictures, which veto matches"),
        ("known", "it holds what is to be found"),
    ):
        role.add_argument(f"--{name}", dest="role", action="store_const", const=name, help=text)
    configure.add_argument(
        "--max-distance", type=_between(0, MATCH_DISTANCE_BITS), metavar="BITS", help="0 to 31"
    )
    configure.add_argument(
        "--min-votes", type=_between(1, MAX_VOTES), metavar="N", help="samples that must agree"
    )
    configure.add_argument(
        "--min-quality", type=_between(MIN_QUALITY, 100), metavar="N", help="50 to 100"
    )
    configure.add_argument(
        "--shadow", action=argparse.BooleanOptionalAction, help="log matches, flag none"
    )
    configure.add_argument(
        "--variants", metavar="RECIPES", help=f"what build makes: {', '.join(RECIPES)}, or none"
    )
    configure.add_argument("--entry", metavar="NAME", help="change this entry, not the bank")


def _add_quarantine(verbs: Verbs) -> None:
    quarantine = add_verb(
        verbs,
        "quarantine",
        "verbs.bank_edit_verbs.quarantine",
        "set an entry aside: it stays in the bank and matches nothing",
        "streamguard bank quarantine bank/ attack.mp4 --reason 'matches an intro'",
    )
    _add_common(quarantine, entry=True)
    quarantine.add_argument("--reason", default="a person", metavar="TEXT", help="why")


def _add_release(verbs: Verbs) -> None:
    release = add_verb(
        verbs,
        "release",
        "verbs.bank_edit_verbs.release",
        "let an entry in again that was set aside",
        "streamguard bank release bank/ attack.mp4",
    )
    _add_common(release, entry=True)


def _add_compact(verbs: Verbs) -> None:
    compact = add_verb(
        verbs,
        "compact",
        "verbs.bank_edit_verbs.compact",
        "put a bank in order, while others edit it and match against it",
        "streamguard bank compact bank/",
    )
    _add_common(compact)


def _add_slates(verbs: Verbs) -> None:
    slates = add_verb(
        verbs,
        "slates",
        "verbs.slate_verbs.add_slates",
        "put test cards and slates into a bank whose pictures veto matches",
        "streamguard bank slates slates/",
    )
    _add_common(slates)


def _add_common(verb: argparse.ArgumentParser, *, entry: bool = False) -> None:
    verb.add_argument("directory", type=Path, metavar="DIR")
    if entry:
        verb.add_argument("entry", metavar="ENTRY")
    verb.add_argument("--json", action="store_true")


def _between(least: int, most: int) -> Callable[[str], int]:
    """Give what reads a whole number within bounds, both included."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"a whole number from {least} to {most} is needed")
        return int(text)

    return read
