"""What a process leaves that crashes, is killed or ends: real processes, real signals."""

import errno
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from streamguard.adapters.black_box import MAX_HANDS, BlackBox
from streamguard.core.hands import InHand, LastWords
from tests.processes import DEADLINE_S, environment

READER, DECODER = 11, 22

BEGIN = f"""
import ctypes, os, signal, sys, threading
from streamguard.adapters.black_box import BoxedHands
from streamguard.core.hands import MARK, SINCE_US

hands = BoxedHands(int(sys.argv[1]))
at_it = threading.Barrier(151)

def read(hand):
    hand[SINCE_US], hand[MARK] = 0, {READER}
    at_it.wait()
    threading.Event().wait()

def decode(hand):
    hand[SINCE_US], hand[MARK] = 5_000_000, {DECODER}
    at_it.wait()
    work()

threads = [threading.Thread(target=hands.run, args=(read,), daemon=True) for _ in range(149)]
threads.append(threading.Thread(target=hands.run, args=(decode,), daemon=True))
def begin():
    for thread in threads:
        thread.start()
    at_it.wait()
"""
"""A process of 149 threads that read and one that decodes, which does `work`."""

NULL = "def work():\n    ctypes.string_at(8)\n"
KILLED = "def work():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
ABORTED = "def work():\n    os.abort()\n"
WAIT = "begin()\nthreading.Event().wait()\n"


def left_by(program: str) -> tuple[int, LastWords]:
    """Run a program with a box; give how it ended, and what it left."""
    box = BlackBox()
    try:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(BEGIN) + program, str(box.fd)],
            pass_fds=(box.fd,),
            env=environment(),
            timeout=DEADLINE_S,
            check=False,
        )
        return done.returncode, box.read()
    finally:
        box.close()


@pytest.mark.parametrize(
    ("work", "number"), [(NULL, signal.SIGSEGV), (ABORTED, signal.SIGABRT)], ids=["null", "abort"]
)
def test_a_crash_tells_its_thread_s_stream_among_more_threads_than_python_lists(
    work: str, number: signal.Signals
) -> None:
    code, words = left_by(work + WAIT)

    assert code == -number
    assert words.culprit == DECODER
    assert words.crash.split()[-1] in {"string_at", "work"}


def test_a_crash_in_a_thread_that_reads_is_told_as_its_stream_s() -> None:
    crash = "def work():\n    pass\n"
    reader = "def read(hand):\n    hand[1], hand[0] = 0, 11\n    ctypes.string_at(8)\n"
    code, words = left_by(crash + reader + "hands.run(read)\n")

    assert (code, words.culprit) == (-signal.SIGSEGV, READER)


def test_a_crash_in_no_stream_s_thread_blames_none_that_was_in_hand() -> None:
    code, words = left_by("def work():\n    pass\n" + "begin()\nctypes.string_at(8)\n")

    assert (code, words.culprit) == (-signal.SIGSEGV, None)
    assert words.crash


def test_a_process_that_is_killed_leaves_what_was_decoded_and_not_what_was_only_read() -> None:
    code, words = left_by(KILLED + WAIT)

    assert code == -signal.SIGKILL
    assert words == LastWords((InHand(DECODER, 5.0),))


def test_what_is_done_is_in_hand_no_more() -> None:
    ends = "hands.run(lambda hand: hand.__setitem__(0, 7))\n"
    code, words = left_by("def work():\n    pass\n" + ends)

    assert (code, words) == (0, LastWords())


def test_a_thread_too_many_works_and_leaves_no_word() -> None:
    many = f"""
def deeper(n):
    if n:
        hands.run(lambda hand: deeper(n - 1))
sys.setrecursionlimit(20_000)
deeper({MAX_HANDS + 1})
"""
    code, words = left_by("def work():\n    pass\n" + many)

    assert (code, words) == (0, LastWords())


@pytest.mark.parametrize(
    "note",
    [b"\xff" * 20_000, b"in hand_9999\n", b'File "x", line 1 in hand_\n', b"Fatal Python error"],
)
def test_what_a_stranger_may_have_written_is_read_as_no_word(note: bytes) -> None:
    box = BlackBox()
    os.pwrite(box.fd, note[:16_384], MAX_HANDS * 16)

    words = box.read()
    box.close()

    assert words.culprit is None
    assert len(words.crash) < 200


def test_the_box_cannot_be_made_smaller_or_larger_by_who_holds_it() -> None:
    box = BlackBox()
    try:
        for size in (0, 1 << 30):
            with pytest.raises(PermissionError):
                os.ftruncate(box.fd, size)
    finally:
        box.close()


def test_nothing_can_be_run_from_a_box() -> None:
    box = BlackBox()
    try:
        with pytest.raises(PermissionError):
            os.fchmod(box.fd, 0o700)
    finally:
        box.close()


def test_a_kernel_that_knows_no_such_seal_gives_a_box_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def of_old(name: str, flags: int) -> int:
        if flags & 8:
            raise OSError(errno.EINVAL, "Invalid argument")
        return memfd_create(name, flags)

    memfd_create = os.memfd_create
    monkeypatch.setattr(os, "memfd_create", of_old)
    box = BlackBox()
    words = box.read()
    box.close()

    assert words == LastWords()


def test_where_there_is_no_memory_no_box_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str, flags: int) -> int:
        raise OSError(errno.EMFILE, f"{name} {flags}")

    monkeypatch.setattr(os, "memfd_create", none)

    with pytest.raises(OSError, match="streamguard"):
        BlackBox()
