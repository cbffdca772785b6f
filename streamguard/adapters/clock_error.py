"""Says by how much this machine's clock may be off UTC.

Rule: it only asks the kernel, which knows what last disciplined the clock; nothing is set.
"""

import ctypes
import struct
import sys

TIMEX_BYTES = 512
"""More than `struct timex` has anywhere."""

FIELDS = struct.Struct("@Illlli")
"""Its first fields: modes, offset, freq, maxerror and esterror in microseconds, status. Source:
adjtimex(2)."""

UNSYNCHRONISED = 0x0040
"""Bit of the status: nothing disciplines the clock. Source: adjtimex(2), STA_UNSYNC."""


def clock_error_ms() -> int | None:
    """Give the kernel's bound, milliseconds, rounded up; None where nobody knows one."""
    if sys.platform != "linux":
        return None
    timex = ctypes.create_string_buffer(TIMEX_BYTES)
    try:
        state = ctypes.CDLL(None).adjtimex(timex)
    except AttributeError:  # a C library that has no such function
        return None
    return None if state < 0 else error_ms_in(timex.raw)


def error_ms_in(timex: bytes) -> int | None:
    """Read the answer of the kernel."""
    _, _, _, max_error_us, _, status = FIELDS.unpack_from(timex)
    return None if status & UNSYNCHRONISED or max_error_us < 0 else -(-max_error_us // 1000)
