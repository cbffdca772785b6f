"""Points at which a test may have this process killed, as a power cut would.

Rule: nothing arms a point but a call of `arm`, which no part of the program makes. Each durable
step of writing a bank, and of delivering the log, passes one, named after what has just been done.
"""

import os
import signal

_armed: dict[str, int] = {}


def arm(name: str, nth: int = 1) -> None:
    """Have this process killed when it reaches a point for the nth time."""
    _armed[name] = nth


def reach(name: str) -> None:
    """Say that a durable step is done."""
    if name in _armed:
        _armed[name] -= 1
        if _armed[name] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
