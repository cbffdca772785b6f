"""Starts worker processes.

Rule: spawned, never forked; a worker gets one end of two sockets, of which one is for evidence
alone, the memory that outlives it, and of the environment only what a Python process needs: no
secret of the deployment is in it.
"""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack

from streamguard.adapters.black_box import BlackBox
from streamguard.core.hands import LastWords

PASSED_ON = frozenset(
    (
        *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"),
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES"),
    )
)
"""Variables that a worker inherits."""


class WorkerProcess:
    """One process, our ends of its sockets, and what it leaves when it ends."""

    def __init__(self) -> None:
        """Start it; raises OSError where the machine has no room for another process."""
        with ExitStack() as undo:
            self._box = BlackBox()
            undo.callback(self._box.close)
            self.socket, theirs = socket.socketpair()
            undo.callback(self.socket.close)
            self.evidence, its_evidence = socket.socketpair()
            undo.callback(self.evidence.close)
            with theirs, its_evidence:
                self._process = _spawn(theirs.fileno(), self._box.fd, its_evidence.fileno())
            undo.pop_all()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end, and collect it; None where it runs on; in any thread.

        Returns:
            How it ended: negative for a signal.
        """
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it now, by SIGKILL; harmless where it has ended."""
        self._process.kill()

    def last_words(self) -> LastWords:
        """Say what it had in hand, and where it crashed; it is read when it has ended."""
        return self._box.read()

    def close(self) -> None:
        """Let go of what it left."""
        self._box.close()
        self.evidence.close()


def _spawn(*fds: int) -> subprocess.Popen[bytes]:
    """Start a worker that inherits these descriptors, and is told of them."""
    return subprocess.Popen(  # noqa: S603  # our own interpreter and module
        [sys.executable, "-m", "streamguard.worker_main", *map(str, fds)],
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
    )
