"""The arguments of the `bank` verbs.

Rule: arguments only; what a verb does stands in bank_verbs.
"""

import argparse
from pathlib import Path

from streamguard.cli_parser import Verbs, add_verb, count
from streamguard.core.variants import DEFAULT_RECIPES, RECIPES
from streamguard.verbs.bank_edit_cli import add_bank_edit_verbs
from streamguard.verbs.exchange_cli import add_exchange_verbs


def add_bank_verbs(verbs: Verbs) -> None:
    """Add `bank` and the verbs below it."""
    bank = verbs.add_parser("bank", help="make, look into and change banks of known content")
    inner = bank.add_subparsers(required=True, metavar="VERB")
    _add_build(inner)
    _add_query(inner)
    _add_stat(inner)
    _add_verify(inner)
    _add_bench(inner)
    add_bank_edit_verbs(inner)
    add_exchange_verbs(inner)


def _add_build(verbs: Verbs) -> None:
    build = add_verb(
        verbs,
        "build",
        "verbs.bank_verbs.build",
        "add videos and images to a bank, which is made where there is none",
        "streamguard bank build bank/ attack.mp4 --policy TVEC-ATTACK-FOOTAGE",
    )
    _add_directory(build)
    build.add_argument("sources", nargs="+", metavar="SOURCE")
    build.add_argument("--policy", required=True, metavar="CODE", help="UPPER-KEBAB policy code")
    build.add_argument("--entry", metavar="NAME", help="name of the entry; else the file's name")
    build.add_argument(
        "--variants",
        metavar="RECIPES",
        help=f"copies to make of each picture: {', '.join(RECIPES)}, or none; the bank remembers "
        f"it, and begins with {','.join(DEFAULT_RECIPES)}",
    )
    build.add_argument("--replace", action="store_true", help="replace entries of the same name")
    _add_json(build)


def _add_query(verbs: Verbs) -> None:
    query = add_verb(
        verbs,
        "query",
        "verbs.bank_verbs.query",
        "hold the keyframes of a file against a bank",
        "streamguard bank query bank/ copy.mp4",
    )
    _add_directory(query)
    query.add_argument("source", metavar="SOURCE")
    query.add_argument("--every-frame", action="store_true")
    query.add_argument("--limit", type=count, default=1, help="matches shown for each frame")
    _add_json(query)


def _add_stat(verbs: Verbs) -> None:
    stat = add_verb(
        verbs,
        "stat",
        "verbs.bank_verbs.stat",
        "tell what a bank holds",
        "streamguard bank stat bank/",
    )
    _add_directory(stat)
    _add_json(stat)


def _add_verify(verbs: Verbs) -> None:
    verify = add_verb(
        verbs,
        "verify",
        "verbs.bank_verify_verb.verify",
        "check every byte of a bank, and the records that it follows",
        "streamguard bank verify bank/",
    )
    _add_directory(verify)


def _add_bench(verbs: Verbs) -> None:
    bench = add_verb(
        verbs,
        "bench",
        "verbs.bank_verbs.bench",
        "measure banks of random and of crowded entries on this machine",
        "streamguard bank bench --entries 1000000",
    )
    bench.add_argument("--entries", type=count, default=100_000)
    bench.add_argument(
        "--grown-from",
        type=Path,
        metavar="FILE",
        help="hashes of pictures, 64 hex digits each, to grow the crowded bank from; else drawn",
    )
    _add_json(bench)


def _add_directory(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("directory", type=Path, metavar="DIR")


def _add_json(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true")
