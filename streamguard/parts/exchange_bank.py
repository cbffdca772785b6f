"""A bank directory as exchanges see it: it follows records, and gives its own entries as records.

Rule: an edit may be repeated: what is already as it should be stays.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from streamguard.adapters.bank_dir import has_bank
from streamguard.adapters.bank_file import apply_edit
from streamguard.adapters.bank_generation import compact_where_due
from streamguard.adapters.bank_live import open_bank
from streamguard.core.bank import Bank
from streamguard.core.bank_edit import Amendment, Edit
from streamguard.core.bank_values import Entry, EntryFacts, Stretch
from streamguard.exchange.record import Record, id_of, make_record, source_name
from streamguard.verbs.compaction_notice import tell_compaction


class BankDirectory:
    """The bank in a directory; it need not be there yet."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> set[str]:
        """Give the names of all entries.

        Raises:
            BankError: the bank cannot be read.
        """
        bank = self._open()
        return set() if bank is None else set(bank.names())

    def edit(self, add: Sequence[Entry], remove: Collection[str]) -> None:
        """Put entries in, in place of those of the same name, and take others out.

        What was set aside in the bank stays so, whatever takes its place.

        Raises:
            BankError: the bank cannot be written.
        """
        if add or has_bank(self._directory):
            edit = Edit(
                add=add,
                replace=True,
                remove=tuple(remove),
                may_miss=True,
                amend=dict(self._set_aside(add)),
            )
            apply_edit(self._directory, edit, compacts="late", tell=tell_compaction)

    def settle(self) -> None:
        """Put the bank in order after the last of many edits, where that is due."""
        bank = self._open()
        if bank is not None:
            compact_where_due(self._directory, bank, tell=tell_compaction)

    def records(self, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, Record]]:
        """Yield the entries whose names are wanted, a record a hash; their source is the bank.

        Raises:
            BankError: the bank cannot be read.
        """
        bank = self._open()
        if bank is None:
            return
        source = source_name(bank.name)
        for name, facts, held in bank.entries():
            if is_wanted(name):
                for record in _records(source, name, facts, held):
                    yield name, record

    def _set_aside(self, entries: Sequence[Entry]) -> Iterator[tuple[str, Amendment]]:
        bank = self._open()
        for entry in entries:
            facts = bank.entry_of(entry.name) if bank else None
            if facts and facts.quarantine is not None:
                yield entry.name, Amendment(is_quarantined=True, reason=facts.quarantine)

    def _open(self) -> Bank | None:
        return open_bank(self._directory) if has_bank(self._directory) else None


def _records(source: str, name: str, facts: EntryFacts, held: Stretch) -> Iterator[Record]:
    columns = held.hashes, held.offsets_us.tolist(), held.variants.tolist()
    for pdq, offset_us, variant in zip(*columns, strict=True):
        text = pdq.tobytes().hex()
        frame = {"video_id": name, "t_offset_ms": offset_us // 1000}
        yield make_record(
            {
                "record_id": id_of(name, text, offset_us, variant),
                "source": source,
                "hash_type": "vpdq-frame" if facts.kind == "video" else "pdq",
                "hash": text,
                "policy": facts.policy,
                "variant": variant,
                **(frame if facts.kind == "video" else {}),
            }
        )
