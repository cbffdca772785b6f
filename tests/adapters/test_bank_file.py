import fcntl
import os
import signal
import stat
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamguard.adapters.bank_file import (
    add_entries,
    add_entry,
    open_bank,
    remove_entry,
    save_bank,
    stat_bank,
    verify_bank,
)
from streamguard.core.bank import Bank, edit_bank, empty_bank
from streamguard.core.bank_values import Entry
from streamguard.core.errors import BankError
from streamguard.core.index import SLOTS_FROM, LinearIndex, SlotIndex
from streamguard.core.slots import build_slots

TABLE_AT, ROW_BYTES, CRC_AT, SECTIONS_AT = 80, 40, 360, 384
SECTION = {
    name: TABLE_AT + ROW_BYTES * row
    for row, name in enumerate(
        ("hashes", "entry_of", "offset_us", "variant", "entries", "slot_offsets", "slot_ids")
    )
}
"""Where the section table has each row, by the layout that the adapter documents."""


def entry(name: str, n_hashes: int = 3, *, seed: int = 1) -> Entry:
    rng = np.random.default_rng(seed)
    return Entry(
        name=name,
        policy="TVEC-TEST",
        kind="video",
        duration_us=n_hashes * 40_000,
        hashes=rng.integers(0, 256, (n_hashes, 32), dtype=np.uint8),
        offsets_us=np.arange(n_hashes, dtype=np.int64) * 40_000,
        variants=rng.integers(0, 3, n_hashes, dtype=np.uint8),
    )


def with_slots(bank: Bank) -> Bank:
    """Give a small bank the index of a large one."""
    return replace(bank, index=SlotIndex(bank.hashes, *build_slots(bank.hashes)))


def columns(bank: Bank) -> list[list[object]]:
    tables = (bank.hashes, bank.entry_rows, bank.offset_us, bank.variant, bank.entries)
    return [table.tolist() for table in tables]


def names(bank: Bank) -> list[str]:
    return [name.decode() for name in bank.entries["name"].tolist()]


