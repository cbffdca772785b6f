"""The bytes of bank files: what is written is read, and what no writer makes is refused."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from streamguard.adapters.bank_base import pack_base, read_base
from streamguard.adapters.bank_commit import read_commit
from streamguard.adapters.bank_delta import HEAD_BYTES, delta_header, frame, read_frames
from streamguard.adapters.bank_file import add_entry
from streamguard.adapters.bank_layout import MAX_SECTIONS, Damaged, damage, pack, unpack
from streamguard.adapters.bank_live import open_bank
from streamguard.core.bank import Base
from streamguard.core.bank_edit import Commit
from streamguard.core.bank_table import table_of
from streamguard.core.errors import BankError
from streamguard.core.index import LinearIndex, SlotIndex, build_slots
from tests.made_banks import base_of, delta_of, entry

ROW = struct.Struct("<16s4sI3QQII")
ROWS_AT = 8

shapes = st.integers(1, 3).flatmap(
    lambda n: hnp.array_shapes(min_dims=n, max_dims=n, min_side=0, max_side=5)
)
arrays = st.sampled_from(["u1", "<u2", "<u4", "<u8"]).flatmap(
    lambda dtype: hnp.arrays(np.dtype(dtype), shapes)
)


def joined(**sections: NDArray[np.generic]) -> memoryview:
    return memoryview(b"".join(bytes(part) for part in pack(sections)))


@given(st.dictionaries(st.sampled_from(["a", "hashes", "sixteen_letters_"]), arrays))
def test_arrays_are_read_as_they_were_written(sections: dict[str, NDArray[np.generic]]) -> None:
    raw = joined(**sections)

    found = unpack(raw)

    assert {name: (s.array.dtype, s.array.tolist()) for name, s in found.items()} == {
        name: (array.dtype, array.tolist()) for name, array in sections.items()
    }
    assert all(section.start % 64 == 0 for section in found.values())
    assert [problem for problem in damage(raw, found) if problem] == []


def with_row(**changes: object) -> memoryview:
    """Give two sections of which the second is described wrongly, its table's checksum right."""
    raw = bytearray(joined(one=np.zeros(3, np.uint8), two=np.zeros((2, 2), np.uint32)))
    at = ROWS_AT + ROW.size
    keys = ("name", "dtype", "n_dims", "rows", "columns", "planes", "start", "crc", "zero")
    row = dict(zip(keys, ROW.unpack_from(raw, at), strict=True)) | changes
    ROW.pack_into(raw, at, *row.values())
    struct.pack_into("<I", raw, 4, zlib.crc32(raw[ROWS_AT : ROWS_AT + 2 * ROW.size]))
    return memoryview(bytes(raw))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dtype": b"<f8"}, "makes no sense"),
        ({"dtype": b"|O"}, "makes no sense"),
        ({"n_dims": 0}, "makes no sense"),
        ({"n_dims": 4}, "makes no sense"),
        ({"start": 0}, "makes no sense"),
        ({"start": 320}, "makes no sense"),
        ({"rows": 100}, "cut short"),
        ({"rows": 2**63, "columns": 0}, "makes no sense"),
        ({"n_dims": 1, "rows": 0}, "should be"),
    ],
)
def test_a_table_that_no_writer_makes_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(Damaged, match=says):
        unpack(with_row(**changes))


@pytest.mark.parametrize("n_bytes", [0, 7])
def test_bytes_too_few_for_a_table_are_refused(n_bytes: int) -> None:
    with pytest.raises(Damaged, match="cut short"):
        unpack(memoryview(bytes(n_bytes)))


@pytest.mark.parametrize("n_sections", [MAX_SECTIONS + 1, 2**32 - 1])
def test_a_count_of_sections_out_of_bounds_is_refused(n_sections: int) -> None:
    raw = struct.pack("<II", n_sections, 0) + bytes(64 * (MAX_SECTIONS + 1))

    with pytest.raises(Damaged, match="table is damaged"):
        unpack(memoryview(raw))


def base_bytes(base: Base) -> bytearray:
    return bytearray(b"".join(bytes(part) for part in pack_base(base, 0)))


def test_a_base_of_another_hasher_is_refused() -> None:
    raw = base_bytes(small_base())
    raw[8:12] = b"phas"
    struct.pack_into("<I", raw, 64, zlib.crc32(raw[:64]))

    with pytest.raises(Damaged, match="another hasher"):
        read_base(memoryview(bytes(raw)))


