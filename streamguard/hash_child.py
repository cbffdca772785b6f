"""Hashes one piece of evidence, in a process of its own: a stranger encoded it.

It comes on standard input, and what became of it goes to standard output; both are files in memory.

Rule: it is confined before it looks at a byte, holds no credential, and ends with its one piece.
"""

import resource
import sys

import msgspec

from streamguard.adapters.system_clock import SystemClock
from streamguard.bank_build import EntryPlan, make_entry
from streamguard.core.bank_values import Kind
from streamguard.core.errors import StreamguardError
from streamguard.sandbox import confine

MAX_MEMORY_BYTES = 4 << 30
"""Address space: 20 s of 1080p take 0.45 GB of it (measured); larger pictures, and streams that
refer to many of them, a multiple."""

MAX_CPU_S = 120
"""Of one core: 20 s of 1080p take 1.3 s (measured)."""

MAX_RESULT_BYTES = 64 << 20
"""Hashes of twelve hours at 30 frames a second, with none left out."""

MAX_DESCRIPTORS = 64

KEYFRAMES = "keyframes"
"""The one argument: only these are hashed."""

UNREADABLE = 2
"""Exit code: it is no video or image that can be matched."""


class Hashed(msgspec.Struct, frozen=True):
    """An entry without its name: see `Entry`; arrays as their bytes, in this machine's order."""

    kind: Kind
    duration_us: int
    hashes: bytes
    offsets_us: bytes
    variants: bytes


def main() -> int:
    """Hash what comes, and give how it went."""
    confine(MAX_DESCRIPTORS)
    for what, most in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_S),
        (resource.RLIMIT_FSIZE, MAX_RESULT_BYTES),
    ):
        resource.setrlimit(what, (most, most))
    all_of_it = KEYFRAMES not in sys.argv[1:]
    plan = EntryPlan("entry", "POLICY", every_frame=all_of_it)  # who asked knows what it is called
    try:
        made = make_entry("/proc/self/fd/0", plan, SystemClock(), lambda *_: None)
    except StreamguardError:
        return UNREADABLE
    arrays = (one.tobytes() for one in (made.hashes, made.offsets_us, made.variants))
    hashed = Hashed(made.kind, made.duration_us, *arrays)
    sys.stdout.buffer.write(msgspec.msgpack.encode(hashed))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
