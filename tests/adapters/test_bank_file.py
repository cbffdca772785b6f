import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamguard.adapters import bank_lock
from streamguard.adapters.bank_check import stat_bank, verify_bank
from streamguard.adapters.bank_file import (
    add_entries,
    add_entry,
    amend_entry,
    apply_edit,
    configure_bank,
    remove_entry,
    revision_of,
)
from streamguard.adapters.bank_generation import compact_bank, save_bank
from streamguard.adapters.bank_live import open_bank
from streamguard.core.bank_edit import Edit
from streamguard.core.bank_editor import empty_bank
from streamguard.core.bank_values import BankSettings
from streamguard.core.errors import BankError
from streamguard.core.index import SLOTS_FROM, LinearIndex, SlotIndex
from streamguard.core.types import NO_LIMITS, Limits
from tests.made_banks import all_in, all_of, base_of, contents, delta_of, entry, image, names


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give a directory with a bank of two entries, five hashes."""
    directory = tmp_path / "known"
    add_entries(directory, [entry("a"), entry("b", 2)])
    return directory


def test_a_bank_is_read_as_it_was_written(directory: Path) -> None:
    bank = open_bank(directory)

    assert all_of(bank) == all_in(entry("a"), entry("b", 2))
    assert bank.name == "known"
    assert bank.query(entry("b", 2).hashes[1], "full")[0].entry == "b"


@pytest.mark.parametrize("n_hashes", [1, 2, SLOTS_FROM - 1, SLOTS_FROM])
def test_a_bank_of_any_size_finds_its_last_hash(tmp_path: Path, n_hashes: int) -> None:
    added = entry("a", n_hashes)
    add_entry(tmp_path, added)

    bank = open_bank(tmp_path)

    assert isinstance(bank.base.index, SlotIndex) == (n_hashes >= SLOTS_FROM)
    assert [m.offset_us for m in bank.query(added.hashes[-1], "full")] == [added.offsets_us[-1]]
    assert verify_bank(tmp_path).problems == ()


def test_an_empty_bank_can_be_written_and_read(tmp_path: Path) -> None:
    save_bank(tmp_path, empty_bank("bank"))

    bank = open_bank(tmp_path)

    assert isinstance(bank.base.index, LinearIndex)
    assert bank.query(np.zeros(32, np.uint8), "full") == []
    assert verify_bank(tmp_path).problems == ()


def test_the_arrays_of_an_open_bank_are_read_only(directory: Path) -> None:
    add_entry(directory, entry("c"))
    bank = open_bank(directory)

    for table in (bank.base.table, bank.tail):
        with pytest.raises(ValueError, match="read-only"):
            table.hashes[0] = 0


def test_only_the_owner_may_read_a_bank(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        add_entry(tmp_path / "bank", entry("a"))
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "bank").stat().st_mode) == 0o700
    files = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "bank").iterdir()}
    assert files == {0o600}


def test_an_edit_is_put_at_the_end_of_the_delta_and_leaves_the_base(directory: Path) -> None:
    before = contents(directory)

    add_entry(directory, entry("c"))

    after = contents(directory)
    name = delta_of(directory).name
    assert after[name].startswith(before[name])
    assert {key for key in after if after[key] != before[key]} == {name, "lock"}
    assert names(directory) == ["a", "b", "c"]


def test_a_taken_name_is_refused_and_nothing_is_added(directory: Path) -> None:
    with pytest.raises(BankError, match="has an entry named 'b'"):
        add_entries(directory, [entry("c"), entry("b")])

    assert names(directory) == ["a", "b"]


def test_a_taken_name_is_replaced_when_that_is_asked(directory: Path) -> None:
    new = entry("a", 4, seed=9)

    add_entry(directory, new, replace=True)

    assert all_of(open_bank(directory)) == all_in(entry("b", 2), new)


def test_two_new_entries_of_one_name_are_refused(directory: Path) -> None:
    with pytest.raises(BankError, match="the same name"):
        add_entries(directory, [entry("c"), entry("c")], replace=True)


def test_a_removed_entry_is_gone_with_all_its_hashes_and_the_others_stay(directory: Path) -> None:
    remove_entry(directory, "a")

    bank = open_bank(directory)
    assert all_of(bank) == all_in(entry("b", 2))
    assert bank.n_hashes == 2
    assert [bank.query(pdq, "full") for pdq in entry("a").hashes] == [[], [], []]


def test_the_last_entry_can_be_removed(directory: Path) -> None:
    remove_entry(directory, "a")
    remove_entry(directory, "b")

    assert names(directory) == []


def test_removing_what_is_not_there_is_refused(directory: Path) -> None:
    with pytest.raises(BankError, match="no entry named 'c'"):
        remove_entry(directory, "c")

    assert names(directory) == ["a", "b"]


def test_an_entry_that_was_removed_while_it_was_prepared_is_refused(directory: Path) -> None:
    since = revision_of(directory)
    remove_entry(directory, "a")

    with pytest.raises(BankError, match="'a' removed while it was prepared"):
        add_entries(directory, [entry("a")], since=since)

    assert names(directory) == ["b"]
    add_entries(directory, [entry("a")], since=revision_of(directory))
    assert names(directory) == ["a", "b"]


def test_a_removal_before_the_first_addition_holds_against_it(directory: Path) -> None:
    since = revision_of(directory)
    with pytest.raises(BankError, match="should it be on its way in, it will be refused"):
        remove_entry(directory, "c")

    with pytest.raises(BankError, match="'c' removed while it was prepared"):
        add_entries(directory, [entry("c")], since=since)


def test_a_removal_is_remembered_over_a_compaction(directory: Path) -> None:
    since = revision_of(directory)
    remove_entry(directory, "a")
    compact_bank(directory)

    with pytest.raises(BankError, match="removed while it was prepared"):
        add_entries(directory, [entry("a")], since=since)


def test_a_bank_that_is_not_there_has_no_revision(tmp_path: Path) -> None:
    assert revision_of(tmp_path / "none") == 0


def test_a_quarantined_entry_matches_nothing_until_it_is_released(directory: Path) -> None:
    pdq = entry("a").hashes[0]

    amend_entry(directory, "a", quarantined=True, reason="hub")
    aside = open_bank(directory)
    amend_entry(directory, "a", quarantined=False)
    released = open_bank(directory)

    assert (aside.query(pdq, "full"), len(aside.near("a", 0, 0))) == ([], 0)
    assert aside.entry_of("a") == replace(all_of(released)["a"][0], quarantine="hub")
    assert [match.entry for match in released.query(pdq, "full")] == ["a"]


def test_an_entry_can_be_given_limits_of_its_own_and_lose_them(directory: Path) -> None:
    limits = Limits(max_distance_bits=20, is_shadow=True)

    amend_entry(directory, "a", limits=limits)
    strict = open_bank(directory)
    amend_entry(directory, "a", limits=NO_LIMITS)

    assert strict.query(entry("a").hashes[0], "full")[0].limits == limits
    assert all_of(open_bank(directory)) == all_in(entry("a"), entry("b", 2))


def test_amending_what_is_not_there_is_refused(directory: Path) -> None:
    with pytest.raises(BankError, match="no entry named 'c'"):
        amend_entry(directory, "c", quarantined=True)


@pytest.mark.parametrize("then", [lambda _: None, compact_bank])
def test_settings_hold_for_all_entries_from_then_on(
    directory: Path, then: Callable[[Path], object]
) -> None:
    settings = BankSettings("negative", Limits(max_distance_bits=9), ("mirror",))

    configure_bank(directory, settings)
    then(directory)

    bank = open_bank(directory)
    match = bank.query(entry("a").hashes[0], "full")[0]
    assert (bank.settings, match.role, match.limits) == (settings, "negative", settings.limits)


def test_a_bank_can_be_configured_before_anything_is_in_it(tmp_path: Path) -> None:
    configure_bank(tmp_path / "slates", BankSettings("negative"))
    add_entry(tmp_path / "slates", image("bars"))

    bank = open_bank(tmp_path / "slates")

    assert (bank.settings.role, [*bank.names()]) == ("negative", ["bars"])


@pytest.mark.parametrize("then", [lambda _: None, compact_bank])
def test_notes_are_kept_with_the_edit_that_they_came_with(
    directory: Path, then: Callable[[Path], object]
) -> None:
    apply_edit(directory, Edit(add=[entry("c")], notes={"list": "page 3", "other": "x"}))
    apply_edit(directory, Edit(notes={"other": None}))
    then(directory)

    bank = open_bank(directory)

    assert (dict(bank.memory.notes), bank.n_entries) == ({"list": "page 3"}, 3)


def test_an_edit_is_one_commit_whatever_it_holds(directory: Path) -> None:
    before = revision_of(directory)

    after = apply_edit(
        directory, Edit(add=[entry("c"), entry("a", seed=2)], remove=["a", "b"], may_miss=True)
    )

    assert after.revision == revision_of(directory) == before + 1
    assert all_of(open_bank(directory)) == all_in(entry("a", seed=2), entry("c"))


@pytest.mark.parametrize(
    "verb",
    [
        open_bank,
        stat_bank,
        verify_bank,
        compact_bank,
        lambda d: remove_entry(d, "a"),
        lambda d: amend_entry(d, "a", quarantined=True),
    ],
)
def test_a_directory_without_a_bank_is_refused_and_left_alone(
    tmp_path: Path, verb: Callable[[Path], object]
) -> None:
    with pytest.raises(BankError, match="holds no bank; make one"):
        verb(tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", [open_bank, lambda d: add_entry(d, entry("a"))])
def test_a_bank_of_the_old_format_is_refused_with_what_to_do(
    tmp_path: Path, verb: Callable[[Path], object]
) -> None:
    (tmp_path / "bank.sgb").write_bytes(b"SGBANK\0\1")

    with pytest.raises(BankError, match=r"of an older format.*build it anew in an empty directory"):
        verb(tmp_path)


def test_a_path_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(BankError, match="cannot be made"):
        add_entry(tmp_path / "file", entry("a"))
    with pytest.raises(BankError, match="cannot be read"):
        open_bank(tmp_path / "file")


def test_a_directory_that_cannot_be_locked_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()

    with pytest.raises(BankError, match="cannot be written: Is a directory"):
        add_entry(tmp_path, entry("a"))


def test_a_bank_that_is_open_stays_as_it_was_when_it_is_edited(directory: Path) -> None:
    old = open_bank(directory)
    before = all_of(old)

    remove_entry(directory, "a")
    add_entry(directory, entry("c"))
    compact_bank(directory)

    assert all_of(old) == before
    assert [m.entry for m in old.query(entry("a").hashes[0], "full")] == ["a"]


def test_a_second_writer_is_turned_away_after_a_while_and_readers_are_not(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_lock, "LOCK_WAIT_S", 0.02)
    with (directory / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # the weakest hold: only an exclusive writer minds it

        with pytest.raises(BankError, match="written by another process"):
            add_entry(directory, entry("c"))
        with pytest.raises(BankError, match="written by another process"):
            remove_entry(directory, "a")
        assert names(directory) == ["a", "b"]

    add_entry(directory, entry("c"))
    assert names(directory) == ["a", "b", "c"]


def test_a_second_writer_waits_for_the_first(directory: Path) -> None:
    """The child lets go of the lock when its standard input ends."""
    holds = f"""
