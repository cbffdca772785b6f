import queue
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamguard.adapters import bank_reader, bank_watch
from streamguard.adapters.bank_dir import Current, put_in_force
from streamguard.adapters.bank_file import add_entries
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bank_watch import BankWatch
from tests.made_banks import base_of, delta_of, entry

PATIENCE_S = 60.0


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a bank that counts as large: it is not checked when it is opened."""
    monkeypatch.setattr(bank_reader, "CHECKED_AT_ONCE_BYTES", 0)
    add_entries(tmp_path / "known", [entry("a"), entry("b")])
    return tmp_path / "known"


def flip_a_hash(directory: Path) -> None:
    base = base_of(directory)
    damaged = bytearray(base.read_bytes())
    damaged[damaged.index(entry("a").hashes[0].tobytes())] ^= 1
    base.write_bytes(damaged)


Told = queue.Queue[tuple[Path, str]]


def watching(told: Told, *directories: Path) -> BankWatch:
    return BankWatch(directories, lambda directory, problem: told.put((directory, problem)))


@pytest.fixture
def told() -> Iterator[Told]:
    return queue.Queue()


def test_damage_in_a_bank_that_is_in_use_is_told_once(directory: Path, told: Told) -> None:
    flip_a_hash(directory)
    bank = open_bank(directory)

    with watching(told, directory) as watch:
        problem = told.get(timeout=PATIENCE_S)

    assert bank.n_entries == 2  # it was opened all the same
    assert problem == (directory, "base-1.sgb: its section hashes is damaged")
    assert told.empty()
    assert watch.damaged == {directory}


def test_a_sound_bank_is_not_told_of(directory: Path, tmp_path: Path, told: Told) -> None:
    """The bank after it is: by then the sound one has been checked."""
    add_entries(tmp_path / "spoilt", [entry("a")])
    flip_a_hash(tmp_path / "spoilt")

    with watching(told, directory, tmp_path / "spoilt") as watch:
        problem = told.get(timeout=PATIENCE_S)

    assert problem[0] == tmp_path / "spoilt"
    assert watch.damaged == {tmp_path / "spoilt"}


def test_a_header_that_is_damaged_is_told_too(directory: Path, told: Told) -> None:
    base = base_of(directory)
    base.write_bytes(base.read_bytes()[:-1])

    with watching(told, directory):
        problem = told.get(timeout=PATIENCE_S)

    assert "bytes long and should be" in problem[1]


def test_a_new_base_is_checked_as_well(
    directory: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_watch, "LOOK_EVERY_S", 0.01)
    flip_a_hash(directory)

    with watching(told, directory) as watch:
        first = told.get(timeout=PATIENCE_S)
        new = Current(2, 2)
        shutil.copy(base_of(directory), directory / new.base_file)
        shutil.copy(delta_of(directory), directory / new.delta_file)
        put_in_force(directory, new)
        second = told.get(timeout=PATIENCE_S)

    assert [first[1], second[1]] == [
        "base-1.sgb: its section hashes is damaged",
        "base-2.sgb: its section hashes is damaged",
    ]
    assert watch.damaged == {directory}


def test_a_bank_that_is_not_there_is_left_to_who_reads_it(
    directory: Path, tmp_path: Path, told: Told
) -> None:
    flip_a_hash(directory)

    with watching(told, tmp_path / "none", directory):
        problem = told.get(timeout=PATIENCE_S)

    assert problem[0] == directory


def test_the_thread_ends_in_the_middle_of_a_large_bank(
    directory: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_watch, "_REST", 1e9)

    with watching(told, directory) as watch:
        pass

    assert watch.damaged == frozenset()
