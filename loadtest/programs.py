"""Finds and runs the programs that load tests work with: ffmpeg, nginx, and streamguard itself.

Rule: whatever a load test starts is a process of its own and ends with it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtest.footage import KEPT

ROOT = Path(__file__).parent.parent
CACHE = KEPT / "loadtest"
"""Where what takes long to make is kept; LOADTEST_CACHE names another folder than `.cache`."""

BYTECODE = CACHE / "bytecode"
STOP_S = 20.0
"""How long a process that was told to stop may take."""


class ProgramUnavailable(Exception):
    """A program is not here, or failed; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process took.

    cpu_s:  user and system time of the whole process, start-up included.
    wall_s: from its start to its end.
    """

    cpu_s: float
    wall_s: float


def find(name: str) -> Path:
    """Find a program on PATH, or where Debian keeps servers.

    Raises:
        ProgramUnavailable: it is not installed.
    """
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise ProgramUnavailable(f"there is no {name} here: install Debian's {name}")
    return Path(found)


def environment() -> dict[str, str]:
    """Give this process's environment without settings of streamguard, and with bytecode.

    An installed program has its bytecode; without it each start compiles 1,200 sources, which takes
    as long again as all else that a start does.
    """
    refused = ("STREAMGUARD_", "PYTHONDONTWRITEBYTECODE")
    inherited = {k: v for k, v in os.environ.items() if not k.upper().startswith(refused)}
    ours = {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(BYTECODE)}
    return inherited | ours | {"STREAMGUARD_ADMIN__PORT": "0"}  # several may run side by side


def streamguard(*arguments: str | Path) -> list[str]:
    """Give the command line that runs streamguard in this Python."""
    return [sys.executable, "-m", "streamguard", *map(str, arguments)]


def output_of(command: Sequence[str]) -> str:
    """Run a program to its end; give what it wrote to standard output.

    Raises:
        ProgramUnavailable: it failed; the message ends with its own last line.
    """
    done = subprocess.run(
        command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        problem = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        name = " ".join(Path(part).name for part in command[:3])
        raise ProgramUnavailable(f"{name} failed (exit {done.returncode}): {problem[0]}")
    return done.stdout.decode()


def spent_by(command: Sequence[str], output: Path = Path(os.devnull)) -> Spent:
    """Run a program to its end, its output going to a file, and account for it and its children.

    Raises:
        ProgramUnavailable: it failed.
    """
    before = os.times().elapsed
    with output.open("wb") as sink:
        process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.DEVNULL, stdout=sink
        )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ProgramUnavailable(f"{Path(command[0]).name} failed (exit {process.returncode})")
    wall_s = os.times().elapsed - before
    return Spent(usage.ru_utime + usage.ru_stime, wall_s)


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside us, what it prints going to a file, and stop it at the end."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """Ask a process to end, and kill it where it does not; give its exit code."""
    process.terminate()
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
