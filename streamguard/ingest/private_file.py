"""Writes files that hold secrets.

Rule: only their owner can read them; a file is replaced as a whole, so that a crash leaves the old
content or the new one.
"""

import os
from pathlib import Path


def write_private(file: Path, content: bytes) -> None:
    """Replace a file; it is on disk when this returns.

    Raises:
        OSError: it cannot be written; what was there before stands.
    """
    beside = file.with_name(f"{file.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        os.fchmod(handle, 0o600)  # of a file that was there before, too
        out.write(content)
        out.flush()
        os.fsync(handle)
    beside.replace(file)
    _sync_directory(file.parent)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
