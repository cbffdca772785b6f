"""Who may write a bank, and what the last writer noted.

Rule: one process edits at a time, and says beside the bank's files how far it was edited: were
whole edits cut off the delta, nothing else would show it.
"""

import fcntl
import os
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamguard.adapters.bank_dir import read_from
from streamguard.adapters.bank_layout import Damaged
from streamguard.core.errors import BankError

LOCK_WAIT_S = 5.0
"""How long a writer waits for another: an edit takes milliseconds; as for the event log."""

LOCK_FILE = "lock"
"""Held by who edits; 12 bytes: the revision after the last edit (u64), and its CRC-32 (u32)."""

COMPACTION_LOCK_FILE = "compaction.lock"
"""Held by who makes a new base."""

_POLL_S = 0.005
_MARK = struct.Struct("<Q")
_CRC = struct.Struct("<I")


class BankBusy(BankError):
    """Another process is writing the bank."""


@contextmanager
def locked(directory: Path, name: str = LOCK_FILE, wait_s: float | None = None) -> Iterator[None]:
    """Hold a lock of the bank; wait for another holder, LOCK_WAIT_S unless told.

    Raises:
        BankError: it is held by another process all the while, or cannot be had at all.
    """
    try:
        lock = os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BankError(
            f"{directory} cannot be written: {error.strerror}; name a directory that can be"
        ) from None
    try:
        end_s = time.monotonic() + (LOCK_WAIT_S if wait_s is None else wait_s)
        while not _is_locked(lock):
            if time.monotonic() >= end_s:
                raise BankBusy(
                    f"{directory} is being written by another process; try again when that is done"
                )
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(lock)


def _is_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def mark(directory: Path, revision: int) -> None:
    """Note how far a bank was edited, beside its files: were edits cut off them, it would show.

    The lock is held, and the edit safe on disk: the note may stay behind, as after a power cut, and
    is never ahead.
    """
    with suppress(OSError), (directory / LOCK_FILE).open("r+b", buffering=0) as file:
        file.write(_marked(revision))


def marked(directory: Path) -> int:
    """Read how far a bank was edited; 0 where nothing was noted.

    Raises:
        Damaged: the note is none.
        FileNotFoundError: there is none.
        BankError: it cannot be read.
    """
    noted = read_from(directory / LOCK_FILE, 0)
    if not noted:
        return 0
    if len(noted) == _MARK.size + _CRC.size:
        revision: int = _MARK.unpack_from(noted)[0]
        if noted == _marked(revision):
            return revision
    raise Damaged("what it says of the last edit is damaged")


def _marked(revision: int) -> bytes:
    noted = _MARK.pack(revision)
    return noted + _CRC.pack(zlib.crc32(noted))
