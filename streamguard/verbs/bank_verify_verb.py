"""What the verb `bank verify` does.

Rule: it writes nothing; what it finds is a line each, and damage is exit code 2.
"""

import argparse
from pathlib import Path

from streamguard.adapters.bank_check import Verified, verify_bank
from streamguard.checks.exchange_check import verify_records


def verify(arguments: argparse.Namespace) -> int:
    """Check every byte of a bank, and the records that it follows."""
    directory: Path = arguments.directory
    bank = verify_bank(directory)
    records = Verified((), ()) if bank.problems else verify_records(directory)
    problems, notes = bank.problems + records.problems, bank.notes + records.notes
    for line in (*problems, *notes):
        print(line)
    if not problems:
        print(f"{directory}: ok")
    return 2 if problems else 0
