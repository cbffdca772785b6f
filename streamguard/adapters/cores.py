"""Counts the cores that this process may use, and shares them out.

Rule: what a container is granted counts, not what the machine has: more threads only wait.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, CPU interface files."""


def n_cores(quota: Path = CGROUP_QUOTA) -> int:
    """Give the whole cores that may be used, 1 at least."""
    return max(1, int(cores_granted(quota)))


def cores_granted(quota: Path = CGROUP_QUOTA) -> float:
    """Give the cores that may be used, a part of one included."""
    n_seen = float(len(os.sched_getaffinity(0)))
    return min(n_seen, granted(quota.read_text() if quota.exists() else ""))


def shares(n_workers: int, quota: Path = CGROUP_QUOTA) -> tuple[tuple[int, ...], ...]:
    """Share the cores out to workers, in order; empty where it is better that the system does.

    That is where a quota grants less than what is seen: all containers of a machine would take the
    same cores. Threads of one worker that run side by side get into each other's way at Python's
    lock: at 40 streams a fifth of the CPU, and 300 switches a second and stream instead of 20.
    """
    cores = sorted(os.sched_getaffinity(0))
    if cores_granted(quota) < len(cores):
        return ()
    return tuple(share(place, n_workers, cores) for place in range(n_workers))


def share(place: int, n_workers: int, cores: Sequence[int]) -> tuple[int, ...]:
    """Give neighbours, all of them shared out; one core several times where few are."""
    if n_workers > len(cores):
        return (cores[place % len(cores)],)
    begin, end = (at * len(cores) // n_workers for at in (place, place + 1))
    return tuple(cores[begin:end])


def stay_on(cores: Iterable[int]) -> None:
    """Keep all threads of this process on these cores; threads that they start stay there, too."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended since
            os.sched_setaffinity(int(thread.name), cores)


def granted(quota: str) -> float:
    """Give the cores that a cgroup's cpu.max grants: "MICROSECONDS PERIOD", or "max PERIOD"."""
    share, _, period = quota.strip().partition(" ")
    return int(share) / int(period) if share.isdigit() else float("inf")
