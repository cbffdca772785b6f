import fcntl
import threading
from pathlib import Path

import pytest

from streamguard.adapters import bank_generation
from streamguard.adapters.bank_check import verify_bank
from streamguard.adapters.bank_file import (
    add_entries,
    add_entry,
    amend_entry,
    configure_bank,
    remove_entry,
    revision_of,
)
from streamguard.adapters.bank_generation import compact_bank
from streamguard.adapters.bank_live import open_bank
from streamguard.core.bank import Bank, Base
from streamguard.core.bank_fold import folded
from streamguard.core.bank_values import BankSettings
from streamguard.core.errors import BankError
from tests.made_banks import all_in, all_of, base_of, contents, delta_of, entry, names


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give a bank of two entries in its base, and one in its tail."""
    directory = tmp_path / "known"
    add_entries(directory, [entry("b"), entry("a", 2)])
    add_entry(directory, entry("late"))
    return directory


def test_a_compaction_changes_nothing_that_can_be_asked(directory: Path) -> None:
    remove_entry(directory, "b")
    before = open_bank(directory)

    assert compact_bank(directory)

    after = open_bank(directory)
    assert all_of(after) == all_of(before) == all_in(entry("a", 2), entry("late"))
    assert (after.revision, after.added_since(1)) == (before.revision, before.added_since(1))
    assert (after.tail.n_entries, len(after.dead)) == (0, 0)
    assert [*after.names()] == ["a", "late"]


def test_the_files_of_a_generation_are_removed_with_it(directory: Path) -> None:
    old = base_of(directory), delta_of(directory)

    compact_bank(directory)

    assert not any(path.exists() for path in old)
    assert set(contents(directory)) == {
        *("CURRENT", "lock", "compaction.lock", base_of(directory).name, delta_of(directory).name)
    }


def test_what_a_killed_compaction_left_goes_with_the_next_one(directory: Path) -> None:
    for name in ("base-7.sgb", "delta-9.sgd", "CURRENT.next"):
        (directory / name).write_bytes(b"half")

    compact_bank(directory)

    assert base_of(directory).name == "base-10.sgb"
    assert verify_bank(directory).notes == ()


def test_files_that_are_not_the_banks_are_left_alone(directory: Path) -> None:
    (directory / "records.db").write_bytes(b"of an exchange")

    compact_bank(directory)

    assert (directory / "records.db").read_bytes() == b"of an exchange"


def test_what_is_committed_while_a_base_is_made_is_carried_over(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folded_while_others_edit(bank: Bank) -> Base:
        base = folded(bank)
        add_entry(directory, entry("new"))
        remove_entry(directory, "b")
        amend_entry(directory, "a", quarantined=True)
        configure_bank(directory, BankSettings("negative"))
        return base

    monkeypatch.setattr(bank_generation, "folded", folded_while_others_edit)

    compact_bank(directory)

    bank = open_bank(directory)
    facts = bank.entry_of("a")
    assert (bank.base.revision, bank.revision, bank.base.table.n_entries) == (2, 6, 3)
    assert sorted(bank.names()) == ["a", "late", "new"]
    assert facts is not None
    assert (facts.is_quarantined, bank.settings.role) == (True, "negative")
    assert verify_bank(directory).problems == ()


def test_a_torn_edit_is_not_carried_over(directory: Path) -> None:
    with delta_of(directory).open("ab") as delta:
        delta.write(b"SGEDIT\0\2 and no more")

    compact_bank(directory)

    assert names(directory) == ["a", "b", "late"]
    assert verify_bank(directory).notes == ()


def test_a_torn_edit_is_left_behind_by_the_next_one_in_a_new_delta(directory: Path) -> None:
    old = delta_of(directory)
    with old.open("ab") as delta:
        delta.write(b"SGEDIT\0\2 and no more")
    torn = old.read_bytes()

    add_entry(directory, entry("new"))

    assert names(directory) == ["a", "b", "late", "new"]
    assert delta_of(directory) != old
    assert old.read_bytes() == torn  # who reads it goes on doing so


def test_only_one_process_compacts_at_a_time(directory: Path) -> None:
    compact_bank(directory)
    before = contents(directory)

    with (directory / "compaction.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        is_done = compact_bank(directory)

    assert not is_done
    assert contents(directory) == before


def test_a_bank_that_is_replaced_meanwhile_is_left_alone(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folded_while_it_is_replaced(bank: Bank) -> Base:
        for path in directory.iterdir():
            if not path.name.endswith("lock"):
                path.unlink()
        add_entry(directory, entry("other"))
        return folded(bank)

    monkeypatch.setattr(bank_generation, "folded", folded_while_it_is_replaced)

    with pytest.raises(BankError, match="was replaced while it was compacted"):
        compact_bank(directory)

    assert names(directory) == ["other"]


def test_edits_and_compactions_side_by_side_lose_nothing(directory: Path) -> None:
    """Whoever is first: each edit is there at the end, in the order in which it was made."""
    stop = threading.Event()

    def compact() -> None:
        while not stop.is_set():
            compact_bank(directory)

    thread = threading.Thread(target=compact)
    thread.start()
    try:
        for n in range(40):
            add_entry(directory, entry(f"{n:02}", 1))
            if n % 4 == 3:
                remove_entry(directory, f"{n - 1:02}")
    finally:
        stop.set()
        thread.join()

    kept = [f"{n:02}" for n in range(40) if n % 4 != 2]
    assert names(directory) == [*kept, "a", "b", "late"]
    assert revision_of(directory) == 2 + 40 + 10
    assert verify_bank(directory).problems == ()
