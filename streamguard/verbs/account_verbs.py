"""What the verbs of `account` do: the first account has to come from somewhere.

Rule: a password never comes by the command line, where others see it; what is changed is on record.
"""

import argparse
import getpass
import json
import sys

from streamguard.core.audit import Deed
from streamguard.core.errors import AccountRefused
from streamguard.parts.review_parts import open_review
from streamguard.review.accounts import Account
from streamguard.review.service import Review
from streamguard.settings import load_settings

BY_COMMAND = "platform:command-line"
"""Who is on record: whoever has this machine."""


def add(arguments: argparse.Namespace) -> int:
    """Make an account."""
    clearance = frozenset(arguments.clearance)
    with open_review(load_settings(arguments.config)) as review:
        password = None if arguments.no_password else _password()
        made = review.accounts.add(arguments.name, arguments.role, clearance, password)
        _note(review, "account.made", made)
    print(made.account_id)
    return 0


def change(arguments: argparse.Namespace) -> int:
    """Change an account."""
    cleared = arguments.clearance
    with open_review(load_settings(arguments.config)) as review:
        account = review.accounts.named(arguments.name)
        if account is None:
            raise AccountRefused("there is no account of this name: see `account list`")
        changed = review.accounts.change(
            account.account_id,
            role=arguments.role,
            clearance=None if cleared is None else frozenset(cleared),
            is_active=True if arguments.enable else False if arguments.disable else None,
            password=_password() if arguments.password else None,
            forgets_provider=arguments.forget_provider,
        )
        _note(review, "account.changed", changed)
    return 0


def list_accounts(arguments: argparse.Namespace) -> int:
    """Print the accounts."""
    with open_review(load_settings(arguments.config)) as review:
        for one in review.accounts.all():
            row = {
                "name": one.name,
                "account_id": one.account_id,
                "role": one.role,
                "clearance": sorted(one.clearance),
                "is_active": one.is_active,
            }
            print(json.dumps(row, ensure_ascii=False) if arguments.json else _line(one))
    return 0


def _line(account: Account) -> str:
    state = "" if account.is_active else "  disabled"
    cleared = " ".join(sorted(account.clearance)) or "no clearance"
    return f"{account.name}  {account.account_id}  {account.role}  {cleared}{state}"


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")


def _note(review: Review, action: str, account: Account) -> None:
    details: dict[str, str | int] = {
        "role": account.role,
        "clearance": " ".join(sorted(account.clearance)),
        "is_active": "yes" if account.is_active else "no",
    }
    deed = Deed(BY_COMMAND, action, about=account.account_id, details=details)
    review.desk.trail.note(deed)
