"""What a worker's threads had in hand, in memory that outlives the worker.

Rule: the memory is the supervisor's, sealed in its size; what a worker wrote there is read as what
a stranger may have written. A worker writes it without a system call.
Source: memfd_create(2), F_ADD_SEALS in fcntl(2); Python's faulthandler.
"""

import contextlib
import errno
import faulthandler
import fcntl
import mmap
import os
import re
import struct
import threading
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import TypeVar

from streamguard.core.hands import MARK, Hand, InHand, LastWords

MAX_HANDS = 1024
"""Threads at work on streams; a worker has one for each stream and a few that decode."""

MAX_NOTE_BYTES = 16 * 1024
"""Of a crash: Python writes 100 frames of some 100 characters at most."""

_NAME = "streamguard-hands"
_MFD_NOEXEC_SEAL = 8
_HAND = struct.Struct("=QQ")
_NOTE_AT = MAX_HANDS * _HAND.size
_SEALS = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_FRAME = re.compile(r'File "[^"]*?([\w.<>]{1,80})", line (\d{1,6}) in (\w{1,80})\n')
_HAND_FRAME = re.compile(r"\bin hand_(\d{1,4})\n")

T = TypeVar("T")


class BlackBox:
    """The supervisor's side: made before a worker, read after it."""

    def __init__(self) -> None:
        """Make it empty; raises OSError where there is no memory."""
        self.fd = _memory()
        os.ftruncate(self.fd, _NOTE_AT + MAX_NOTE_BYTES)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEALS)

    def read(self) -> LastWords:
        """Say what the worker left."""
        return words_in(self.fd)

    def close(self) -> None:
        """Let go of the memory."""
        os.close(self.fd)


def _memory() -> int:
    """Make memory that nothing can be run from; hosts may allow no other (vm.memfd_noexec)."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(_NAME, flags | _MFD_NOEXEC_SEAL)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create(_NAME, flags)  # Linux before 6.3 knows no such thing


def words_in(fd: int) -> LastWords:
    """Read a box; it may be in use."""
    table = os.pread(fd, _NOTE_AT, 0)
    note = os.pread(fd, MAX_NOTE_BYTES, _NOTE_AT).rstrip(b"\0").decode(errors="replace")
    words = list(_HAND.iter_unpack(table))
    frame, named = _FRAME.search(note), _HAND_FRAME.search(note)
    mark = words[int(named[1])][0] if named and int(named[1]) < MAX_HANDS else 0
    return LastWords(
        hands=tuple(InHand(mark, us / 1e6) for mark, us in words if mark and us),
        crash=f"{frame[1]}:{frame[2]} {frame[3]}" if frame else note[:1] and "unknown",
        culprit=mark or None,
    )


class BoxedHands:
    """The worker's side: gives each thread a hand in the box, and has a crash written there."""

    def __init__(self, fd: int) -> None:
        """Take over the box; from now on this process writes there where it crashes.

        A crash is told by the thread that it happened in: of its frames, the one that bears a
        hand's name. Python names no thread where only that thread's frames are written, and of all
        threads it writes a hundred.
        """
        self._words = memoryview(mmap.mmap(fd, _NOTE_AT)).cast("Q")
        self._free = list(range(MAX_HANDS - 1, -1, -1))
        self._lock = threading.Lock()
        os.lseek(fd, _NOTE_AT, os.SEEK_SET)
        faulthandler.enable(file=fd, all_threads=False)

    def run(self, work: Callable[[Hand], T]) -> T:
        """Do a thread's work with a hand of its own; one too many leaves no word."""
        with self._one() as number:
            if number is None:
                return work([0, 0])
            hand = self._words[2 * number : 2 * number + 2]
            named: Callable[[Callable[[Hand], T], Hand], T] = FunctionType(
                _call.__code__.replace(co_name=f"hand_{number}"), {}
            )
            try:
                return named(work, hand)
            finally:
                hand[MARK] = 0

    @contextlib.contextmanager
    def _one(self) -> Iterator[int | None]:
        with self._lock:
            number = self._free.pop() if self._free else None
        try:
            yield number
        finally:
            if number is not None:
                with self._lock:
                    self._free.append(number)


def _call(work: Callable[[Hand], T], hand: Hand) -> T:
    return work(hand)
