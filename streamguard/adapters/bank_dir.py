"""The directory of a bank: which files are in force, who may write, and how files get in force.

Rule: a file that is in force is never written to, but at a delta's end. `CURRENT` names the base
and the delta that are in force; it is replaced as a whole, by renaming, after all that it names is
safe on disk. A reader, a crash or a full disk sees the old bank or the new one; who mapped the old
one keeps it until they let it go.

    CURRENT            names a base and a delta
    base-N.sgb         streamguard.adapters.bank_base
    delta-N.sgd        streamguard.adapters.bank_delta
    lock               held while one process edits; says how far the bank was edited
    compaction.lock    held while one process makes a new base
"""

import mmap
import os
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from streamguard.adapters.bank_layout import Damaged
from streamguard.adapters.failpoint import reach
from streamguard.core.errors import BankError

CURRENT_FILE = "CURRENT"
_NEXT_FILE = "CURRENT.next"
_OLD_FORMAT_FILE = "bank.sgb"
_PART_BYTES = 1 << 20
"""An edit is written in parts of so much: a large one may be found half written."""

_CURRENT = re.compile(r"streamguard bank 2\nbase (\d+)\ndelta (\d+)\ncrc32 ([0-9a-f]{8})\n")
_NUMBERED = re.compile(r"(base|delta)-(\d+)\.sg[bd]")


@dataclass(frozen=True, slots=True)
class Current:
    """Which base and which delta are in force; numbers never come twice in a directory."""

    base: int
    delta: int

    @property
    def base_file(self) -> str:
        """Name the base's file."""
        return f"base-{self.base}.sgb"

    @property
    def delta_file(self) -> str:
        """Name the delta's file."""
        return f"delta-{self.delta}.sgd"

    @property
    def text(self) -> str:
        """Give what stands in CURRENT."""
        text = f"streamguard bank 2\nbase {self.base}\ndelta {self.delta}\n"
        return f"{text}crc32 {zlib.crc32(text.encode()):08x}\n"


def has_bank(directory: Path) -> bool:
    """Say whether there is a bank of any version."""
    return any((directory / name).exists() for name in (CURRENT_FILE, _OLD_FORMAT_FILE))


def read_current(directory: Path) -> Current:
    """Read which files are in force.

    Raises:
        BankError: there is no bank, it is of an old version, damaged, or cannot be read.
    """
    try:
        text = (directory / CURRENT_FILE).read_bytes()
    except FileNotFoundError:
        if (directory / _OLD_FORMAT_FILE).exists():
            raise BankError(
                f"{directory} holds a bank of an older format, which this program does not read; "
                "build it anew in an empty directory"
            ) from None
        raise BankError(
            f"{directory} holds no bank; make one with streamguard bank build"
        ) from None
    except OSError as error:
        raise unreadable(directory / CURRENT_FILE, error) from None
    found = _CURRENT.fullmatch(text.decode("ascii", "replace"))
    current = Current(int(found[1]), int(found[2])) if found else None
    if current is None or current.text.encode() != text:
        raise unusable(directory / CURRENT_FILE, "it is damaged")
    return current


def map_file(path: Path) -> memoryview:
    """Map a file read-only; what is made of it keeps the mapping alive.

    Raises:
        FileNotFoundError: it is not there.
        BankError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")  # an empty file cannot be mapped, only refused
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from None


def read_from(path: Path, start: int, n_bytes: int = -1) -> bytes:
    """Read a part of a file, to its end unless told.

    Raises:
        FileNotFoundError: it is not there.
        BankError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(n_bytes)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> BankError:
    """Make the error of a file that the system does not give."""
    return BankError(
        f"{path} cannot be read: {error.strerror}; see who may read it and the disk's health"
    )


def unusable(path: Path, problem: Damaged | str) -> BankError:
    """Make the error of a damaged file."""
    return BankError(
        f"{path} is unusable: {problem}; restore the bank from a copy, or build it anew in an "
        "empty directory"
    )


def unwritable(directory: Path, error: OSError) -> BankError:
    """Make the error of an edit that did not get onto the disk."""
    return BankError(
        f"{directory} cannot be written: {error.strerror}; the bank that was there is still in "
        "force, try again when the disk has room"
    )


def make_directory(directory: Path) -> None:
    """Make the directory where it is missing, for its owner alone."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BankError(
            f"{directory} cannot be made: {error.strerror}; name another directory"
        ) from None


def next_number(directory: Path) -> int:
    """Give a number that no base and no delta here has or had."""
    names = [_NUMBERED.fullmatch(path.name) for path in directory.iterdir()]
    return max((int(found[2]) for found in names if found), default=0) + 1


def write_file(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a new file, and see it safe on disk; it is not in force yet."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    try:
        for part in parts:
            _write_all(file, part)
            reach("file_part_written")
        os.fsync(file)
        reach("file_synced")
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)


def append(path: Path, frame: bytes) -> None:
    """Put a frame at the end of a delta, and see it safe on disk: it is committed."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        for at in range(0, len(frame), _PART_BYTES):
            _write_all(file, memoryview(frame)[at : at + _PART_BYTES])
            reach("edit_part_written")
        os.fdatasync(file)
        reach("edit_synced")
    finally:
        os.close(file)


def put_in_force(directory: Path, current: Current) -> None:
    """Let a base and a delta that lie ready be the bank from now on."""
    _sync(directory)  # their names, too, are safe before anything names them
    reach("names_synced")
    (directory / _NEXT_FILE).unlink(missing_ok=True)  # of a writer that was killed
    write_file(directory / _NEXT_FILE, [current.text.encode()])
    (directory / _NEXT_FILE).replace(directory / CURRENT_FILE)
    reach("current_replaced")
    _sync(directory)
    reach("current_synced")


def remove_leftovers(directory: Path, current: Current) -> None:
    """Remove the bases and deltas that are not in force; who has mapped one keeps it.

    Both locks are held: nobody is making a file that is not in force yet.
    """
    for path in directory.iterdir():
        if is_leftover(path.name, current):
            path.unlink()
            reach("leftover_removed")


def is_leftover(name: str, current: Current) -> bool:
    """Say whether a file is a base or a delta that is not in force."""
    is_numbered = _NUMBERED.fullmatch(name) is not None
    return is_numbered and name not in (current.base_file, current.delta_file)


def _write_all(file: int, part: bytes | memoryview) -> None:
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(file, rest) :]


def _sync(directory: Path) -> None:
    """Make the names in this directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
