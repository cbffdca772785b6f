"""What `bank slates` does: makes a bank of pictures that veto matches.

Rule: such a bank is negative from its first commit on; no entry of it can ever raise a flag.
"""

import argparse
import json

import numpy as np

from streamguard.adapters.bank_check import stat_bank
from streamguard.adapters.bank_dir import has_bank
from streamguard.adapters.bank_file import apply_edit
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.pillow_slates import slates
from streamguard.core.bank_edit import Edit
from streamguard.core.bank_values import BankSettings, Entry
from streamguard.core.errors import BankError
from streamguard.core.hygiene import fault_of
from streamguard.core.pdq import hash_luma

POLICY = "HARMLESS-SLATE"


def add_slates(arguments: argparse.Namespace) -> int:
    """Put test cards and slates into a negative bank, which is made where there is none."""
    directory = arguments.directory
    if has_bank(directory) and open_bank(directory).settings.role != "negative":
        raise BankError(f"{directory} is a bank of known content: name another directory")
    # whole pictures alone: what a slate leaves without a side is mostly flat, and would veto others
    settings = None if has_bank(directory) else BankSettings(role="negative", variants=())
    apply_edit(directory, Edit(add=_entries(), replace=True, settings=settings))
    shown = stat_bank(directory)
    if arguments.json:
        print(json.dumps(shown))
    else:
        print(f"{directory}: {shown['entries']} pictures that veto matches")
    return 0


def _entries() -> list[Entry]:
    """Hash the drawings; those whose hash is noise match nothing, and need no veto."""
    entries = []
    for name, luma in slates():
        pdq = hash_luma(luma, full_range=False)
        if fault_of(pdq.bits, pdq.quality, is_stable=pdq.is_stable) is None:
            zeros = np.zeros(1, np.int64), np.zeros(1, np.uint8)
            entries.append(Entry(name, POLICY, "image", 0, pdq.bits[None], *zeros))
    return entries
