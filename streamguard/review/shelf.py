"""The banks, as people at the console see them: which entries, and what reviewers said of them.

Rule: nobody sees hashes or pictures here. An entry that is wrong is set aside and let in again, by
name and on record; to take one out for good is a command's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from streamguard.adapters.bank_dir import has_bank
from streamguard.adapters.bank_file import amend_entry
from streamguard.adapters.bank_live import open_bank
from streamguard.core.audit import Deed
from streamguard.core.bank_values import EntryFacts, check_reason
from streamguard.core.cases import Case
from streamguard.core.errors import DecisionRefused
from streamguard.core.people import Person
from streamguard.review.bankings import Banking, latest_bankings
from streamguard.review.desk import Desk

MAX_SHOWN = 100
"""Entries of one answer; whoever looks for one says a part of its name."""

MAX_LOOKED_AT = 200_000
"""Entries whose names are looked through: of a larger bank an entry is found by its whole name."""

_VOTES = """
SELECT json_extract(value, '$.entry'), total(json_extract(value, '$.agrees')), count(*)
FROM decisions, json_each(body, '$.votes') WHERE json_extract(value, '$.bank') = ? GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry, and how many decisions agreed with a match of it, or did not."""

    name: str
    facts: EntryFacts
    n_agreed: int
    n_disagreed: int


class Shelf:
    """The banks of one console."""

    def __init__(self, desk: Desk, banks: Mapping[str, Path]) -> None:
        """banks: their directories, by name."""
        self._desk = desk
        self._banks = banks

    @property
    def names(self) -> tuple[str, ...]:
        """Name them."""
        return tuple(sorted(self._banks))

    def entries(self, person: Person, bank: str, part: str) -> list[Listed]:
        """Give entries whose name holds a text, of policies that somebody is cleared for.

        Raises:
            DecisionRefused: there is no such bank.
            BankError: it cannot be read.
        """
        directory = self._directory(bank)
        if not has_bank(directory):
            return []
        opened = open_bank(directory)
        whole = opened.entry_of(part) if part else None
        if whole is not None:
            named = [(part, whole)]
        else:
            looked = islice(opened.facts(), MAX_LOOKED_AT)
            named = [(name, facts) for name, facts in looked if part in name]
        cleared = (one for one in named if person.is_cleared(one[1].policy))
        votes = {name: (int(agreed), total) for name, agreed, total in self._votes(bank)}
        listed = []
        for name, facts in islice(cleared, MAX_SHOWN):
            n_agreed, n_votes = votes.get(name, (0, 0))
            listed.append(Listed(name, facts, n_agreed, n_votes - n_agreed))
        return listed

    def bankings(self, person: Person) -> list[tuple[Case, Banking]]:
        """Give what became of the latest evidence that was to go into a bank, of any of them."""
        return latest_bankings(self._desk.file, person, self._desk.wall())

    def set_aside(self, person: Person, bank: str, entry: str, reason: str) -> None:
        """Have an entry match nothing from now on, for a reason.

        Raises:
            DecisionRefused: there is no such entry for this person.
            BankError: the reason does not do, or the bank cannot be changed.
        """
        check_reason(reason)
        self._require(person, bank, entry)
        amend_entry(self._banks[bank], entry, quarantined=True, reason=reason)
        self._note(person, "bank.set_aside", {"bank": bank, "entry": entry, "why": reason})

    def let_in(self, person: Person, bank: str, entry: str) -> None:
        """Have an entry match again.

        Raises:
            DecisionRefused: there is no such entry for this person.
            BankError: the bank cannot be changed.
        """
        self._require(person, bank, entry)
        amend_entry(self._banks[bank], entry, quarantined=False)
        self._note(person, "bank.let_in", {"bank": bank, "entry": entry})

    def _directory(self, bank: str) -> Path:
        if bank not in self._banks:
            raise DecisionRefused("there is no such bank")
        return self._banks[bank]

    def _require(self, person: Person, bank: str, entry: str) -> None:
        directory = self._directory(bank)
        facts = open_bank(directory).entry_of(entry) if has_bank(directory) else None
        if facts is None or not person.is_cleared(facts.policy):
            raise DecisionRefused("there is no such entry")

    def _votes(self, bank: str) -> list[tuple[str, float, int]]:
        return self._desk.file.rows(_VOTES, (bank,))

    def _note(self, person: Person, action: str, details: Mapping[str, str | int]) -> None:
        self._desk.trail.note(Deed(person.account_id, action, details=details))