def test_a_base_whose_meta_is_no_json_of_ours_is_refused() -> None:
    raw = base_bytes(small_base())
    meta_at = raw.index(b'{"terms"')
    row_at = raw.index(b"meta\0")
    length = struct.unpack_from("<Q", raw, row_at + 24)[0]
    raw[meta_at : meta_at + length] = b"[" * length
    struct.pack_into("<I", raw, row_at + 56, zlib.crc32(b"[" * length))
    table_at = 128
    n_sections = struct.unpack_from("<I", raw, table_at)[0]
    rows = raw[table_at + 8 : table_at + 8 + 64 * n_sections]
    struct.pack_into("<I", raw, table_at + 4, zlib.crc32(rows))

    with pytest.raises(Damaged, match="section meta makes no sense"):
        read_base(memoryview(bytes(raw)))


def small_base() -> Base:
    table = table_of([entry("a")])
    return Base(table, LinearIndex(table.hashes), 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda offsets, ids: (offsets[1:], ids),
        lambda offsets, ids: (offsets, ids[:, 1:]),
        lambda offsets, ids: (offsets[:0], ids[:0]),
    ],
)
def test_slots_that_do_not_fit_the_hashes_are_refused(
    spoil: Callable[..., tuple[NDArray[np.uint32], NDArray[np.uint8]]],
) -> None:
    table = table_of([entry("a", 40)])
    index = SlotIndex(table.hashes, *spoil(*build_slots(table.hashes)))

    with pytest.raises(Damaged, match="its slots do not fit its hashes"):
        read_base(memoryview(bytes(base_bytes(Base(table, index, 1)))))


@pytest.mark.parametrize("meta", [b"no json", b'{"remove": 1}', b'{"settings": {"role": "x"}}'])
def test_an_edit_that_no_writer_makes_is_refused(meta: bytes) -> None:
    payload = joined(meta=np.frombuffer(meta, np.uint8))

    with pytest.raises(Damaged, match="its edit 7 makes no sense"):
        read_commit(payload, 7)


def test_an_edit_without_anything_is_an_edit() -> None:
    commit = read_commit(joined(meta=np.frombuffer(b"{}", np.uint8)), 7)

    assert (commit.revision, commit.add.n_entries, commit.remove) == (7, 0, ())
    assert commit.settings == Commit(7).settings


PAYLOADS = [bytes(64), b"x" * 128, b""]


def frames_from(revision: int, seed: int = 5) -> bytes:
    return b"".join(
        frame(payload, revision + number, seed) for number, payload in enumerate(PAYLOADS, 1)
    )


def test_frames_are_read_in_their_order() -> None:
    raw = memoryview(frames_from(3))

    found = read_frames(raw, 3, 5)

    assert [bytes(payload) for payload in found.payloads] == PAYLOADS
    assert (found.n_bytes, found.rest) == (len(raw), "none")


@pytest.mark.parametrize(("revision", "seed"), [(2, 5), (4, 5)])
def test_frames_of_other_revisions_are_no_edits_of_this_bank(revision: int, seed: int) -> None:
    with pytest.raises(Damaged, match=f"its edit {revision + 1} is damaged"):
        read_frames(memoryview(frames_from(3)), revision, seed)


def test_frames_of_another_seed_are_none() -> None:
    found = read_frames(memoryview(frames_from(3)), 3, 6)

    assert (found.payloads, found.n_bytes, found.rest) == ((), 0, "spoilt")


def test_an_edit_that_holds_a_frame_of_another_bank_is_told_apart_when_it_is_torn() -> None:
    """Whoever makes a list cannot have a torn edit taken for damage: the seed is not known."""
    hidden = frame(frames_from(9, seed=6), 4, 5)

    found = read_frames(memoryview(hidden[:-1]), 3, 5)

    assert (found.payloads, found.rest) == ((), "torn")


@pytest.mark.parametrize("file_of", [base_of, delta_of, lambda directory: directory / "CURRENT"])
def test_a_file_that_the_system_does_not_give_is_told(
    tmp_path: Path, file_of: Callable[[Path], Path]
) -> None:
    add_entry(tmp_path, entry("a"))
    path = file_of(tmp_path)
    path.unlink()
    path.mkdir()

    with pytest.raises(BankError, match=f"{path.name} cannot be read: Is a directory"):
        open_bank(tmp_path)


def test_the_header_of_a_delta_says_what_it_follows() -> None:
    assert len(delta_header(7, 5)) == HEAD_BYTES
    assert delta_header(7, 5) != delta_header(8, 5) != delta_header(8, 6)
