"""A bank in memory, and what a bank should hold by the rules, computed another way."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from streamguard.core.bank_values import Entry
from streamguard.exchange.record import Record

Content = dict[str, tuple[str, str, list[tuple[int, int, bytes]], object]]
"""By name: policy, kind, (offset_us, variant, hash) of each frame, limits."""


class MemoryBank:
    """Follows records as a bank directory does."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.n_edits = 0

    def names(self) -> set[str]:
        return set(self.entries)

    def edit(self, add: Sequence[Entry], remove: Collection[str]) -> None:
        assert len({entry.name for entry in add}) == len(add)
        self.n_edits += 1
        self.entries |= {entry.name: entry for entry in add}
        for name in remove:
            self.entries.pop(name, None)

    @property
    def content(self) -> Content:
        return {entry.name: content_of(entry) for entry in self.entries.values()}

    @property
    def hashes(self) -> set[str]:
        return {bytes(pdq).hex() for entry in self.entries.values() for pdq in entry.hashes}


def content_of(entry: Entry) -> tuple[str, str, list[tuple[int, int, bytes]], object]:
    frames = zip(
        entry.offsets_us.tolist(), entry.variants.tolist(), map(bytes, entry.hashes), strict=True
    )
    return entry.policy, entry.kind, list(frames), entry.limits


def live_hashes(records: Iterable[Record]) -> set[str]:
    """Give the hashes that some record still stands for."""
    return {
        record.hash
        for record in records
        if record.hash and record.is_matched and not record.deleted and record.opinion != "neg"
    }


def names_by_hash(bank: MemoryBank) -> dict[str, set[str]]:
    """Give the entries in which each hash is."""
    found = defaultdict(set)
    for name, entry in bank.entries.items():
        for pdq in entry.hashes:
            found[bytes(pdq).hex()].add(name)
    return dict(found)
