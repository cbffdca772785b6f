"""The arguments of `review`, of `account` and of `audit`.

Rule: arguments only; what a verb does stands in review_verb, account_verbs and audit_verbs.
"""

import argparse
from pathlib import Path

from streamguard.cli_parser import Verbs, add_verb


def add_review_verbs(verbs: Verbs) -> None:
    """Add `review`, `account` and `audit`, with the verbs below them."""
    review = add_verb(
        verbs,
        "review",
        "verbs.review_verb.review",
        "serve the reviewers' console, beside run, until told to stop",
        "streamguard review --config streamguard.toml",
    )
    review.add_argument(
        "--test-page", action="store_true", help="call somebody by page_url now, and end"
    )
    _add_config(review)
    account = verbs.add_parser("account", help="who may sign in at the console")
    _add_accounts(account.add_subparsers(required=True, metavar="VERB"))
    audit = verbs.add_parser("audit", help="who saw and did what")
    _add_audit(audit.add_subparsers(required=True, metavar="VERB"))


def _add_accounts(verbs: Verbs) -> None:
    add = add_verb(
        verbs,
        "add",
        "verbs.account_verbs.add",
        "make an account; the password comes by standard input, or is asked for",
        "streamguard account add anna --role reviewer --clearance TVEC --config streamguard.toml",
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument(
        "--role", required=True, help="reviewer, senior, auditor, operator, administrator"
    )
    add.add_argument(
        "--clearance",
        action="append",
        default=[],
        metavar="POLICY",
        help="a policy code whose content it may see, or * for all; may be repeated",
    )
    add.add_argument(
        "--no-password", action="store_true", help="signed in by the configured provider alone"
    )
    change = add_verb(
        verbs,
        "change",
        "verbs.account_verbs.change",
        "change an account; whoever is signed in with it has to sign in again",
        "streamguard account change anna --role senior --config streamguard.toml",
    )
    change.add_argument("name", metavar="NAME")
    change.add_argument("--role")
    change.add_argument("--clearance", action="append", metavar="POLICY", help="all that it has")
    change.add_argument("--password", action="store_true", help="ask for a new one")
    change.add_argument(
        "--forget-provider",
        action="store_true",
        help="let the next who comes by this name from the provider have it, not the first who did",
    )
    which = change.add_mutually_exclusive_group()
    which.add_argument("--disable", action="store_true", help="let nobody sign in with it")
    which.add_argument("--enable", action="store_true")
    listed = add_verb(
        verbs,
        "list",
        "verbs.account_verbs.list_accounts",
        "tell which accounts there are",
        "streamguard account list --config streamguard.toml",
    )
    listed.add_argument("--json", action="store_true")
    for verb in (add, change, listed):
        _add_config(verb)


def _add_audit(verbs: Verbs) -> None:
    verify = add_verb(
        verbs,
        "verify",
        "verbs.audit_verbs.verify_audit",
        "check that the audit is what was written; end with 2 if it is not",
        "streamguard audit verify --config streamguard.toml --head 1234:9f86d0…",
    )
    verify.add_argument("--file", type=Path, metavar="FILE", help="an export instead of the log")
    verify.add_argument(
        "--head", metavar="N:HASH", help="how far it had come before, as verify said then"
    )
    verify.add_argument("--json", action="store_true")
    export = add_verb(
        verbs,
        "export",
        "verbs.audit_verbs.export_audit",
        "print the audit as JSON Lines, which `audit verify --file` takes",
        "streamguard audit export --config streamguard.toml",
    )
    for verb in (verify, export):
        verb.add_argument("--log", type=Path, metavar="FILE", help="the event log")
        verb.add_argument("--config", type=Path, metavar="FILE", help="settings that name the log")


def _add_config(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--config", type=Path, metavar="FILE", required=True)
