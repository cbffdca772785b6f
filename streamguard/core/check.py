"""What `streamguard doctor` says about one thing that streamguard stands on.

Rule: values only; whatever is not well says what to do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from streamguard.core.errors import StreamguardError

CONFIGURATION, DEPENDENCY = 2, 3
"""Whose move it is after a failure, as exit codes of the command line."""


class State(StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's.

    what:      what was found.
    remedy:    what to do; empty where all is well.
    exit_code: 0, unless it failed.
    """

    name: str
    state: State
    what: str
    remedy: str = ""
    exit_code: int = 0


def ok(name: str, what: str) -> Check:
    """Say that all is well."""
    return Check(name, State.OK, what)


def warn(name: str, what: str, remedy: str) -> Check:
    """Say that streamguard runs, but not as well as it could."""
    return Check(name, State.WARN, what, remedy)


def fail(name: str, what: str, remedy: str, exit_code: int = DEPENDENCY) -> Check:
    """Say that streamguard, or a part of it, does not run like this."""
    return Check(name, State.FAIL, what, remedy, exit_code)


def fail_by(name: str, error: StreamguardError, remedy: str) -> Check:
    """Turn an error into a check."""
    return fail(name, str(error), remedy, error.exit_code)


def exit_code_of(checks: Iterable[Check]) -> int:
    """Give the exit code for all: what only a person can put right comes first."""
    codes = {check.exit_code for check in checks} - {0}
    return min(codes, default=0)
