"""Whoever edits a large bank is told what takes so long, before it does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamguard.adapters import bank_generation
from streamguard.adapters.bank_file import add_entries
from streamguard.adapters.bank_live import open_bank
from streamguard.cli import main
from streamguard.parts.exchange_bank import BankDirectory
from streamguard.verbs import compaction_notice
from tests.made_banks import entry, image


def removes(bank: Path) -> None:
    main(["bank", "remove", str(bank), "film"])


def imports(bank: Path) -> None:
    BankDirectory(bank).edit([], ["film"])
    BankDirectory(bank).settle()


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a bank of 4 hashes, which the next edit puts in order."""
    add_entries(tmp_path / "bank", [entry("film"), entry("other"), image("still")])
    monkeypatch.setattr(bank_generation, "MAX_EDITS", 1)
    return tmp_path / "bank"


@pytest.mark.parametrize("edits", [removes, imports])
@pytest.mark.parametrize(("from_hashes", "is_told"), [(4, True), (5, False)])
def test_a_large_bank_is_announced_before_it_is_put_in_order(
    *,
    edits: Callable[[Path], None],
    from_hashes: int,
    is_told: bool,
    bank: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(compaction_notice, "TOLD_FROM_HASHES", from_hashes)

    edits(bank)

    said = capsys.readouterr().err
    assert ("bank: the edit is in force; 4 hashes are being put in order" in said) is is_told
    assert said.count("\n") == is_told
    assert open_bank(bank).tail.n_entries == 0


def test_nothing_is_said_where_nothing_is_put_in_order(
    bank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compaction_notice, "TOLD_FROM_HASHES", 0)
    monkeypatch.setattr(bank_generation, "MAX_EDITS", 2)

    removes(bank)

    assert capsys.readouterr().err == ""
