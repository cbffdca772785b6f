"""The promise of `evidence verify`, whole: each byte of a small store, each order of its custody.

`python -m loadtest vault` flips each bit.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamguard.core.kept import Piece
from streamguard.vault.checking import Checked, check
from streamguard.vault.growing import HEADER, SIZE
from streamguard.vault.recording import Recordings
from streamguard.vault.sealing import FRAGMENT_BYTES
from streamguard.vault.vault import Vault
from tests.vault.made_vaults import evidence_id, made_vault, part, subject

N_ENTRIES = 5


def small(directory: Path) -> Vault:
    """Keep a clip and a still of a few bytes, look at them, hold them and keep one more part."""
    vault = made_vault(directory)
    vault.keep(subject(1), (part(content=b"clip"), part("still", b"s")))
    vault.note(evidence_id(1), "view", {"items": ("0",)}, actor="anna", purpose="ü")
    hold = {"ref": "A", "authority": "court", "until": ""}
    vault.note(evidence_id(1), "hold", hold, actor="anna", purpose="")
    vault.keep(subject(1), (part(content=b"more"),))
    vault.note(evidence_id(1), "export", {"ticket": "A"}, actor="anna", purpose="")
    return vault


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return small(tmp_path_factory.mktemp("small") / "evidence")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """Keep one part of a few bytes, and look at it."""
    vault = made_vault(tmp_path_factory.mktemp("tiny") / "evidence")
    vault.keep(subject(1), (part(content=b"clip"),))
    vault.note(evidence_id(1), "view", {"items": ("0",)}, actor="anna", purpose="ü")
    return vault


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """Keep parts of several fragments."""
    vault = made_vault(tmp_path_factory.mktemp("large") / "evidence")
    content = random.Random(7).randbytes(2 * FRAGMENT_BYTES + 1)
    for number in (1, 2):
        vault.keep(subject(number), (part(content=content), part("still", content[:99_999])))
    return vault


def files_of(vault: Vault) -> list[Path]:
    return sorted(path for path in vault.folder.root.rglob("*") if path.is_file())


def is_sound(vault: Vault) -> bool:
    return not any(True for _ in check(vault, Checked()))


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def flipped(content: bytes, bit: int) -> bytes:
    made = bytearray(content)
    made[bit // 8] ^= 1 << bit % 8
    return bytes(made)


@pytest.mark.timeout(600)  # 2,800 checks, also on a busy machine
def test_a_bit_that_is_flipped_in_any_byte_of_any_file_is_found(tiny: Vault) -> None:
    """Each byte once, by each of the eight bits in turn."""
    missed = []
    for path in files_of(tiny):
        content = path.read_bytes()
        for at in range(len(content)):
            with changed(path, flipped(content, 8 * at + at % 8)):
                if is_sound(tiny):
                    missed.append((path.name, at))

    assert missed == []
    assert is_sound(tiny)


def test_any_other_order_or_choice_of_custody_entries_is_found(store: Vault) -> None:
    """Every sequence of some or all of them, but the one that was written."""
    custody = store.folder.root / "custody.jsonl"
    lines = custody.read_bytes().splitlines(keepends=True)
    orders = [order for n in range(N_ENTRIES + 1) for order in permutations(range(N_ENTRIES), n)]
    assert len(lines) == N_ENTRIES

    missed = []
    for order in orders:
        with changed(custody, b"".join(lines[index] for index in order)):
            if is_sound(store):
                missed.append(order)

    assert missed == [tuple(range(N_ENTRIES))]


def test_an_entry_that_is_inserted_anywhere_is_found(store: Vault, tmp_path: Path) -> None:
    """One of its own a second time, one of another store, and one made of two."""
    other = small(tmp_path / "other").folder.root / "custody.jsonl"
    custody = store.folder.root / "custody.jsonl"
    lines = custody.read_bytes().splitlines(keepends=True)
    theirs = other.read_bytes().splitlines(keepends=True)
    mixed = lines[1].replace(b'"seq":1', b'"seq":5')
    assert mixed != lines[1]

    missed = []
    for at in range(N_ENTRIES + 1):
        for one in (*lines, *theirs, mixed, b"\n", b"{}\n"):
            with changed(custody, b"".join([*lines[:at], one, *lines[at:]])):
                if is_sound(store):
                    missed.append((at, one))

    assert missed == []


def test_an_entry_of_another_store_in_the_place_of_ours_is_found(
    store: Vault, tmp_path: Path
) -> None:
    other = small(tmp_path / "other").folder.root / "custody.jsonl"
    custody = store.folder.root / "custody.jsonl"
    lines = custody.read_bytes().splitlines(keepends=True)
    theirs = other.read_bytes().splitlines(keepends=True)

    for at in range(N_ENTRIES):
        with changed(custody, b"".join([*lines[:at], theirs[at], *lines[at + 1 :]])):
            assert not is_sound(store), at


@pytest.mark.timeout(600)  # as above
def test_a_file_that_is_cut_off_is_found(tiny: Vault) -> None:
    """By one byte, and at each fifth length."""
    missed = []
    for path in files_of(tiny):
        content = path.read_bytes()
        for length in {*range(0, len(content), 5), len(content) - 1}:
            with changed(path, content[:length]):
                if is_sound(tiny):
                    missed.append((path.name, length))

    assert missed == []


@pytest.mark.timeout(600)  # as above
def test_a_bit_that_is_flipped_in_a_clip_that_grows_is_found(tmp_path: Path) -> None:
    """In each byte, and each bit of a size; it is no part yet, and no manifest names its hash."""
    vault = made_vault(tmp_path / "evidence")
    recordings = Recordings(vault)
    for content in (b"head", b"more of the clip", b"and more"):
        recordings.grow(subject(1), Piece(0, 0, 1000, content))
    [path] = vault.folder.growing_files()
    content = path.read_bytes()
    assert is_sound(vault)

    missed = []
    in_each = {8 * at + at % 8 for at in range(len(content))}
    for bit in in_each | set(range(8 * HEADER.size, 8 * (HEADER.size + SIZE.size))):
        with changed(path, flipped(content, bit)):
            if is_sound(vault):
                missed.append(bit)

    recordings.close()
    assert missed == []
    assert is_sound(vault)


def test_a_piece_that_a_crash_broke_off_is_no_damage(tmp_path: Path) -> None:
    vault = made_vault(tmp_path / "evidence")
    recordings = Recordings(vault)
    recordings.grow(subject(1), Piece(0, 0, 1000, b"head"))
    [path] = vault.folder.growing_files()
    first = len(path.read_bytes())
    recordings.grow(subject(1), Piece(0, 0, 2000, b"more"))
    content = path.read_bytes()

    for length in range(first, len(content)):
        with changed(path, content[:length]):
            assert is_sound(vault), length

    recordings.close()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_bit_that_is_flipped_in_large_evidence_is_found(
    large: Vault, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(files_of(large)))
    content = path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(content) - 1))

    with changed(path, flipped(content, bit)):
        assert not is_sound(large)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_bytes_put_in_taken_out_or_moved_in_large_evidence_are_found(
    large: Vault, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(files_of(large)))
    content = path.read_bytes()
    at, to = sorted(data.draw(st.integers(0, len(content))) for _ in range(2))
    made = data.draw(
        st.sampled_from(
            [
                content[:at] + b"\0" + content[at:],
                content[:at] + content[to:],
                content[to:] + content[at:to] + content[:at],
                content + content[at:to],
            ]
        )
    )
    if made == content:
        return

    with changed(path, made):
        assert not is_sound(large)
