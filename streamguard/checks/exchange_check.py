"""What `bank verify` says of the records behind a bank.

Rule: it waits for nobody: while an import or a sync is under way, bank and records differ, and are
not compared.
"""

from contextlib import ExitStack
from pathlib import Path

from streamguard.adapters.bank_check import Verified
from streamguard.adapters.bank_dir import has_bank
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bank_lock import BankBusy, locked
from streamguard.core.errors import BankError, RecordsUnavailable
from streamguard.exchange.check import discrepancies, faults_of, n_pending
from streamguard.exchange.records_file import LOCK_FILE, RECORDS_FILE, RecordsFile

MAX_NAMED = 100
"""Problems that are named; of more, how many is said."""


def verify_records(directory: Path) -> Verified:
    """Check the records behind the bank in a directory, and the bank against them."""
    if not (directory / RECORDS_FILE).exists():
        return Verified((), ())
    with ExitStack() as stack:
        is_still = _keeps_still(directory, stack)
        try:
            records = RecordsFile.look_at(directory)
            stack.callback(records.close)
            problems, notes = _looked_at(directory, records, is_still=is_still)
        except RecordsUnavailable as error:
            problems, notes = [str(error)], []
    n_more = len(problems) - MAX_NAMED
    more = [f"{RECORDS_FILE}: and {n_more} more"] if n_more > 0 else []
    return Verified((*problems[:MAX_NAMED], *more), tuple(notes))


def _looked_at(
    directory: Path, records: RecordsFile, *, is_still: bool
) -> tuple[list[str], list[str]]:
    problems, notes = list(faults_of(records)), []
    if not is_still:
        notes.append("an import or a sync is under way: the bank was not compared with it")
    elif not problems:
        bank = open_bank(directory) if has_bank(directory) else None
        problems += discrepancies(records, bank)
        if n_entries := n_pending(records, bank):
            notes.append(f"the bank follows in {n_entries} entries at the next import or sync")
    return [f"{RECORDS_FILE}: {one}" for one in problems], [
        f"{RECORDS_FILE}: {one}" for one in notes
    ]


def _keeps_still(directory: Path, stack: ExitStack) -> bool:
    """Keep imports and syncs off meanwhile; say whether none is under way."""
    try:
        stack.enter_context(locked(directory, LOCK_FILE, wait_s=0.0))
    except BankBusy:
        return False
    except BankError:  # who may not write here cannot lock either, and looks all the same
        return True
    return True
