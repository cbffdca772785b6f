import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamguard.adapters.bank_base import pack_base
from streamguard.adapters.bank_check import Verified, stat_bank, verify_bank
from streamguard.adapters.bank_file import (
    add_entries,
    add_entry,
    amend_entry,
    configure_bank,
    remove_entry,
)
from streamguard.adapters.bank_generation import compact_bank, save_bank
from streamguard.adapters.bank_live import open_bank
from streamguard.core.bank import Base
from streamguard.core.bank_table import Table, table_of
from streamguard.core.bank_values import BankSettings, Terms
from streamguard.core.errors import BankError
from streamguard.core.index import SLOTS_FROM, LinearIndex, SlotIndex, build_slots
from streamguard.core.types import Limits
from tests.made_banks import base_of, delta_of, entry, image

HEAD = struct.Struct("<8s32sqQQ")
WHOLE = Verified((), ())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give a bank that uses every column and every kind of edit."""
    directory = tmp_path / "known"
    strict = replace(entry("b", 2), limits=Limits(max_distance_bits=20))
    add_entries(directory, [entry("a"), strict, image("c")])
    add_entry(directory, entry("late", 2))
    amend_entry(directory, "a", quarantined=True)
    remove_entry(directory, "c")
    return directory


def found(directory: Path) -> tuple[str, ...]:
    """Give all that verify says of a bank, or the one line with which it gives up."""
    try:
        verified = verify_bank(directory)
    except BankError as error:
        return (str(error),)
    return verified.problems + verified.notes


def test_a_whole_bank_has_no_problems(directory: Path) -> None:
    assert verify_bank(directory) == WHOLE

    compact_bank(directory)

    assert verify_bank(directory) == WHOLE


@pytest.mark.parametrize("n_entries", [0, 1])
def test_the_smallest_banks_have_no_problems(tmp_path: Path, n_entries: int) -> None:
    add_entries(tmp_path, [image("a")])
    if not n_entries:
        remove_entry(tmp_path, "a")
        compact_bank(tmp_path)

    assert verify_bank(tmp_path) == WHOLE


def test_a_flip_of_any_byte_of_any_file_is_found(directory: Path) -> None:
    for path in sorted(directory.iterdir()):
        whole = path.read_bytes()
        for place in range(len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            path.write_bytes(damaged)
            assert found(directory), f"{path.name} at {place}"
        path.write_bytes(whole)

    assert verify_bank(directory) == WHOLE


def test_a_cut_anywhere_in_any_file_is_found(directory: Path) -> None:
    for path in sorted(directory.iterdir()):
        whole = path.read_bytes()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            assert found(directory), f"{path.name} at {length}"
        path.write_bytes(whole)

    assert verify_bank(directory) == WHOLE


@pytest.mark.parametrize("more", [b"\0", b"x", bytes(64), b"SGEDIT\0\2"])
def test_bytes_after_the_end_of_any_file_are_found(directory: Path, more: bytes) -> None:
    for path in sorted(directory.iterdir()):
        if path.name != "compaction.lock":
            whole = path.read_bytes()
            path.write_bytes(whole + more)
            assert found(directory), path.name
            path.write_bytes(whole)


@pytest.mark.parametrize("file_of", [base_of, delta_of, lambda directory: directory / "CURRENT"])
def test_a_missing_file_is_found(directory: Path, file_of: Callable[[Path], Path]) -> None:
    file_of(directory).unlink()

    assert len(found(directory)) == 1


def test_every_damaged_section_of_a_base_is_named(directory: Path) -> None:
    base = base_of(directory)
    damaged = bytearray(base.read_bytes())
    for column in (entry("a").hashes[0], np.frombuffer(b"abc", np.uint8)):
        damaged[base.read_bytes().index(column.tobytes())] ^= 1
    base.write_bytes(damaged)

    assert verify_bank(directory).problems == (
        "base-1.sgb: its section hashes is damaged",
        "base-1.sgb: its section name_bytes is damaged",
    )


def test_an_edit_that_was_not_committed_is_told_apart_from_damage(directory: Path) -> None:
    delta = delta_of(directory)
    before, noted = delta.read_bytes(), (directory / "lock").read_bytes()
    add_entry(directory, entry("lost"))
    edit = delta.read_bytes()[len(before) :]
    (directory / "lock").write_bytes(noted)

    for kept in (1, 31, 32, 33, len(edit) - 1):
        delta.write_bytes(before + edit[:kept])
        verified = verify_bank(directory)
        assert verified.problems == ()
        assert f"delta-1.sgd: its last {kept} bytes are a part of" in verified.notes[0]


def test_a_last_edit_of_full_length_that_is_none_is_damage(directory: Path) -> None:
    delta = delta_of(directory)
    delta.write_bytes(delta.read_bytes()[:-64] + bytes(64))

    assert "one is lost, or was not committed when the power failed" in found(directory)[0]


def test_an_edit_that_is_damaged_among_others_makes_the_bank_unusable(directory: Path) -> None:
    delta = delta_of(directory)
    damaged = bytearray(delta.read_bytes())
    damaged[100] ^= 1
    delta.write_bytes(damaged)

    with pytest.raises(BankError, match="its edit 2 is damaged, and there are edits after it"):
        open_bank(directory)
    assert "its edit 2 is damaged" in found(directory)[0]


def test_edits_that_were_cut_off_whole_are_missed(directory: Path) -> None:
    before = delta_of(directory).read_bytes()
    remove_entry(directory, "b")

    delta_of(directory).write_bytes(before)

    assert verify_bank(directory).problems == (
        "delta-1.sgd: it ends at revision 4, and there was a revision 5",
    )


def test_files_that_a_killed_writer_left_are_told(directory: Path) -> None:
    (directory / "base-9.sgb").write_bytes(b"half a base")

    verified = verify_bank(directory)

    assert verified.problems == ()
    assert verified.notes == ("1 files that are not in force; the next compaction removes them",)


def sealed(directory: Path, base: Base) -> None:
    """Put a base that no editor makes in force, all checksums right."""
    add_entry(directory, entry("x"))
    parts = b"".join(bytes(part) for part in pack_base(base, 0))
    head = list(HEAD.unpack_from(parts))
    head[3] = 1
    packed = HEAD.pack(*head)
    base_of(directory).write_bytes(
        packed + struct.pack("<I", zlib.crc32(packed)) + parts[HEAD.size + 4 :]
    )


def table() -> Table:
    return table_of([entry("a"), entry("b", 2)])


def spoilt(**columns: object) -> Base:
    made = replace(table(), **columns)  # type: ignore[arg-type]  # wrong on purpose
    return Base(made, LinearIndex(made.hashes), 1)


def with_slots_of_others() -> Base:
    made = table()
    return Base(made, SlotIndex(made.hashes, *build_slots(~made.hashes)), 1)


@pytest.mark.parametrize(
    ("base", "problem"),
    [
        (with_slots_of_others(), "its slots do not list its hashes"),
        (spoilt(name_bytes=np.frombuffer(b"aa", np.uint8)), "its entries are not sorted by name"),
        (spoilt(name_bytes=np.frombuffer(b"ba", np.uint8)), "its entries are not sorted by name"),
        (spoilt(name_bytes=np.frombuffer(b"a\xff", np.uint8)), "1 of its entries have no valid"),
        (spoilt(terms=(Terms("", "video"),)), "an entry has no valid policy"),
        (spoilt(terms_of=np.array([0, 1], np.uint8)), "an entry has terms that there are not"),
        (spoilt(ends=np.array([0, 5], np.uint32)), "its entries do not share out its hashes"),
        (spoilt(ends=np.array([5, 5], np.uint32)), "its entries do not share out its hashes"),
        (spoilt(name_ends=np.array([2, 2], np.uint32)), "its entries do not share out its names"),
        (spoilt(ends=np.array([3, 4], np.uint32)), "its columns do not fit each other"),
        (spoilt(name_ends=np.array([1, 3], np.uint32)), "its columns do not fit each other"),
        (spoilt(terms=()), "its columns do not fit each other"),
        (spoilt(variants=np.ones(4, np.uint8)), "its section variants does not fit the others"),
        (spoilt(hashes=np.zeros((5, 31), np.uint8)), "its columns do not fit each other"),
    ],
)
def test_verify_finds_what_is_wrong_though_all_checksums_are_right(
    tmp_path: Path, base: Base, problem: str
) -> None:
    sealed(tmp_path, base)

    assert problem in found(tmp_path)[0]


def test_a_bank_with_slots_is_verified_too(tmp_path: Path) -> None:
    add_entry(tmp_path, entry("a", SLOTS_FROM))

    assert verify_bank(tmp_path) == WHOLE
    assert stat_bank(tmp_path)["index"] == "slots"


def test_stat_tells_what_a_bank_holds(tmp_path: Path) -> None:
    directory = tmp_path / "known"
    add_entries(directory, [entry("a"), image("b"), image("c")])
    add_entry(directory, replace(entry("still", 1), kind="image", policy="NCII"))
    remove_entry(directory, "c")
    amend_entry(directory, "b", quarantined=True)
    configure_bank(directory, BankSettings("negative", Limits(min_votes=2), ("mirror",)))

    told = stat_bank(directory)

    assert told.pop("made_at").endswith("+00:00")
    assert told.pop("size_bytes") == sum(
        path.stat().st_size for path in (base_of(directory), delta_of(directory))
    )
    told.pop("variant_costs", None)
    expected = {
        "bank": "known",
        "format_version": 2,
        "hasher": "pdq luma 1",
        "revision": 5,
        "generation": 1,
        "role": "negative",
        "variants": ["mirror"],
        "entries": 3,
        "videos": 1,
        "images": 2,
        "quarantined": 1,
        "hashes": 5,
        "base_hashes": 5,
        "tail_hashes": 1,
        "dead_entries": 1,
        "index": "scan",
        "policies": {"NCII": 1, "TVEC-TEST": 2},
    }
    assert {name: told[name] for name in expected} == expected
    assert told["limits"]["min_votes"] == 2


def test_saving_a_bank_over_another_goes_on_in_its_revisions(directory: Path) -> None:
    other = open_bank(directory)
    remove_entry(directory, "b")

    save_bank(directory, other)

    bank = open_bank(directory)
    assert (bank.revision, sorted(bank.names())) == (6, ["a", "b", "late"])
    assert verify_bank(directory) == WHOLE
