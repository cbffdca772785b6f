"""Makes new bases and new deltas of a bank, and puts them in force.

Rule: a new base is made without the lock that edits hold; what is committed meanwhile is carried
over, byte by byte, before the new files are put in force. One process at a time makes bases.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from streamguard.adapters.bank_base import pack_base
from streamguard.adapters.bank_delta import delta_header
from streamguard.adapters.bank_dir import (
    Current,
    has_bank,
    make_directory,
    next_number,
    put_in_force,
    read_current,
    read_from,
    remove_leftovers,
    unwritable,
    write_file,
)
from streamguard.adapters.bank_lock import COMPACTION_LOCK_FILE, BankBusy, locked, mark
from streamguard.adapters.bank_reader import BankReader, Opened
from streamguard.adapters.failpoint import reach
from streamguard.core.bank import Bank, Base
from streamguard.core.bank_fold import folded
from streamguard.core.errors import BankError

MAX_TAIL_HASHES = 65_536
"""Hashes in the tail, or entries removed from the base, from which a bank is compacted: each query
scans the tail, in 24 us where the kernels are compiled, in 0.24 ms else. Two minutes of video make
so many."""

MAX_EDITS = 512
"""Edits since the base from which a bank is compacted: each start and each writer applies them, in
35 us each, and an edit is to count within 50 ms."""


Compacts = Literal["soon", "late", "never"]
"""When an edit puts a bank in order: when queries begin to take longer (soon); when the tail is
half as large as the base, for edits of which very many come in a row (late); or never."""


def silent(_: Bank) -> None:
    """Say nothing of a compaction."""


def compact_where_due(
    directory: Path, bank: Bank, when: Compacts = "soon", tell: Callable[[Bank], None] = silent
) -> None:
    """Compact a bank in which so much has changed since the base that it matters.

    What fails is tried again by the next edit: nothing is lost by it but time. `tell` is called
    before: in a large bank it takes seconds.
    """
    is_late = when != "late" or bank.tail.n_hashes >= bank.base.table.n_hashes // 2
    if when != "never" and is_late and is_compaction_due(bank):
        tell(bank)
        with suppress(BankError):
            compact_bank(directory)


def is_compaction_due(bank: Bank) -> bool:
    """Say whether so much has changed since the base that queries or starts take longer."""
    n_edits = bank.revision - bank.base.revision
    return max(bank.tail.n_hashes, len(bank.dead)) >= MAX_TAIL_HASHES or n_edits >= MAX_EDITS


def compact_bank(directory: Path) -> bool:
    """Make a new base of all that the bank holds; edits and queries go on meanwhile.

    Returns:
        False where another process is at it already.

    Raises:
        BankError: there is no bank, it is damaged, or the new files cannot be written. What was in
            force before still is.
    """
    read_current(directory)  # where there is no bank, no lock is left either
    try:
        with locked(directory, COMPACTION_LOCK_FILE, wait_s=0.0):
            _compact(directory)
    except BankBusy:
        return False
    except OSError as error:
        raise unwritable(directory, error) from None
    return True


def save_bank(directory: Path, bank: Bank) -> None:
    """Put this bank in force in a directory, in place of what may be there.

    Raises:
        BankError: another process is writing, or the bank cannot be written.
    """
    make_directory(directory)
    with locked(directory, COMPACTION_LOCK_FILE), locked(directory):
        base = folded(bank)
        if has_bank(directory):
            old = BankReader(directory).newest()[0].editor.revision
            base = replace(base, revision=max(base.revision, old + 1))
        remove_leftovers(directory, begin(directory, base))


def begin(directory: Path, base: Base) -> Current:
    """Put a base in force that nothing was edited on; the lock is held.

    Raises:
        BankError: it cannot be written.
    """
    current = Current(next_number(directory), next_number(directory))
    seed = int.from_bytes(os.urandom(4))
    try:
        _write_base(directory / current.base_file, base)
        write_file(directory / current.delta_file, [delta_header(base.revision, seed)])
        put_in_force(directory, current)
        mark(directory, base.revision)
    except OSError as error:
        raise unwritable(directory, error) from None
    return current


def renew_delta(directory: Path, opened: Opened, frame: bytes) -> None:
    """Begin a delta that holds the whole frames of the old one, and one more; the lock is held."""
    current = Current(opened.current.base, next_number(directory))
    whole = read_from(directory / opened.current.delta_file, 0, opened.n_bytes)
    write_file(directory / current.delta_file, [whole, frame])
    put_in_force(directory, current)


def _compact(directory: Path) -> None:
    """Make a base without the lock, then take over what came meanwhile with it."""
    old = BankReader(directory).newest()[0]
    base = folded(old.editor.snapshot())
    number = next_number(directory)
    _write_base(directory / Current(number, number).base_file, base)
    reach("base_ready")
    with locked(directory):
        opened = BankReader(directory).newest()[0]
        if (opened.current.base, opened.seed) != (old.current.base, old.seed):
            raise BankError(f"{directory} was replaced while it was compacted; compact it anew")
        current = Current(number, next_number(directory))
        delta = directory / opened.current.delta_file
        carried = read_from(delta, old.n_bytes, opened.n_bytes - old.n_bytes)
        header = delta_header(base.revision, opened.seed)
        write_file(directory / current.delta_file, [header, carried])
        put_in_force(directory, current)
        remove_leftovers(directory, current)


def _write_base(path: Path, base: Base) -> None:
    write_file(path, pack_base(base, time.time_ns() // 1000))
