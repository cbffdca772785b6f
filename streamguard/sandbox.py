"""Takes from this process what a worker never needs, before strangers' bytes come near it.

Rule: nothing that is taken can be had back, by this process or by any that it starts.
Source: prctl(2), getrlimit(2).
"""

import ctypes
import os
import resource
import signal

MAX_DESCRIPTORS = 4096
"""Open files and sockets: thirteen for each of 300 streams; one takes one to five."""

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38


def confine(max_descriptors: int = MAX_DESCRIPTORS) -> None:
    """Confine this process; called once, before anything else.

    - It ends when its parent does, also where it hangs and would not see that its socket closed.
    - No program that it starts gains a right by being started (set-uid, file capabilities).
    - It leaves no core dump, nor may others of its user look into it: pictures and read URLs are
      in its memory. The limit alone would not do: a `core_pattern` that is a pipe passes it by.
    - It opens no more than so many files and sockets.

    Raises:
        OSError: the kernel refuses.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max_descriptors if hard == resource.RLIM_INFINITY else min(max_descriptors, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    unused = ctypes.c_ulong(0)  # must be zero, and as wide as the kernel reads them
    if libc.prctl(option, ctypes.c_ulong(value), unused, unused, unused) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {option}: {os.strerror(number)}")
