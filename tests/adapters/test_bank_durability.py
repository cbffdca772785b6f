"""What is in force survives a power cut: nothing is named before it is safe on disk."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamguard.adapters.bank_file import add_entries, add_entry, amend_entry, remove_entry
from streamguard.adapters.bank_generation import compact_bank, save_bank
from streamguard.adapters.bank_live import open_bank
from tests.made_banks import delta_of, entry

Step = tuple[str, str]
"""What was done, and the name of the file or directory it was done to."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give a bank with something in its base and in its delta."""
    add_entries(tmp_path / "bank", [entry("a"), entry("b")])
    add_entry(tmp_path / "bank", entry("late"))
    return tmp_path / "bank"


@pytest.fixture
def steps(directory: Path, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Note what the system is asked to do, in its order."""
    noted: list[Step] = []

    def noting(name: str, word: str) -> None:
        real: Callable[..., Any] = getattr(os, name)

        def note(file: int, *arguments: Any) -> Any:
            noted.append((word, Path(f"/proc/self/fd/{file}").readlink().name))
            return real(file, *arguments)

        monkeypatch.setattr(os, name, note)

    for name, word in (("write", "write"), ("fsync", "sync"), ("fdatasync", "sync")):
        noting(name, word)
    real = os.replace

    def replace(source: str, target: str) -> None:
        noted.append(("rename", Path(target).name))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    return noted


def is_safe(steps: list[Step], name: str) -> bool:
    """Say whether a file was synced after it was last written."""
    own = [word for word, file in steps if file == name]
    return bool(own) and own[-1] == "sync"


EDITS: dict[str, Callable[[Path], object]] = {
    "addition": lambda directory: add_entry(directory, entry("new")),
    "removal": lambda directory: remove_entry(directory, "a"),
    "amendment": lambda directory: amend_entry(directory, "a", quarantined=True),
}

SWAPS: dict[str, Callable[[Path], object]] = {
    "compaction": compact_bank,
    "replacement": lambda directory: save_bank(directory, open_bank(directory)),
    "first build": lambda directory: add_entry(directory.with_name("first"), entry("a")),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_synced_before_it_counts(directory: Path, steps: list[Step], name: str) -> None:
    EDITS[name](directory)

    delta = delta_of(directory).name
    assert [step for step in steps if step[1] == delta] == [("write", delta), ("sync", delta)]


@pytest.mark.parametrize("name", [*SWAPS, "edit after a torn one"])
def test_files_are_synced_before_they_are_named_and_their_name_after(
    directory: Path, steps: list[Step], name: str
) -> None:
    if name in SWAPS:
        SWAPS[name](directory)
    else:
        with delta_of(directory).open("ab") as delta:
            delta.write(b"SGEDIT\0\2 and no more")
        add_entry(directory, entry("new"))

    at = steps.index(("rename", "CURRENT"))
    before, after = steps[:at], steps[at + 1 :]
    folder = "first" if name == "first build" else "bank"
    written = {file for word, file in before if word == "write"}
    assert written >= {"CURRENT.next"}
    assert all(is_safe(before, file) for file in written)
    last_of_others = max(i for i, (_, f) in enumerate(before) if f not in {"CURRENT.next", folder})
    assert ("sync", folder) in before[last_of_others:]
    assert after[0] == ("sync", folder)
