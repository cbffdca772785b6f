"""A bank directory as exchanges see it: it follows records, and gives its own entries as records.

Rule: an edit may be repeated: what is already as it should be stays.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from streamguard.adapters.bank_file import BANK_FILE, add_entries, open_bank, remove_entry
from streamguard.core.bank import Bank
from streamguard.core.bank_values import KINDS, Entry
from streamguard.exchange.record import Record, id_of, make_record, source_name


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
        return set() if bank is None else set(_names(bank))

    def edit(self, add: Sequence[Entry], remove: Collection[str]) -> None:
        """Put entries in, in place of those of the same name, and take others out.

        Raises:
            BankError: the bank cannot be written.
        """
        if add:
            add_entries(self._directory, add, replace=True)
        for name in sorted(self.names().intersection(remove)):
            remove_entry(self._directory, name)

    def records(self, is_wanted: Callable[[str], bool]) -> Iterator[Record]:
        """Yield the hashes of entries whose names are wanted, as records; their source is the bank.

        Raises:
            BankError: the bank cannot be read.
        """
        bank = self._open()
        if bank is None:
            return
        source = source_name(bank.name)
        for name, entry in zip(_names(bank), bank.entries, strict=True):
            if not is_wanted(name):
                continue
            is_video = KINDS[entry["kind"]] == "video"
            for row in range(entry["first"], entry["first"] + entry["n_hashes"]):
                text = bank.hashes[row].tobytes().hex()
                frame = {"video_id": name, "t_offset_ms": int(bank.offset_us[row]) // 1000}
                yield make_record(
                    {
                        "record_id": id_of(name, text, bank.offset_us[row], bank.variant[row]),
                        "source": source,
                        "hash_type": "vpdq-frame" if is_video else "pdq",
                        "hash": text,
                        "policy": entry["policy"].decode(),
                        "variant": int(bank.variant[row]),
                        **(frame if is_video else {}),
                    }
                )

    def _open(self) -> Bank | None:
        return open_bank(self._directory) if (self._directory / BANK_FILE).exists() else None


def _names(bank: Bank) -> list[str]:
    names: list[bytes] = bank.entries["name"].tolist()
    return [name.decode() for name in names]
