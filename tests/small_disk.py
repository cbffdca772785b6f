"""A disk of a few megabytes that a test can fill, and free again.

Rule: it is real: a tmpfs of its own. Who may not mount one gets a skip, with the reason.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

PAGE_BYTES = 4096


class SmallDisk:
    """Where files may be; what fills it beside them is a file of ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self, n_pages_left: int = 0) -> None:
        """Leave so much of it free as of now, also while others write there."""
        self.free()
        with self._filler.open("wb") as filler:
            while (n_bytes := self.n_free_bytes() - n_pages_left * PAGE_BYTES) > 0:
                with suppress(OSError):  # somebody else took some of it meanwhile: less, then
                    os.posix_fallocate(filler.fileno(), 0, n_bytes)
                    return

    def n_free_bytes(self) -> int:
        """Give how much of it is free."""
        room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize

    def free(self) -> None:
        """Give back what `fill` took."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk_at(path: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """Mount one at a directory that is to be made, as long as this lasts."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("no small disk here: only root may mount one")
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", path]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
