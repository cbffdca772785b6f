"""Counts the cores that this process may use.

Rule: what a container is granted counts, not what the machine has: more threads only wait.
"""

import os
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


def granted(quota: str) -> float:
    """Give the cores that a cgroup's cpu.max grants: "MICROSECONDS PERIOD", or "max PERIOD"."""
    share, _, period = quota.strip().partition(" ")
    return int(share) / int(period) if share.isdigit() else float("inf")
