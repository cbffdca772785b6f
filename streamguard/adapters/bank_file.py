"""Edits of a bank in a directory, each of them one commit.

Rule: an edit is held against the newest state, under the lock of the bank's one writer, and is in
force for every process when it returns: all of it or, where anything fails, nothing. It survives a
power cut from then on.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from streamguard.adapters.bank_commit import pack_commit
from streamguard.adapters.bank_delta import frame
from streamguard.adapters.bank_dir import (
    append,
    has_bank,
    make_directory,
    read_current,
    unwritable,
)
from streamguard.adapters.bank_generation import (
    Compacts,
    begin,
    compact_where_due,
    renew_delta,
    silent,
)
from streamguard.adapters.bank_lock import locked, mark
from streamguard.adapters.bank_reader import BankReader, Opened
from streamguard.core.bank import Bank
from streamguard.core.bank_edit import Amendment, Commit, Edit, fitted
from streamguard.core.bank_editor import edited, empty_bank
from streamguard.core.bank_fold import folded
from streamguard.core.bank_values import BankSettings, Entry
from streamguard.core.errors import BankError
from streamguard.core.types import Limits

Wish = Callable[[Bank], Edit]
"""Makes an edit of the bank as it is; nobody else writes it from then until the commit."""


def apply_edit(
    directory: Path,
    edit: Edit | Wish,
    *,
    compacts: Compacts = "soon",
    tell: Callable[[Bank], None] = silent,
) -> Bank:
    """Commit an edit to the bank in a directory.

    Args:
        directory: of the bank; it is made where entries or settings are to go in, or an edit that
            is made of the bank.
        edit: what is wished for.
        compacts: when to put the bank in order after the commit; in a large bank it takes seconds,
            in which others go on editing and matching.
        tell: is called before that, with the bank after the edit.

    Returns:
        The bank after the edit.

    Raises:
        BankError: the edit does not fit, another process is writing all the while, the bank is
            damaged or cannot be written. What was in force before still is.
    """
    return _edit(directory, edit, compacts, tell)[1]


def add_entry(directory: Path, entry: Entry, *, replace: bool = False) -> None:
    """Add one entry; see add_entries."""
    add_entries(directory, [entry], replace=replace)


def add_entries(
    directory: Path, entries: Sequence[Entry], *, replace: bool = False, since: int | None = None
) -> None:
    """Add entries to the bank in a directory, all or none; the directory is made where missing.

    Args:
        directory: of the bank.
        entries: with names that differ from each other.
        replace: an entry of a name that is taken goes in place of the old one.
        since: the bank's revision when the entries began to be prepared (`revision_of`): what was
            removed meanwhile stays removed.

    Raises:
        BankError: a name is taken, or was removed meanwhile; else as apply_edit.
    """
    apply_edit(directory, Edit(add=entries, replace=replace, since=since))


def remove_entry(directory: Path, name: str, tell: Callable[[Bank], None] = silent) -> None:
    """Take one entry out of the bank in a directory, with all its hashes.

    Where there is none, the removal still holds against an addition that is being prepared. `tell`
    is called before the bank is put in order, where that is due.

    Raises:
        BankError: there is no such entry or bank; else as apply_edit.
    """
    before, _ = _edit(directory, Edit(remove=[name], may_miss=True), "soon", tell)
    if before.entry_of(name) is None:
        raise BankError(
            f"{directory} has no entry named {name!r}, see streamguard bank list; should it be on "
            "its way in, it will be refused"
        )


def amend_entry(
    directory: Path,
    name: str,
    *,
    limits: Limits | None = None,
    quarantined: bool | None = None,
    reason: str = "a person",
) -> None:
    """Change the terms of one entry; what is None stays as it is.

    Args:
        directory: of the bank.
        name: of the entry.
        limits: the entry's own; NO_LIMITS takes them away.
        quarantined: set aside, so that it matches nothing, or let in again.
        reason: why it is set aside.

    Raises:
        BankError: there is no such entry or bank; else as apply_edit.
    """
    amendment = Amendment(limits, quarantined, reason)
    apply_edit(directory, Edit(amend={name: amendment}), compacts="never")


def configure_bank(directory: Path, settings: BankSettings) -> None:
    """Change what holds for all entries of the bank in a directory, which is made where missing.

    Raises:
        BankError: as apply_edit.
    """
    apply_edit(directory, Edit(settings=settings), compacts="never")


def revision_of(directory: Path) -> int:
    """Tell how far the bank in a directory was edited; 0 where there is none.

    Raises:
        BankError: it is damaged, or cannot be read.
    """
    return BankReader(directory).newest()[0].editor.revision if has_bank(directory) else 0


def _edit(
    directory: Path, edit: Edit | Wish, compacts: Compacts, tell: Callable[[Bank], None]
) -> tuple[Bank, Bank]:
    """Commit an edit; give the bank before and after it."""
    if not isinstance(edit, Edit) or edit.add or edit.settings:
        make_directory(directory)
    else:
        read_current(directory)  # where there is no bank, no lock is left either
    with locked(directory):
        if not has_bank(directory):
            empty = empty_bank(directory.resolve().name)
            first = edited(empty, _made(edit, empty))
            begin(directory, folded(first))
            return empty, first
        opened = BankReader(directory).newest()[0]
        before = opened.editor.snapshot()
        after = _commit(directory, opened, fitted(before, _made(edit, before)))
    compact_where_due(directory, after, compacts, tell)
    return before, after


def _made(edit: Edit | Wish, bank: Bank) -> Edit:
    return edit if isinstance(edit, Edit) else edit(bank)


def _commit(directory: Path, opened: Opened, commit: Commit) -> Bank:
    """Put an edit at the end of the delta; the lock is held."""
    committed = frame(pack_commit(commit), commit.revision, opened.seed)
    try:
        if opened.rest == "none":
            append(directory / opened.current.delta_file, committed)
        else:  # what a killed writer left is not written over
            renew_delta(directory, opened, committed)
        mark(directory, commit.revision)
    except OSError as error:
        raise unwritable(directory, error) from None
    opened.editor.apply(commit)
    return opened.editor.snapshot()
