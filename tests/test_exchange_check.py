"""What `bank verify` finds in the records behind a bank, and between them and the bank."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from streamguard.adapters.bank_file import add_entry, amend_entry, remove_entry
from streamguard.adapters.bank_lock import locked
from streamguard.checks import exchange_check
from streamguard.checks.exchange_check import verify_records
from streamguard.cli import main
from streamguard.core.types import Limits
from streamguard.exchange.records_file import LOCK_FILE, RECORDS_FILE
from tests.exchange.made_records import frame, record
from tests.made_banks import entry, image

OTHER = "entry 'list:5' has other policy or kind, limits, hashes in the bank; remove and admit it"


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Give a bank of imported entries, with everything that a person may decide about them."""
    path, bank = tmp_path / "list.jsonl", tmp_path / "bank"
    records = [record(str(n), n, quality=7 if n == 4 else None) for n in range(1, 6)]
    records += [frame("clip", 40, 7, max_distance=20), frame("clip", 80, 8, opinion="seed")]
    path.write_text("".join(f"{one.to_json()}\n" for one in records))
    add_entry(bank, entry("built"))
    run("import", bank, path, "--format", "jsonl")
    run("remove", bank, "list:1")
    run("quarantine", bank, "list:2")
    run("configure", bank, "--entry", "list:3", "--max-distance", "9")
    return bank


def run(*arguments: str | Path) -> None:
    assert main(["bank", *map(str, arguments)]) == 0


def change(bank: Path, statement: str) -> None:
    connection = apsw.Connection(str(bank / RECORDS_FILE))
    connection.execute(statement).fetchall()
    connection.close()


def problems(bank: Path) -> tuple[str, ...]:
    return tuple(text.removeprefix(f"{RECORDS_FILE}: ") for text in verify_records(bank).problems)


def test_of_sound_records_nothing_is_said(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()

    run("verify", bank)

    assert capsys.readouterr().out == f"{bank}: ok\n"


def test_a_bank_without_records_has_none_to_check(tmp_path: Path) -> None:
    add_entry(tmp_path, entry("built"))

    assert verify_records(tmp_path) == exchange_check.Verified((), ())


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE records SET pdq = zeroblob(32) WHERE record_id = '2'",
            {"record list:2 is damaged", "entry 'list:2' is not what its records say"},
        ),
        (
            "UPDATE records SET policy = 'TVEC-X' WHERE record_id = '2'",
            {"record list:2 is damaged", "entry 'list:2' is not what its records say"},
        ),
        ("UPDATE records SET body = '{' WHERE record_id = '1'", {"record list:1 is damaged"}),
        (
            "UPDATE records SET body = replace(body, '\"2\"', '\"9\"') WHERE record_id = '2'",
            {"record list:2 is damaged"},
        ),
        (
            "UPDATE entries SET digest = zeroblob(16) WHERE name = 'list/clip'",
            {"entry 'list/clip' is not what its records say"},
        ),
        (
            "DELETE FROM entries WHERE name = 'list:5'",
            {"record list:5 is live and stands for no entry"},
        ),
        (
            "UPDATE records SET entry = NULL WHERE record_id = '5'",
            {"entry 'list:5' is not what its records say"},
        ),
        ("DELETE FROM limits", {"entry 'list:3' is not what its records say"}),
        ("DELETE FROM holds", {"record list:1 is live and stands for no entry"}),
    ],
)
def test_records_that_are_not_sound_are_named(
    statement: str, expected: set[str], bank: Path
) -> None:
    change(bank, statement)

    assert set(problems(bank)) == expected


@pytest.mark.parametrize(
    ("differs", "expected"),
    [
        (
            lambda bank: remove_entry(bank, "list:5"),
            "entry 'list:5' is missing in the bank; the next import or sync puts it in",
        ),
        (
            lambda bank: amend_entry(bank, "list/clip", limits=Limits(max_distance_bits=9)),
            "entry 'list/clip' has other limits in the bank; remove and admit it",
        ),
        (
            lambda bank: add_entry(bank, image("list:5"), replace=True),
            "entry 'list:5' has other hashes in the bank; remove and admit it",
        ),
        (
            lambda bank: add_entry(
                bank, replace(entry("list:5"), policy="TVEC-X", limits=Limits(9)), replace=True
            ),
            OTHER,
        ),
    ],
)
def test_entries_that_are_not_as_their_records_say_are_named(
    differs: Callable[[Path], object], expected: str, bank: Path
) -> None:
    differs(bank)

    assert problems(bank) == (expected,)


def test_the_remedy_that_is_named_is_one(bank: Path) -> None:
    add_entry(bank, image("list:5"), replace=True)

    run("remove", bank, "list:5")
    run("admit", bank, "list:5")

    assert problems(bank) == ()


def test_a_bank_that_is_gone_lacks_every_entry(bank: Path) -> None:
    change(bank, "UPDATE entries SET is_applied = 1 WHERE digest IS NOT NULL")
    for path in bank.iterdir():
        if path.name not in (RECORDS_FILE, LOCK_FILE):
            path.unlink()

    assert len(problems(bank)) == 4


def test_what_the_bank_has_not_followed_in_yet_is_no_damage(bank: Path) -> None:
    remove_entry(bank, "list:5")
    add_entry(bank, image("list:1"))
    change(bank, "UPDATE entries SET is_applied = 0")

    verified = verify_records(bank)

    assert verified.problems == ()
    assert verified.notes == (
        f"{RECORDS_FILE}: the bank follows in 2 entries at the next import or sync",
    )


def test_while_records_are_taken_in_the_bank_is_not_compared_with_them(bank: Path) -> None:
    remove_entry(bank, "list:5")

    with locked(bank, LOCK_FILE):
        verified = verify_records(bank)

    assert verified.problems == ()
    assert "an import or a sync is under way" in verified.notes[0]


@pytest.mark.parametrize("page", [0, 1, 4])
def test_a_damaged_file_is_told_and_is_exit_code_2(
    page: int, bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bank / RECORDS_FILE
    raw = bytearray(path.read_bytes())
    raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(raw)
    capsys.readouterr()

    code = main(["bank", "verify", str(bank)])

    out, err = capsys.readouterr()
    assert (code, err) == (2, "")
    assert RECORDS_FILE in out
    assert "ok" not in out


@pytest.mark.parametrize("n_named", [4, 5])
def test_of_many_problems_the_first_are_named(
    n_named: int, bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_check, "MAX_NAMED", n_named)
    change(bank, "UPDATE entries SET digest = zeroblob(16)")

    found = problems(bank)

    assert len(found) == 5
    assert (found[-1] == "and 1 more") is (n_named == 4)
