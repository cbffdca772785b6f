"""A worker is confined; each test looks at a process of its own, for there is no way back."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

DEADLINE_S = 60.0


def confined(then: str, before: str = "pass") -> str:
    """Run a confined process to its end; give what it prints."""
    code = f"import os, resource, signal, sys\n{before}\n"
    code += f"from streamguard.sandbox import confine\nconfine()\n{then}\n"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=DEADLINE_S, check=False
    )
    return done.stdout.decode().strip() or str(done.returncode)


def test_no_program_that_it_starts_gains_rights() -> None:
    shown = confined("print(open('/proc/self/status').read())")

    assert "NoNewPrivs:\t1" in shown


def test_what_it_starts_is_confined_too() -> None:
    shown = confined("os.execv('/bin/cat', ['cat', '/proc/self/status', '/proc/self/limits'])")

    assert "NoNewPrivs:\t1" in shown
    limits = {line[:26].strip(): line[26:].split()[:2] for line in shown.splitlines()}
    assert limits["Max core file size"] == ["0", "0"]


def test_a_crash_leaves_no_core_dump(tmp_path: Path) -> None:
    code = confined(f"os.chdir({str(tmp_path)!r}); os.kill(os.getpid(), signal.SIGSEGV)")

    assert code == str(-signal.SIGSEGV)
    assert not list(tmp_path.iterdir())


def test_it_may_not_be_looked_into() -> None:
    """Where core dumps go to a program, the limit on their size is passed by."""
    found = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE

    assert confined(found) == "0"


@pytest.mark.parametrize(("hard", "most"), [(4095, 4095), (4096, 4096), (8192, 4096)])
def test_it_opens_so_many_files_and_no_more(hard: int, most: int) -> None:
    before = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({hard}, {hard}))"

    shown = confined("print(*resource.getrlimit(resource.RLIMIT_NOFILE))", before)

    assert shown == f"{most} {most}"


def test_it_still_sees_its_own_state() -> None:
    """A beat tells of memory and descriptors."""
    shown = confined("print(len(os.listdir('/proc/self/fd')) > 0, open('/proc/self/statm').read())")

    assert shown.startswith("True ")


def test_it_ends_with_its_parent_even_where_it_hangs() -> None:
    """The grandchild says its number, then blocks every signal that can be blocked, for good."""
    hanging = (
        "import os, signal\nfrom streamguard.sandbox import confine\nconfine()\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "print(os.getpid(), flush=True)\nsignal.pause()"
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys\nsubprocess.run([sys.executable, '-c', sys.argv[1]])",
            hanging,
        ],
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout
        grandchild = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()

            rest = parent.stdout.read()  # ends when the last who holds the pipe has ended

            assert rest == b""
        finally:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(grandchild, signal.SIGKILL)
            os.close(grandchild)


def test_a_worker_is_confined_before_it_hears_anything() -> None:
    """Its socket and its box are none at all here: it fails, but not before it was confined."""
    code = (
        "import sys\nfrom streamguard import worker_main\nsys.argv = ['worker', '0', '0']\n"
        "try:\n    worker_main.main()\n"
        "except OSError:\n    print(open('/proc/self/status').read())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE_S,
        check=True,
    )

    assert b"NoNewPrivs:\t1" in done.stdout