def seal(file: bytearray) -> bytes:
    """Make all checksums right, so that only what was written between them is wrong."""
    for row in SECTION.values():
        offset, length = struct.unpack_from("<QQ", file, row + 16)
        struct.pack_into("<I", file, row + 32, zlib.crc32(file[offset : offset + length]))
    struct.pack_into("<I", file, CRC_AT, zlib.crc32(file[:CRC_AT]))
    return bytes(file)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give a directory with a bank of two entries, five hashes."""
    directory = tmp_path / "known"
    add_entries(directory, [entry("a"), entry("b", 2, seed=2)])
    return directory


def test_a_bank_is_read_as_it_was_written(directory: Path) -> None:
    bank = open_bank(directory)

    expected = edit_bank(empty_bank("known"), add=[entry("a"), entry("b", 2, seed=2)])
    assert columns(bank) == columns(expected)
    assert bank.name == "known"
    assert bank.query(entry("b", 2, seed=2).hashes[1], "full")[0].entry == "b"


@pytest.mark.parametrize("n_hashes", [1, 2, SLOTS_FROM - 1, SLOTS_FROM])
def test_a_bank_of_any_size_finds_its_last_hash(tmp_path: Path, n_hashes: int) -> None:
    added = entry("a", n_hashes)
    add_entry(tmp_path, added)

    bank = open_bank(tmp_path)

    assert isinstance(bank.index, SlotIndex) == (n_hashes >= SLOTS_FROM)
    assert [m.offset_us for m in bank.query(added.hashes[-1], "full")] == [added.offsets_us[-1]]
    assert verify_bank(tmp_path) == []


def test_an_empty_bank_can_be_written_and_read(tmp_path: Path) -> None:
    save_bank(tmp_path, empty_bank("bank"))

    bank = open_bank(tmp_path)

    assert isinstance(bank.index, LinearIndex)
    assert bank.query(np.zeros(32, np.uint8), "full") == []
    assert verify_bank(tmp_path) == []


def test_the_sections_lie_where_the_header_says_at_multiples_of_64(directory: Path) -> None:
    file = (directory / "bank.sgb").read_bytes()

    assert file[:12] == b"SGBANK\x00\x01\x02\x00\x00\x00"
    for name, row in SECTION.items():
        offset, length, crc = struct.unpack_from("<QQI", file, row + 16)
        assert file[row : row + 16].rstrip(b"\0") == name.encode()
        assert offset % 64 == 0
        assert zlib.crc32(file[offset : offset + length]) == crc
    assert file[SECTIONS_AT : SECTIONS_AT + 96] == entry("a").hashes.tobytes()


def test_the_arrays_of_an_open_bank_are_read_only(directory: Path) -> None:
    bank = open_bank(directory)

    with pytest.raises(ValueError, match="read-only"):
        bank.hashes[0] = 0


def test_only_the_owner_may_read_a_bank(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        add_entry(tmp_path / "bank", entry("a"))
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "bank").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "bank" / "bank.sgb").stat().st_mode) == 0o600


def test_entries_are_added_after_those_that_are_there(directory: Path) -> None:
    add_entry(directory, entry("c"))

    assert names(open_bank(directory)) == ["a", "b", "c"]


def test_a_taken_name_is_refused_and_nothing_is_added(directory: Path) -> None:
    with pytest.raises(BankError, match="has an entry named 'b'"):
        add_entries(directory, [entry("c"), entry("b")])

    assert names(open_bank(directory)) == ["a", "b"]


def test_a_taken_name_is_replaced_when_that_is_asked(directory: Path) -> None:
    new = entry("a", 4, seed=9)

    add_entry(directory, new, replace=True)

    bank = open_bank(directory)
    assert names(bank) == ["b", "a"]
    assert bank.hashes[2:].tolist() == new.hashes.tolist()


def test_two_new_entries_of_one_name_are_refused(directory: Path) -> None:
    with pytest.raises(BankError, match="the same name"):
        add_entries(directory, [entry("c"), entry("c")], replace=True)


def test_a_removed_entry_is_gone_and_the_others_stay(directory: Path) -> None:
    remove_entry(directory, "a")

    bank = open_bank(directory)
    assert names(bank) == ["b"]
    assert columns(bank) == columns(edit_bank(empty_bank(""), add=[entry("b", 2, seed=2)]))


def test_the_last_entry_can_be_removed(directory: Path) -> None:
    remove_entry(directory, "a")
    remove_entry(directory, "b")

    assert names(open_bank(directory)) == []


def test_removing_what_is_not_there_is_refused(directory: Path) -> None:
    with pytest.raises(BankError, match="no entry named 'c'"):
        remove_entry(directory, "c")


@pytest.mark.parametrize(
    "verb", [open_bank, stat_bank, verify_bank, lambda d: remove_entry(d, "a")]
)
def test_a_directory_without_a_bank_is_refused_and_left_alone(
    tmp_path: Path, verb: Callable[[Path], object]
) -> None:
    with pytest.raises(BankError, match="holds no bank; make one"):
        verb(tmp_path)

    assert list(tmp_path.iterdir()) == []


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
    before = columns(old)

    remove_entry(directory, "a")
    add_entry(directory, entry("c"))

    assert columns(old) == before
    assert [m.entry for m in old.query(entry("a").hashes[0], "full")] == ["a"]


def test_a_second_writer_is_turned_away_and_readers_are_not(directory: Path) -> None:
    with (directory / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # the weakest hold: only an exclusive writer minds it

        with pytest.raises(BankError, match="written by another process"):
            add_entry(directory, entry("c"))
        with pytest.raises(BankError, match="written by another process"):
            remove_entry(directory, "a")
        assert names(open_bank(directory)) == ["a", "b"]

    add_entry(directory, entry("c"))
    assert names(open_bank(directory)) == ["a", "b", "c"]


def test_a_file_cut_short_anywhere_is_refused(directory: Path) -> None:
    path = directory / "bank.sgb"
    whole = path.read_bytes()

    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(BankError, match=r"cut short|should be"):
            open_bank(directory)


def test_a_file_with_bytes_after_its_end_is_refused(directory: Path) -> None:
    path = directory / "bank.sgb"
    path.write_bytes(path.read_bytes() + bytes(64))

    with pytest.raises(BankError, match="should be"):
        open_bank(directory)


def _open_or_error(directory: Path) -> Bank | BankError:
    try:
        return open_bank(directory)
    except BankError as error:
        return error


def test_any_flipped_byte_is_refused_or_changes_nothing(directory: Path) -> None:
    path = directory / "bank.sgb"
    whole = path.read_bytes()
    expected = columns(open_bank(directory))
    n_accepted = 0

    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        match _open_or_error(directory):
            case BankError() as error:
                assert "bank.sgb is unusable" in str(error)
                assert "\n" not in str(error)
            case Bank() as bank:
                assert columns(bank) == expected
                n_accepted += 1

    assert n_accepted < 64 * 6  # padding after the header and five sections


def test_damage_in_the_slots_is_refused(directory: Path) -> None:
    save_bank(directory, with_slots(open_bank(directory)))
    path = directory / "bank.sgb"
    damaged = bytearray(path.read_bytes())
    damaged[-64] ^= 1
    path.write_bytes(damaged)

    with pytest.raises(BankError, match="section slot_ids is damaged"):
        open_bank(directory)


def test_a_damaged_bank_is_not_written_over(directory: Path) -> None:
    path = directory / "bank.sgb"
    damaged = path.read_bytes()[:-1]
    path.write_bytes(damaged)

    with pytest.raises(BankError, match="restore it from a copy"):
        add_entry(directory, entry("c"))

    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    ("offset", "packed", "says"),
    [
        (0, b"SQLite format 3\0", "is no bank file"),
        (8, struct.pack("<I", 1), "has format version 1, this program reads 2"),
        (12, struct.pack("<I", 8), "format version"),
        (16, b"md5", "another hasher"),
        (56, struct.pack("<Q", 6), "does not fit"),
        (56, struct.pack("<Q", 2**64 - 1), "does not fit"),
        (64, struct.pack("<Q", 3), "does not fit"),
        (72, struct.pack("<Q", 64), "should be 64"),
        (SECTION["hashes"], b"x", "does not fit"),
        (SECTION["hashes"] + 16, struct.pack("<Q", SECTIONS_AT + 4), "does not fit"),
        (SECTION["entries"] + 24, struct.pack("<Q", 8), "does not fit"),
    ],
)
def test_a_sealed_file_whose_header_is_wrong_is_refused(
    directory: Path, offset: int, packed: bytes, says: str
) -> None:
    path = directory / "bank.sgb"
    file = bytearray(path.read_bytes())
    file[offset : offset + len(packed)] = packed

    path.write_bytes(seal(file))

    with pytest.raises(BankError, match=says):
        open_bank(directory)


@pytest.mark.parametrize(
    ("section", "offset", "packed", "says"),
    [
        ("entry_of", 0, struct.pack("<I", 2), "name other entries"),
        ("entry_of", 0, struct.pack("<I", 1), "name other entries"),
        ("offset_us", 8, struct.pack("<q", -1), "time in it is negative"),
        ("entries", 192, struct.pack("<q", -1), "time in it is negative"),
        ("entries", 200, struct.pack("<I", 1), "do not cover"),
        ("entries", 204, struct.pack("<I", 4), "do not cover"),
        ("entries", 208, b"\x02", "neither video nor image"),
    ],
)
def test_a_sealed_file_with_a_number_out_of_bounds_is_refused(
    directory: Path, section: str, offset: int, packed: bytes, says: str
) -> None:
    save_bank(directory, with_slots(open_bank(directory)))
    path = directory / "bank.sgb"
    file = bytearray(path.read_bytes())
    place = struct.unpack_from("<Q", file, SECTION[section] + 16)[0] + offset
    file[place : place + len(packed)] = packed

    path.write_bytes(seal(file))

    with pytest.raises(BankError, match=says):
        open_bank(directory)


def test_verify_names_what_is_wrong_with_a_header_and_looks_no_further(directory: Path) -> None:
    (directory / "bank.sgb").write_bytes(b"SGBANK")

    assert verify_bank(directory) == ["it is cut short: 6 bytes, less than a header"]


def test_verify_lists_every_damaged_section(directory: Path) -> None:
    path = directory / "bank.sgb"
    file = bytearray(path.read_bytes())
    for section in ("hashes", "entries"):
        file[struct.unpack_from("<Q", file, SECTION[section] + 16)[0]] ^= 1
    path.write_bytes(file)

    assert verify_bank(directory) == [
        "its section hashes is damaged",
        "its section entries is damaged",
    ]


def _slots_of_others(bank: Bank) -> Bank:
    return replace(bank, index=SlotIndex(bank.hashes, *build_slots(~bank.hashes)))


def _same_names(bank: Bank) -> Bank:
    return replace(bank, entries=_entries_with(bank, "name", b"a"))


def _no_policy(bank: Bank) -> Bank:
    return replace(bank, entries=_entries_with(bank, "policy", b""))


def _broken_utf8(bank: Bank) -> Bank:
    return replace(bank, entries=_entries_with(bank, "name", b"\xff"))


def _entries_with(bank: Bank, column: str, value: bytes) -> NDArray[np.void]:
    entries = bank.entries.copy()
    entries[column][1] = value
    return entries


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_slots_of_others, "its slots do not list its hashes"),
        (_same_names, "two of its entries have the same name"),
        (_no_policy, "its entry number 1 has no valid name or policy"),
        (_broken_utf8, "its entry number 1 has no valid name or policy"),
    ],
)
def test_verify_finds_what_a_start_does_not_look_for(
    directory: Path, spoil: Callable[[Bank], Bank], problem: str
) -> None:
    save_bank(directory, spoil(open_bank(directory)))

    assert open_bank(directory).entries.shape == (2,)
    assert verify_bank(directory) == [problem]


def test_stat_tells_what_a_bank_holds(directory: Path) -> None:
    add_entry(directory, replace(entry("still", 1), kind="image", policy="NCII"))

    told = stat_bank(directory)

    assert told.pop("made_at").endswith("+00:00")
    assert told == {
        "bank": "known",
        "format_version": 2,
        "hasher": "pdq luma 1",
        "entries": 3,
        "videos": 2,
        "images": 1,
        "hashes": 6,
        "size_bytes": (directory / "bank.sgb").stat().st_size,
        "index": "scan",
        "policies": {"NCII": 1, "TVEC-TEST": 2},
    }


def test_a_full_disk_leaves_the_old_bank_in_force(directory: Path) -> None:
    """A limit on file size stands in for the disk; the child sees an error at its 4,096th byte."""
    before = (directory / "bank.sgb").read_bytes()
    writes_too_much = f"""
