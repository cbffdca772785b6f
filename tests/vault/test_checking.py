"""What `evidence verify` finds: every bit of a store, and every entry of its custody."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamguard.core.custody import STORE
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.kept import Subject
from streamguard.vault.checking import Checked, check, record
from streamguard.vault.vault import Vault
from tests.vault.made_vaults import (
    CLIP,
    evidence_id,
    filled_vault,
    made_vault,
    part,
    problems,
)

N_EVIDENCE, N_PARTS = 2, 4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("store") / "evidence"
    vault = filled_vault(directory)
    for purpose in ("case 7", "case 8", "appeal"):
        vault.note(evidence_id(1), "view", {}, actor="anna", purpose=purpose)
    return directory


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def test_an_untouched_store_is_sound_and_what_was_looked_at_is_told(store: Path) -> None:
    checked = Checked()

    assert list(check(made_vault(store), checked)) == []
    assert (checked.n_entries, checked.n_evidence, checked.n_parts) == (6, N_EVIDENCE, N_PARTS)
    assert checked.n_bytes > 2 * len(CLIP)
    assert (checked.leftovers, checked.n_erased) == ([], 0)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_single_flipped_bit_anywhere_is_found(store: Path, data: st.DataObject) -> None:
    files = sorted(path for path in store.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8

    with changed(path, bytes(content)):
        assert problems(store) != []


def test_every_file_that_is_missing_is_found(store: Path) -> None:
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        aside = path.rename(store.parent / "aside")
        assert problems(store) != [], path.name
        aside.rename(path)
    assert problems(store) == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_entries_removed_inserted_or_moved_are_found(store: Path, data: st.DataObject) -> None:
    """Also the last one, and one of the store's own that stands twice."""
    custody = store / "custody.jsonl"
    lines = custody.read_bytes().splitlines(keepends=True)
    index = data.draw(st.integers(0, len(lines) - 1))
    to = data.draw(st.integers(0, len(lines) - 1))
    match data.draw(st.sampled_from(["remove", "insert", "move", "cut"])):
        case "remove":
            made = [*lines[:index], *lines[index + 1 :]]
        case "insert":
            made = [*lines[:to], lines[index], *lines[to:]]
        case "move":
            made = [*lines[:index], *lines[index + 1 :]]
            made.insert(to, lines[index])
        case _:
            made = lines[:index]
    if made == lines:
        return

    with changed(custody, b"".join(made)):
        assert problems(store) != []


def test_an_end_that_was_cut_off_with_its_head_is_found_by_what_was_noted(
    tmp_path: Path,
) -> None:
    store = tmp_path / "evidence"
    vault = filled_vault(store)
    files = [store / "custody.jsonl", store / "custody.head"]
    before = [path.read_bytes() for path in files]
    vault.note(evidence_id(1), "view", {}, actor="anna", purpose="case 7")
    checked = Checked()
    assert list(check(vault, checked)) == []

    for path, content in zip(files, before, strict=True):
        path.write_bytes(content)

    assert problems(store) == []
    assert [each.where for each in problems(store, checked.head)] == ["custody.jsonl"]


def test_what_a_stranger_signed_is_found(store: Path, tmp_path: Path) -> None:
    filled_vault(tmp_path / "evidence")
    for name in ("custody.jsonl", "custody.head"):
        with changed(store / name, (tmp_path / "evidence" / name).read_bytes()):
            assert problems(store) != []


def test_what_a_crash_left_behind_is_told_and_no_damage(tmp_path: Path) -> None:
    store = tmp_path / "evidence"
    vault = filled_vault(store)
    vault.folder.put(evidence_id(9), "key.json", b"{}")
    vault.folder.put(evidence_id(1), "0003-clip.sealed", b"half")
    vault.folder.manifest(3, evidence_id(9)).write_bytes(b"{")
    checked = Checked()

    assert list(check(vault, checked)) == []
    assert len(checked.leftovers) == 3


# ---- on record


def recorded(vault: Vault, only: str | None = None) -> Checked:
    checked = Checked()
    n_problems = len(list(check(vault, checked, only=only)))
    record(vault, checked, n_problems, actor="anna", purpose="yearly", only=only)
    return checked


def test_a_check_of_the_whole_store_is_one_entry_and_its_hash_the_new_head(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")

    checked = recorded(vault)

    last = vault.entries()[-1]
    assert (last.action, last.evidence_id, last.actor, last.purpose) == (
        *("verify", STORE, "anna", "yearly"),
    )
    assert (last.detail["result"], last.detail["n_parts"]) == ("ok", N_PARTS)
    assert (checked.n_entries, checked.head) == (4, last.hash)
    assert problems(tmp_path / "evidence", checked.head) == []
    assert list(vault.ledger().evidence) == [evidence_id(1), evidence_id(2)]


def test_a_check_of_one_evidence_looks_at_its_parts_and_is_in_its_own_custody(
    tmp_path: Path,
) -> None:
    vault = filled_vault(tmp_path / "evidence")
    vault.folder.put(evidence_id(1), "0000-clip.sealed", b"of somebody else")

    checked = recorded(vault, evidence_id(2))

    assert (checked.n_evidence, checked.n_parts) == (1, 1)
    assert vault.entries()[-1].evidence_id == evidence_id(2)
    assert vault.entries()[-1].detail["result"] == "ok"
    assert vault.standing(evidence_id(2)).n_entries == 2


def test_a_check_that_found_damage_says_so_on_record(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    vault.folder.put(evidence_id(1), "0000-clip.sealed", b"of somebody else")

    recorded(vault)

    detail = vault.entries()[-1].detail
    assert (detail["result"], detail["n_problems"]) == ("damaged", 1)


def test_checks_are_a_chain_of_their_own_and_one_that_is_removed_is_found(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    first = recorded(vault).head
    recorded(vault)
    custody = tmp_path / "evidence" / "custody.jsonl"
    lines = custody.read_bytes().splitlines(keepends=True)
    assert vault.entries()[-1].prev_of_evidence == first

    custody.write_bytes(b"".join(lines[:-2] + lines[-1:]))

    assert problems(tmp_path / "evidence") != []


def test_nothing_is_kept_in_the_name_of_the_whole_store(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())

    with pytest.raises(EvidenceUnavailable, match="no id"):
        vault.keep(Subject(STORE, "s", "x"), (part(),))

    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before
    assert problems(tmp_path / "evidence") == []
