"""Has a piece of evidence hashed by a process that has nothing to lose.

Rule: whatever that process does, it costs nobody else more than time: what it says is read as a
stranger's word. No picture reaches the disk.
"""

import os
import subprocess
import sys

import msgspec
import numpy as np

from streamguard.adapters.worker_spawn import PASSED_ON
from streamguard.bank_build import EntryPlan
from streamguard.core.bank_values import Entry
from streamguard.core.errors import BankError
from streamguard.core.types import HASH_BYTES
from streamguard.hash_child import KEYFRAMES, MAX_RESULT_BYTES, UNREADABLE, Hashed

PATIENCE_S = 180.0
"""How long it may take: what its limit of CPU time comes to on a machine that is busy otherwise."""


def entry_of(content: bytes, plan: EntryPlan, patience_s: float = PATIENCE_S) -> Entry:
    """Make an entry of a clip or a still that is in memory.

    Raises:
        BankError: no frame of it can be matched, it cannot be read, or reading it took too much.
    """
    given, taken = (os.memfd_create(name, os.MFD_CLOEXEC) for name in ("evidence", "hashes"))
    try:
        with open(given, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(given, 0, os.SEEK_SET)
        code = _hashed(given, taken, plan, patience_s)
        if code == UNREADABLE:
            raise BankError("no frame of the evidence can be matched, or it cannot be read")
        if code != 0:
            raise BankError("the evidence could not be hashed: its process was ended")
        return _entry(os.pread(taken, MAX_RESULT_BYTES, 0), plan)
    finally:
        os.close(given)
        os.close(taken)


def _hashed(given: int, taken: int, plan: EntryPlan, patience_s: float) -> int:
    """Run the process; give its exit code, negative where it was ended."""
    how = [] if plan.every_frame else [KEYFRAMES]
    child = subprocess.Popen(  # noqa: S603  # our own program, and a word of ours
        [sys.executable, "-m", "streamguard.hash_child", *how],
        stdin=given,
        stdout=taken,
        stderr=subprocess.DEVNULL,  # libraries say there what the stranger wrote
        env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
        start_new_session=True,  # a Ctrl-C is for us
    )
    with child:
        try:
            return child.wait(patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
            return -1


def _entry(said: bytes, plan: EntryPlan) -> Entry:
    try:
        hashed = msgspec.msgpack.decode(said, type=Hashed)
        return Entry(
            name=plan.name,
            policy=plan.policy,
            kind=hashed.kind,
            duration_us=hashed.duration_us,
            hashes=np.frombuffer(hashed.hashes, np.uint8).reshape(-1, HASH_BYTES),
            offsets_us=np.frombuffer(hashed.offsets_us, np.int64),
            variants=np.frombuffer(hashed.variants, np.uint8),
        )
    except (msgspec.DecodeError, ValueError):
        raise BankError("the evidence could not be hashed: nonsense came of it") from None
