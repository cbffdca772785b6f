"""Copies an SQLite database while others read and write it.

Rule: the copy is one state of it, whole; the original is only read.
Source: https://sqlite.org/backup.html
"""

from pathlib import Path

import apsw

from streamguard.adapters.sqlite_file import BUSY_TIMEOUT_MS
from streamguard.core.errors import LogUnavailable


def copy_database(source: Path, target: Path) -> None:
    """Copy a database to a file that is not there yet, for its owner alone.

    Raises:
        LogUnavailable: one cannot be read or the other not be written.
    """
    try:
        target.touch(mode=0o600, exist_ok=False)
        original = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
        copy = apsw.Connection(str(target))
        original.set_busy_timeout(BUSY_TIMEOUT_MS)
        try:
            with copy.backup("main", original, "main") as backing_up:
                backing_up.step(-1)  # all at once: so it is one state
        finally:
            copy.close()
            original.close()
    except (apsw.Error, OSError) as error:
        raise LogUnavailable(
            f"{source} cannot be copied to {target} ({type(error).__name__})"
        ) from None
