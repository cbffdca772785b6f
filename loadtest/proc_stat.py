"""What processes take, read from /proc: CPU time, memory, threads and descriptors.

Rule: Linux only, and only of processes that are named by their id; one that is gone took nothing.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process, or several together, hold at one instant; CPU since their start, seconds."""

    cpu_s: float = 0.0
    rss_bytes: int = 0
    n_threads: int = 0
    n_descriptors: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.cpu_s + other.cpu_s,
            self.rss_bytes + other.rss_bytes,
            self.n_threads + other.n_threads,
            self.n_descriptors + other.n_descriptors,
        )


def usage_of(pid: int) -> Usage:
    """Read what one process holds; nothing where it is gone."""
    try:
        fields = _stat(pid)
        n_descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return Usage()
    cpu_s = (int(fields[11]) + int(fields[12])) / TICKS_S
    return Usage(cpu_s, int(fields[21]) * PAGE_BYTES, int(fields[17]), n_descriptors)


def total(pids: Iterable[int]) -> Usage:
    """Add up what these processes hold."""
    return sum(map(usage_of, pids), Usage())


def descendants(pid: int) -> list[int]:
    """Give the processes that this one started, and those that they did."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int(_stat(int(folder.name))[1])
            except OSError:
                continue
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        children = [child for child, of in parents.items() if of == parent]
        found += children
        waiting += children
    return found


def n_zombies(pids: Iterable[int]) -> int:
    """Count those that have ended and that nobody has asked for."""
    return sum(_state(pid) == "Z" for pid in pids)


def _state(pid: int) -> str:
    try:
        return _stat(pid)[0]
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """Give the fields of /proc/PID/stat from the state on; the name may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
