"""A writer of banks that is killed at a failpoint: the real command line, in a process of its own.

Rule: a point is armed before the command begins, as a test's child may; nothing else is changed.
"""

import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from streamguard import cli
from streamguard.adapters import failpoint
from streamguard.adapters.bank_file import add_entries
from tests.made_banks import entry

LARGE = 70_000
"""Hashes that are written in three parts, and after which a bank is compacted."""

Point = tuple[str, int]
"""A failpoint's name, and which of its occurrences."""

_children = multiprocessing.get_context("forkserver")
_children.set_forkserver_preload([__name__])


def write(arguments: list[str], dies_at: Point | None, passed_to: Path | None) -> None:
    """Run one command, as a child's whole life.

    Args:
        arguments: of the command line; or "large" and a bank's directory, for an addition by the
            programming interface.
        dies_at: where to be killed; None to live.
        passed_to: a file for the points that were passed, one a line, in their order.
    """
    if dies_at is not None:
        failpoint.arm(*dies_at)
    passed: list[str] = []
    if passed_to is not None:
        sys.setprofile(_noting(passed))
    if arguments[0] == "large":
        add_entries(Path(arguments[1]), [entry("large", LARGE)])
    elif cli.main(arguments) != 0:
        sys.exit(1)
    sys.setprofile(None)
    if passed_to is not None:
        passed_to.write_text("\n".join(passed))


def exit_code_of(
    arguments: list[str], *, dies_at: Point | None = None, passed_to: Path | None = None
) -> int:
    """Run a command in a process of its own; give its exit code, -9 where it was killed."""
    child = _children.Process(target=write, args=(arguments, dies_at, passed_to))
    child.start()
    child.join()
    code = child.exitcode
    child.close()
    assert code is not None
    return code


def _noting(passed: list[str]) -> Callable[[FrameType, str, object], None]:
    """Give a profiler that notes the failpoints that are passed."""

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is failpoint.reach.__code__:
            passed.append(frame.f_locals["name"])

    return note
