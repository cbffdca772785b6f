"""What the modules of the command line share: the parser, the kinds of value, how a verb is added.

Rule: what is wrong with the arguments is told in one line, with exit code 2.
"""

import argparse
import math
import re
from collections.abc import Callable
from importlib import import_module
from typing import NoReturn, TypeAlias

from streamguard.core.events import DAY_S

Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001  # it has no public name


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and repeats no URL: it may hold a key."""

    def error(self, message: str) -> NoReturn:
        """Tell what is wrong with the arguments, and leave with 2."""
        shown = re.sub(r"\S*://.*", "(a URL)", " ".join(message.split()))
        self.exit(2, f"{self.prog}: {shown}; see {self.prog} --help\n")


def count(text: str) -> int:
    """Read a whole number of 1 or more."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("a whole number of 1 or more is needed")
    return int(text)


def seconds(text: str) -> float:
    """Read a length of time, up to a day."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= DAY_S:
        raise argparse.ArgumentTypeError("a number of seconds is needed, up to a day")
    return value


def add_verb(verbs: Verbs, name: str, do: str, text: str, example: str) -> argparse.ArgumentParser:
    """Add a verb that is done by `do`, as "verbs.screen_verb.screen"; return its parser.

    The module is imported when the verb runs: nobody waits for what another verb needs.
    """
    parser = verbs.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"Example: {example}",
    )
    parser.set_defaults(verb=do)
    return parser


def verb_of(arguments: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    """Import what the chosen verb needs; give what does it."""
    module, _, function = arguments.verb.rpartition(".")
    found: Callable[[argparse.Namespace], int] = getattr(
        import_module(f"streamguard.{module}"), function
    )
    return found
