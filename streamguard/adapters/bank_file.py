"""A bank in a directory: the file `bank.sgb`, which readers map, and `lock`, held while one writes.

Rule: a file that someone may have mapped is never touched. An edit makes a whole new file aside and
puts it in place by renaming, so that a reader, a crash or a full disk sees the old bank or the new
one; who mapped the old one keeps it until they let it go. streamguard.adapters.bank_layout says
what each byte means.
"""

import fcntl
import mmap
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from streamguard.adapters.bank_layout import (
    FORMAT_VERSION,
    HASHER,
    pack,
    problems,
    read_bank,
    read_header,
)
from streamguard.core.bank import Bank, edit_bank, empty_bank
from streamguard.core.bank_values import KINDS, Entry, check_name, check_policy
from streamguard.core.errors import BankError
from streamguard.core.index import SlotIndex
from streamguard.core.slots import build_slots

BANK_FILE = "bank.sgb"
_LOCK_FILE = "lock"
_NEW_FILE = "bank.sgb.tmp"
"""The next bank while it is written; what a killed writer left of it is no bank to anyone."""


def open_bank(directory: Path) -> Bank:
    """Map the bank in a directory, after checking every byte of it.

    Raises:
        BankError: there is none, it cannot be read, or it is damaged.
    """
    mapped = _map(directory)
    _refuse_damaged(directory, mapped)
    return read_bank(mapped, _name_of(directory))


def add_entry(directory: Path, entry: Entry, *, replace: bool = False) -> None:
    """Add one entry; see add_entries."""
    add_entries(directory, [entry], replace=replace)


def add_entries(directory: Path, entries: Sequence[Entry], *, replace: bool = False) -> None:
    """Add entries to the bank in a directory, all or none; the directory is made where missing.

    Args:
        directory: of the bank.
        entries: with names that differ from each other.
        replace: an entry of a name that is taken goes in place of the old one.

    Raises:
        BankError: a name is taken, another process is writing, the bank there is damaged, or the
            new one cannot be written. What was in force before still is.
    """
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise BankError("two entries to be added have the same name; give each one its own")
    _make(directory)
    with _writing(directory):
        bank = _open_or_empty(directory)
        taken = [name for name in names if _has(bank, name)]
        if taken and not replace:
            raise BankError(
                f"{directory} has an entry named {taken[0]!r}; choose another name, or replace it"
            )
        _put(directory, edit_bank(bank, add=entries, remove=taken))


def remove_entry(directory: Path, name: str) -> None:
    """Take one entry out of the bank in a directory.

    Raises:
        BankError: there is no such entry or bank, another process is writing, or the new bank
            cannot be written. What was in force before still is.
    """
    _map(directory)  # where there is no bank, no lock is left either
    with _writing(directory):
        bank = open_bank(directory)
        if not _has(bank, name):
            raise BankError(f"{directory} has no entry named {name!r}; see what it has with stat")
        _put(directory, edit_bank(bank, remove=[name]))


def save_bank(directory: Path, bank: Bank) -> None:
    """Put this bank in force in a directory, in place of what may be there.

    Raises:
        BankError: another process is writing, or the bank cannot be written.
    """
    _make(directory)
    with _writing(directory):
        _put(directory, bank)


def stat_bank(directory: Path) -> dict[str, Any]:
    """Tell how much the bank in a directory holds, and of which policies (entries of each).

    Raises:
        BankError: there is none, it cannot be read, or it is damaged.
    """
    mapped = _map(directory)
    _refuse_damaged(directory, mapped)
    header = read_header(mapped)
    bank = read_bank(mapped, _name_of(directory))
    policies, counts = np.unique(bank.entries["policy"], return_counts=True)
    kinds = np.bincount(bank.entries["kind"], minlength=len(KINDS)).tolist()
    return {
        "bank": bank.name,
        "format_version": FORMAT_VERSION,
        "hasher": HASHER,
        "made_at": datetime.fromtimestamp(header.made_at_us / 1e6, UTC).isoformat(),
        "entries": header.n_entries,
        "videos": kinds[KINDS.index("video")],
        "images": kinds[KINDS.index("image")],
        "hashes": header.n_hashes,
        "size_bytes": len(mapped),
        "index": "slots" if header.has_slots else "scan",
        "policies": dict(zip(policies.astype(str).tolist(), counts.tolist(), strict=True)),
    }


def verify_bank(directory: Path) -> list[str]:
    """List all that is wrong with the bank in a directory; more than open_bank looks for.

    Raises:
        BankError: there is none, or it cannot be read.
    """
    mapped = _map(directory)
    found = list(problems(mapped))
    if found:
        return found
    bank = read_bank(mapped, _name_of(directory))
    return list(_deep_problems(bank))


def _deep_problems(bank: Bank) -> Iterator[str]:
    index = bank.index
    if isinstance(index, SlotIndex):
        offsets, ids = build_slots(bank.hashes)
        if not (np.array_equal(offsets, index.offsets) and np.array_equal(ids, index.ids)):
            yield "its slots do not list its hashes"
    if len(np.unique(bank.entries["name"])) < len(bank.entries):
        yield "two of its entries have the same name"
    for row, entry in enumerate(bank.entries):
        try:
            check_name(entry["name"].decode())
            check_policy(entry["policy"].decode())
        except (BankError, UnicodeDecodeError):
            yield f"its entry number {row} has no valid name or policy"


def _open_or_empty(directory: Path) -> Bank:
    if (directory / BANK_FILE).exists():
        return open_bank(directory)
    return empty_bank(_name_of(directory))


def _has(bank: Bank, name: str) -> bool:
    return bool(np.any(bank.entries["name"] == name.encode()))


def _name_of(directory: Path) -> str:
    return directory.resolve().name


def _map(directory: Path) -> memoryview:
    """Map the bank file read-only; its arrays keep the mapping alive."""
    path = directory / BANK_FILE
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")  # an empty file cannot be mapped, only refused
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        raise BankError(
            f"{directory} holds no bank; make one with streamguard bank build"
        ) from None
    except OSError as error:
        raise BankError(
            f"{path} cannot be read: {error.strerror}; see who may read it and the disk's health"
        ) from None


def _refuse_damaged(directory: Path, mapped: memoryview) -> None:
    for problem in problems(mapped):
        raise BankError(
            f"{directory / BANK_FILE} is unusable: {problem}; "
            "restore it from a copy, or build it anew in an empty directory"
        )


def _make(directory: Path) -> None:
    """Make the directory where it is missing, for its owner alone."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BankError(
            f"{directory} cannot be made: {error.strerror}; name another directory"
        ) from None


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    """Hold the lock of the bank's one writer; a second one is turned away at once."""
    try:
        lock = os.open(directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BankError(
            f"{directory} cannot be written: {error.strerror}; name a directory that can be"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BankError(
            f"{directory} is being written by another process; try again when that is done"
        ) from None
    finally:
        os.close(lock)


def _put(directory: Path, bank: Bank) -> None:
    """Write the bank aside, see it safe on disk, and rename it into force."""
    new = directory / _NEW_FILE
    try:
        new.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.writelines(pack(bank, time.time_ns() // 1000))
            file.flush()
            os.fsync(file.fileno())
        new.replace(directory / BANK_FILE)
        _sync(directory)
    except OSError as error:
        raise BankError(
            f"{directory} cannot be written: {error.strerror}; the bank that was there is still in "
            "force, try again when the disk has room"
        ) from None
    finally:
        new.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Make a rename in this directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
