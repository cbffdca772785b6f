"""What may be done to a bank: an edit as it is wished for, and as it is committed.

Rule: an edit is one whole. It is held against the newest state of the bank, and either becomes one
commit with a revision of its own, or is refused with nothing changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamguard.core.bank import Bank
from streamguard.core.bank_table import Table, table_of
from streamguard.core.bank_values import BankSettings, Entry, Terms, check_reason
from streamguard.core.errors import BankError
from streamguard.core.types import Limits


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is to be changed in the terms of an entry; None leaves it as it is.

    limits:         the entry's own; NO_LIMITS takes them away.
    is_quarantined: set aside, so that it matches nothing, or let in again.
    reason:         why it is set aside.
    """

    limits: Limits | None = None
    is_quarantined: bool | None = None
    reason: str = "a person"

    def __post_init__(self) -> None:
        check_reason(self.reason)

    def applied_to(self, terms: Terms) -> Terms:
        """Give the terms with the changes."""
        quarantine = terms.quarantine
        if self.is_quarantined is not None:
            quarantine = self.reason if self.is_quarantined else None
        limits = terms.limits if self.limits is None else self.limits
        return Terms(terms.policy, terms.kind, limits, quarantine)


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """What somebody wants done to a bank, all of it or nothing.

    add:      entries of names that differ from each other.
    replace:  an entry of a name that is taken goes in place of the old one.
    since:    the bank's revision when the entries to be added began to be prepared: what was
              removed later stays removed. None does not ask.
    remove:   names of entries; they are removed before any are added.
    may_miss: names to be removed need not be there.
    amend:    changes of terms by the entry's name.
    settings: what is to hold for all entries.
    notes:    texts to be kept with the bank by name; None takes one away.
    """

    add: Sequence[Entry] = ()
    replace: bool = False
    since: int | None = None
    remove: Sequence[str] = ()
    may_miss: bool = False
    amend: Mapping[str, Amendment] = field(default_factory=dict)
    settings: BankSettings | None = None
    notes: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    """An edit that fits the bank as it was one revision before.

    remove:   names that are removed, whether they are there or not: entries of these names that
              are still being prepared are refused.
    replaced: names of entries that make room for new ones.
    """

    revision: int
    add: Table = field(default_factory=lambda: table_of([]))
    remove: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    amend: Mapping[str, Amendment] = field(default_factory=dict)
    settings: BankSettings | None = None
    notes: Mapping[str, str | None] = field(default_factory=dict)


def fitted(bank: Bank, edit: Edit) -> Commit:
    """Make an edit into the commit that follows a snapshot.

    Raises:
        BankError: a name is taken, missing, or was removed since the entry began to be prepared.
    """
    names = [entry.name for entry in edit.add]
    if len(set(names)) < len(names):
        raise BankError("two entries to be added have the same name; give each one its own")
    if edit.since is not None:
        _refuse_removed(bank, names, edit.since)
    taken = bank.find(names).keys() - set(edit.remove)
    if taken and not edit.replace:
        raise BankError(
            f"{bank.name} has an entry named {min(taken)!r}; choose another name, or replace it"
        )
    expected = [*edit.amend, *(() if edit.may_miss else edit.remove)]
    missing = set(expected) - bank.find(expected).keys()
    if missing:
        raise BankError(
            f"{bank.name} has no entry named {min(missing)!r}; see streamguard bank list"
        )
    return Commit(
        revision=bank.revision + 1,
        add=table_of(edit.add),
        remove=tuple(dict.fromkeys(edit.remove)),
        replaced=tuple(sorted(taken)),
        amend=edit.amend,
        settings=edit.settings,
        notes=edit.notes,
    )


def _refuse_removed(bank: Bank, names: Sequence[str], since: int) -> None:
    """Let a removal win over an addition that had begun before it."""
    if names and since < bank.memory.forgotten:
        raise BankError(
            f"{bank.name} was edited too often while {names[0]!r} was prepared; add it anew"
        )
    for name in names:
        if bank.memory.removed.get(name, 0) > since:
            raise BankError(
                f"{bank.name} had {name!r} removed while it was prepared, so it is left out; add "
                "it anew if it belongs in after all"
            )
