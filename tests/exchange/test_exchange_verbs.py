"""`bank import` and `bank export` as people and scripts call them."""

import json
from pathlib import Path
from typing import Any

import pytest

from streamguard.adapters.bank_file import add_entries
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bank_lock import locked
from streamguard.cli import main
from streamguard.core.types import Limits
from tests.exchange.made_records import POLICY, frame, gone, pdq, record
from tests.made_banks import all_of, entry


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    return tmp_path / "bank"


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def imported(bank: Path, path: Path, *more: str, code: int = 0) -> None:
    """Import a file of JSON Lines."""
    arguments = ["bank", "import", str(bank), str(path), "--format", "jsonl", "--json", *more]
    assert main(arguments) == code


def names(bank: Path) -> set[str]:
    return set(open_bank(bank).names())


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return values


def test_a_list_goes_in_and_comes_out_the_same(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [record("1", 1, tags=["a"]).to_json(), frame("clip", 40, 2, quality=70).to_json()]
    path = written(tmp_path / "list.jsonl", *lines)

    imported(bank, path)
    account = told(capsys)
    main(["bank", "export", str(bank), "--format", "jsonl"])

    assert (account["added"], account["entries_changed"], account["dry_run"]) == (2, 2, False)
    assert capsys.readouterr().out.splitlines() == sorted(lines)
    assert names(bank) == {"list:1", "list/clip"}


def test_a_dry_run_tells_all_and_writes_nothing(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(tmp_path / "1", *(record(str(n), n).to_json() for n in range(20)))
    imported(bank, before)
    files = {file.name: file.read_bytes() for file in bank.iterdir()}
    after = written(
        tmp_path / "2",
        record("1", 1).to_json(),
        record("2", 30).to_json(),
        record("new", 31).to_json(),
        record("bad", 32, quality=3).to_json(),
        record("md5", hash_type="md5", hash="0" * 32).to_json(),
    )
    capsys.readouterr()

    imported(bank, after, "--snapshot", "--dry-run")
    account = told(capsys)

    assert {file.name: file.read_bytes() for file in bank.iterdir()} == files
    assert account["dry_run"]
    assert (account["added"], account["changed"], account["removed"]) == (1, 1, 18)
    assert (account["quarantined"], account["unchanged"]) == (1, 1)
    assert (account["passed_over"], account["faults"]) == ({"md5": 1}, {"low_quality": 1})
    assert account["shrinks"] == {"list": "18 of its 20 records would vanish"}
    assert {"step": "quarantined", "record": "list:bad", "reason": "low_quality"} in account["diff"]
    assert {"step": "removed", "record": "list:19"} in account["diff"]


def test_a_dry_run_where_there_is_no_bank_makes_none(bank: Path, tmp_path: Path) -> None:
    imported(bank, written(tmp_path / "list", record().to_json()), "--dry-run")

    assert not bank.exists()


def test_people_read_a_diff_and_a_table(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "list.csv", "record_id,hash,quality", f"1,{pdq(1)},", f"2,{pdq(2)},7")
    arguments = ["bank", "import", str(bank), str(path), "--format", "csv", "--policy", POLICY]

    main([*arguments, "--dry-run"])
    rehearsed = capsys.readouterr()
    main(arguments)

    assert rehearsed.out.splitlines() == [
        "+ list:1",
        "! list:2  low_quality",
        "added         1",
        "changed       0",
        "removed       0",
        "quarantined   1 (low_quality 1)",
    ]
    assert rehearsed.err == "nothing was written\n"
    assert capsys.readouterr().out.splitlines()[-1] == "entries       1 changed in the bank"


def test_a_snapshot_that_takes_away_too_much_is_refused_unless_allowed(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(bank, written(tmp_path / "1", *(record(str(n), n).to_json() for n in range(20))))
    small = written(tmp_path / "2", record("1", 1).to_json())

    imported(bank, small, "--snapshot", code=2)
    problem = capsys.readouterr().err
    n_after_refusal = len(names(bank))
    imported(bank, small, "--snapshot", "--allow-shrink")

    assert "list: 19 of its 20 records would vanish" in problem
    assert problem.count("\n") == 1
    assert (n_after_refusal, names(bank)) == (20, {"list:1"})


def test_records_are_safe_where_the_bank_cannot_follow_and_it_follows_later(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path / "1", record("1", 1).to_json())
    second = written(tmp_path / "2", record("2", 2).to_json())
    imported(bank, first)
    capsys.readouterr()

    with locked(bank):
        imported(bank, second, code=2)
    problem = capsys.readouterr().err
    imported(bank, first)

    assert "the records are safe, the bank follows them at the next import" in problem
    assert names(bank) == {"list:1", "list:2"}


def test_what_was_removed_by_hand_does_not_come_back(bank: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "list", record("1", 1).to_json(), record("2", 2).to_json())
    imported(bank, path)

    assert main(["bank", "remove", str(bank), "list:1"]) == 0
    imported(bank, path, "--snapshot")

    assert names(bank) == {"list:2"}


def test_what_is_kept_out_is_listed_and_can_be_let_in(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (record("1", 1).to_json(), record("2", 2, quality=7).to_json())
    imported(bank, written(tmp_path / "list", *lines))
    main(["bank", "remove", str(bank), "list:1"])
    capsys.readouterr()

    main(["bank", "aside", str(bank), "--json"])
    aside = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names_before = names(bank)
    codes = [main(["bank", "admit", str(bank), row["name"]]) for row in aside]
    said = capsys.readouterr().out
    main(["bank", "aside", str(bank)])

    assert aside == [
        {"name": "list:2", "reason": "low_quality", "policy": POLICY},
        {"name": "list:1", "reason": "removed by a person", "policy": None},
    ]
    assert (names_before, names(bank)) == (set(), {"list:1", "list:2"})
    assert (codes, capsys.readouterr().out) == ([0, 0], "")
    assert said == "list:2: let in\nlist:1: let in\n"


def test_an_entry_that_was_quarantined_stays_so_when_its_records_change(
    bank: Path, tmp_path: Path
) -> None:
    imported(bank, written(tmp_path / "list", frame("clip", 0, 1).to_json()))
    main(["bank", "quarantine", str(bank), "list/clip", "--reason", "an intro"])

    imported(bank, written(tmp_path / "list", frame("clip", 40, 2).to_json()))

    facts = open_bank(bank).entry_of("list/clip")
    assert facts
    assert (facts.n_hashes, facts.quarantine) == (2, "an intro")


def test_a_built_entry_is_left_alone_and_given_out(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_entries(bank, [entry("attack.mp4")])
    imported(bank, written(tmp_path / "list", record("1", 1).to_json()))
    imported(bank, written(tmp_path / "list", gone("1").to_json()))
    capsys.readouterr()

    main(["bank", "export", str(bank), "--format", "jsonl", "--entry", "attack.mp4"])

    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert names(bank) == {"attack.mp4"}
    assert [row["t_offset_ms"] for row in rows if "t_offset_ms" in row] == [0, 40, 80]
    assert {row["video_id"] for row in rows} == {"attack.mp4"}
    assert {row["source"] for row in rows} == {"bank"}
    built = entry("attack.mp4")
    assert [row["hash"] for row in rows] == [bytes(one).hex() for one in built.hashes]
    assert [row.get("variant", 0) for row in rows] == built.variants.tolist()


def test_what_one_bank_gives_out_another_takes_in(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_entries(bank, [entry("attack.mp4", 40)])
    main(["bank", "export", str(bank), "--format", "csv"])
    path = written(tmp_path / "list.csv", *capsys.readouterr().out.splitlines())

    assert main(["bank", "import", str(tmp_path / "b"), str(path), "--format", "csv"]) == 0

    ours, theirs = all_of(open_bank(bank)), all_of(open_bank(tmp_path / "b"))
    assert theirs["bank/attack.mp4"][1:] == ours["attack.mp4"][1:]


@pytest.mark.parametrize("name", ["plain", "te"])
def test_other_formats_come_out_too(
    name: str, bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(bank, written(tmp_path / "list", record("1", 1).to_json()))
    capsys.readouterr()

    main(["bank", "export", str(bank), "--format", name])

    assert capsys.readouterr().out.startswith(pdq(1))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "BANK", "--format", "vpdq"], "a vPDQ file holds one video"),
        (["export", "BANK", "--format", "csv", "--entry", "x"], "has no entry named 'x'"),
        (["export", "NONE", "--format", "csv"], "holds no bank"),
        (["import", "BANK", "FILE", "--format", "plain", "--snapshot"], "say whose it is with"),
        (["aside", "NONE"], "has no imported records"),
        (["admit", "NONE", "list:1"], "has no imported records"),
        (["admit", "BANK", "list:1"], "no record list:1 is set aside"),
        (["import", "BANK", "FILE", "--format", "jsonl", "--source", "a:b"], "--source is 1 to 32"),
        (["import", "BANK", "FILE", "--format", "jsonl", "--policy", "x"], "UPPER-KEBAB"),
        (["import", "BANK", "NONE", "--format", "jsonl"], "cannot be read: No such file"),
        (["import", "BANK", "FILE", "--format", "plain"], "a hash is hex digits alone"),
        (["import", "BANK", "FILE", "--format", "jsonl", "--negative", "NONE"], "holds no bank"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    arguments: list[str], said: str, bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "list", record("1", 1).to_json())
    imported(bank, path)
    capsys.readouterr()
    places = {"BANK": str(bank), "FILE": str(path), "NONE": str(tmp_path / "none")}

    code = main(["bank", *(places.get(word, word) for word in arguments)])

    problem = capsys.readouterr().err
    assert code == 2
    assert said in problem
    assert problem.count("\n") == 1
    assert pdq(1)[:16] not in problem


def test_limits_set_by_hand_outlast_the_next_import(bank: Path, tmp_path: Path) -> None:
    imported(bank, written(tmp_path / "1", record("1", 1).to_json()))
    main(["bank", "configure", str(bank), "--entry", "list:1", "--max-distance", "9"])
    at_once = open_bank(bank).entry_of("list:1")

    imported(bank, written(tmp_path / "2", record("1", 2).to_json()))

    changed = open_bank(bank).entry_of("list:1")
    assert at_once
    assert changed
    assert at_once.limits == changed.limits == Limits(max_distance_bits=9)
