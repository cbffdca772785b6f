"""Writes files so that they survive a power cut, for their owner alone.

Rule: a file appears whole or not at all, and is on disk when the call returns.
"""

import os
import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes | bytearray) -> None:
    """Replace a file; its directory is made where it is missing.

    Raises:
        OSError: it cannot be written; what was there before stands.
    """
    aside = _written_aside(path, content)
    try:
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_once(path: Path, content: bytes) -> bool:
    """Make a file unless it is there; say whether it was made.

    Raises:
        OSError: it cannot be written.
    """
    aside = _written_aside(path, content)
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    sync_directory(path.parent)
    return True


def remove(path: Path) -> None:
    """Remove a file if it is there; it is gone from the disk when this returns."""
    if path.exists():
        path.unlink()
        sync_directory(path.parent)


def make_directory(directory: Path) -> None:
    """Make a directory and those above it for their owner alone, unless they are there."""
    if not directory.exists():
        make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        sync_directory(directory.parent)


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory to disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written_aside(path: Path, content: bytes | bytearray) -> Path:
    make_directory(path.parent)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    return aside