import resource, sys
from pathlib import Path
import numpy as np
from streamguard.adapters.bank_file import add_entry
from streamguard.core.bank_values import Entry
from streamguard.core.errors import BankError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
n = 1000
new = Entry("c", "A", "video", 0, np.zeros((n, 32), np.uint8), np.arange(n), np.zeros(n, np.uint8))
try:
    add_entry(Path({str(directory)!r}), new)
except BankError as error:
    print(error)
"""

    told = subprocess.run(
        [sys.executable, "-c", writes_too_much], capture_output=True, text=True, check=True
    ).stdout

    assert "cannot be written: File too large; the bank that was there is still in force" in told
    assert (directory / "bank.sgb").read_bytes() == before
    assert sorted(path.name for path in directory.iterdir()) == ["bank.sgb", "lock"]


def test_a_writer_killed_at_work_leaves_a_whole_bank(directory: Path) -> None:
    """The child writes one bank after the other, and is killed as soon as one is begun."""
    writes_on = f"""
from dataclasses import replace
from pathlib import Path
import numpy as np
from streamguard.adapters.bank_file import open_bank, save_bank
bank = open_bank(Path({str(directory)!r}))
n = 200_000
bank = replace(bank, variant=np.zeros(n, np.uint8), hashes=np.zeros((n, 32), np.uint8),
    entry_rows=np.arange(n, dtype=np.uint32), offset_us=np.zeros(n, np.int64),
    entries=np.zeros(n, bank.entries.dtype))
bank.entries["n_hashes"] = 1
bank.entries["first"] = np.arange(n)
while True:
    save_bank(Path({str(directory)!r}), bank)
"""
    leftover = directory / "bank.sgb.tmp"

    with subprocess.Popen([sys.executable, "-c", writes_on]) as child:
        while not leftover.exists() and child.poll() is None:
            pass
        child.send_signal(signal.SIGKILL)

    assert child.returncode == -signal.SIGKILL
    assert len(open_bank(directory).entries) in {2, 200_000}


def test_what_a_killed_writer_left_is_ignored_and_goes_with_the_next_write(directory: Path) -> None:
    (directory / "bank.sgb.tmp").write_bytes(b"half a bank")

    assert names(open_bank(directory)) == ["a", "b"]

    add_entry(directory, entry("c"))
    assert names(open_bank(directory)) == ["a", "b", "c"]
    assert sorted(path.name for path in directory.iterdir()) == ["bank.sgb", "lock"]