import fcntl, sys
lock = open({str(directory / "lock")!r}, "rb")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen(
        [sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        child.stdin.write(b"\n")
        child.stdin.close()

        add_entry(directory, entry("c"))

    assert names(directory) == ["a", "b", "c"]


def test_a_damaged_bank_is_not_written_over(directory: Path) -> None:
    base = base_of(directory)
    base.write_bytes(base.read_bytes()[:-1])
    before = contents(directory)

    with pytest.raises(BankError, match="restore the bank from a copy"):
        add_entry(directory, entry("c"))

    assert contents(directory) == before


def with_a_small_disk(directory: Path, edits: str) -> str:
    """Run edits in a child; a limit on file size stands in for the disk: 4,096 bytes a file."""
    program = f"""
import resource
from pathlib import Path
from streamguard.adapters.bank_file import add_entry
from streamguard.adapters.bank_generation import compact_bank
from streamguard.core.errors import BankError
from tests.made_banks import entry
directory = Path({str(directory)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    {edits}
except BankError as error:
    print(error)
"""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("edits", "entries"),
    [
        ("add_entry(directory, entry('c', 1000))", ["a", "b"]),
        (
            "[add_entry(directory, entry(f'c{n}', 60)) for n in (1, 2)], compact_bank(directory)",
            ["a", "b", "c1"],
        ),
    ],
)
def test_a_full_disk_leaves_the_old_bank_in_force(
    directory: Path, edits: str, entries: list[str]
) -> None:
    problem = with_a_small_disk(directory, edits)

    assert "cannot be written: File too large; the bank that was there is still" in problem
    assert names(directory) == entries
    assert verify_bank(directory).problems == ()
    add_entry(directory, entry("e"))
    assert names(directory) == [*entries, "e"]


def test_a_compaction_that_finds_the_disk_full_leaves_nothing_behind(directory: Path) -> None:
    for n in range(3):
        add_entry(directory, entry(f"c{n}", 40))
    before = contents(directory)

    problem = with_a_small_disk(directory, "compact_bank(directory)")

    assert "cannot be written: File too large" in problem
    assert contents(directory) == before | {"compaction.lock": b""}


def test_a_large_addition_is_put_in_order_at_once(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamguard.adapters.bank_generation.MAX_TAIL_HASHES", 4)

    add_entry(directory, entry("c", 3))
    small = open_bank(directory)
    add_entry(directory, entry("d", 1))
    large = open_bank(directory)

    assert (small.tail.n_hashes, large.tail.n_hashes) == (3, 0)
    assert (small.revision, large.revision) == (2, 3)
    assert all_of(large) == all_in(entry("a"), entry("b", 2), entry("c", 3), entry("d", 1))


def test_many_edits_are_put_in_order(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamguard.adapters.bank_generation.MAX_EDITS", 2)

    remove_entry(directory, "a")
    one = open_bank(directory)
    remove_entry(directory, "b")
    two = open_bank(directory)

    assert (len(one.dead), len(two.dead), two.n_entries) == (1, 0, 0)


def test_edits_in_a_row_are_put_in_order_later(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamguard.adapters.bank_generation.MAX_TAIL_HASHES", 1)

    apply_edit(directory, Edit(add=[entry("c", 1)]), compacts="late")
    few = open_bank(directory)
    apply_edit(directory, Edit(add=[entry("d", 1)]), compacts="late")
    half = open_bank(directory)

    assert (few.tail.n_hashes, half.tail.n_hashes) == (1, 0)
