"""Puts the clip of a decision into a bank, at the decision and once it is whole.

Rule: what was taken out of a bank while a clip was hashed, or while it grew, stays out.
"""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from streamguard.adapters.bank_file import add_entries
from streamguard.bank_build import EntryPlan
from streamguard.core.bank import Bank
from streamguard.core.bank_edit import Edit
from streamguard.core.bank_values import Entry
from streamguard.core.errors import BankError
from streamguard.parts.evidence_hash import entry_of


class NothingToMatch(BankError):
    """Nothing of a clip can be hashed."""


def put_clip(directory: Path, clip: bytes, plan: EntryPlan, since: int) -> None:
    """Put the keyframes of a clip into a bank at once, then all frames in their place.

    To hash all of a long clip takes many seconds, and what it shows goes on meanwhile.

    Raises:
        NothingToMatch: nothing of it is in the bank; it cannot be hashed.
        BankError: it is not, or not all of it.
    """
    is_in = False
    with suppress(BankError):  # what is wrong with the clip is told of the whole of it
        keyframes = entry_of(clip, replace(plan, every_frame=False))
        add_entries(directory, [keyframes], replace=True, since=since)
        is_in = True
    try:
        entry = entry_of(clip, plan)
    except BankError as error:
        if is_in:
            raise
        raise NothingToMatch(str(error)) from None
    add_entries(directory, [entry], replace=True, since=since)


def completing(entry: Entry, bank: Bank) -> Edit:
    """Make the edit that puts an entry in the place of a shorter one, on the terms of that one.

    Where there is none, because nothing could be put in at first, one that was ever taken out is
    refused.
    """
    before = bank.entry_of(entry.name)
    if before is None:
        return Edit(add=[entry], since=0)
    same = replace(entry, limits=before.limits, quarantine=before.quarantine)
    return Edit(add=[same], replace=True)
