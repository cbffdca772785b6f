"""Looks at a disk: what kind it is, how full, how fast it commits.

Rule: it measures where the files will lie, and leaves nothing behind.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from streamguard.core.check import Check, State, fail
from streamguard.core.shedding import Room

N_SYNCS = 20
SLOW_SYNC_S = 0.020
"""Median of a sync above which it eats into the quarter of a second that a flag may take."""

FEW_BYTES, TOO_FEW_BYTES = 2 << 30, 100 << 20
"""Free disk below which to warn, and to fail. A clip of ten seconds takes about 6 MB."""

FLEETING = frozenset({"overlay", "tmpfs", "ramfs"})
"""File systems that end with the container, or when the power does."""

SHARED = frozenset({"nfs", "nfs4", "cifs", "smb3"})
"""File systems on which SQLite's locks, or a sync, are not what they should be.
Source: https://sqlite.org/wal.html"""

MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True, slots=True)
class Disk:
    """What was measured.

    kind:   type of the file system, "ext4".
    sync_s: median of a few syncs, seconds.
    """

    kind: str
    free_bytes: int
    sync_s: float


def disk(name: str, directory: Path) -> Check:
    """Measure the disk that holds a directory, or will hold it.

    name: the section of the configuration that names it.
    """
    wanted = directory.absolute()
    here = _existing(wanted)
    found = str(wanted) if here == wanted else f"{wanted} (to be made in {here})"
    try:
        measured = Disk(
            file_system(here, MOUNTS.read_text() if MOUNTS.exists() else ""),
            shutil.disk_usage(here).free,
            statistics.median(sync_times_s(here)),
        )
    except OSError as error:
        what = f"{found} cannot be written: {error.strerror}"
        return fail(name, what, f"make it writable, or set another in [{name}]")
    return judged(name, found, measured)


def judged(name: str, found: str, measured: Disk) -> Check:
    """Say whether a disk will do."""
    what = (
        f"{found}: {measured.free_bytes / 1e9:.1f} GB free, sync {measured.sync_s * 1000:.1f} ms,"
        f" {measured.kind}"
    )
    if measured.free_bytes < TOO_FEW_BYTES:
        return fail(name, what, "free the disk: nothing can be committed when it is full")
    if measured.kind in FLEETING:
        remedy = "mount a volume: this does not outlive the container or a restart"
    elif measured.kind in SHARED:
        remedy = "use a disk of this machine: locks over a network cannot be trusted"
    elif measured.free_bytes < FEW_BYTES:
        remedy = "free the disk soon: a clip takes about 6 MB"
    elif measured.sync_s > SLOW_SYNC_S:
        remedy = "use a faster disk: each flag waits for a sync"
    else:
        remedy = ""
    return Check(name, State.WARN if remedy else State.OK, what, remedy)


def room(directory: Path) -> Room:
    """Give the room on the disk that holds a directory; without end where it cannot be told.

    Whatever keeps it from being told keeps the log from being written, and that has its own alert.
    """
    try:
        usage = shutil.disk_usage(directory)
    except OSError:
        return Room(sys.maxsize, sys.maxsize)
    return Room(usage.free, usage.total)


def has_room(directory: Path, n_bytes: int) -> bool:
    """Say whether the disk that holds a directory takes so many bytes of evidence: a HasRoom.

    On this disk may lie the log as well: evidence leaves the rest of it.
    """
    return room(directory).takes_evidence(n_bytes)


def are_on_one_disk(one: Path, other: Path) -> bool:
    """Say whether two files, or those that will be there, share a file system."""
    return _existing(one).stat().st_dev == _existing(other).stat().st_dev


def _existing(path: Path) -> Path:
    """Give the directory that holds a path, or will hold what is made for it."""
    whole = path.absolute()
    return next(each for each in (whole, *whole.parents) if each.is_dir())


def sync_times_s(directory: Path) -> list[float]:
    """Append and sync a few times, as a commit does; give the seconds of each."""
    times: list[float] = []
    with tempfile.NamedTemporaryFile(dir=directory, prefix=".doctor-", buffering=0) as file:
        for _ in range(N_SYNCS):
            start_s = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start_s)
    return times


def file_system(directory: Path, mounts: str) -> str:
    """Name the type of the file system that holds a directory.

    mounts: as /proc/self/mounts has them: device, mount point, type, ..., a line each.
    """
    rows = [line.split(" ")[1:3] for line in mounts.splitlines()]
    whole = directory.resolve()
    held = [(point, kind) for point, kind in rows if whole.is_relative_to(point)]
    return max(held, key=lambda row: len(row[0]))[1] if held else "unknown file system"
