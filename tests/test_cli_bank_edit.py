import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from streamguard.adapters.bank_check import stat_bank
from streamguard.adapters.bank_file import add_entries, add_entry
from streamguard.adapters.bank_live import open_bank
from streamguard.cli import main
from streamguard.core.bank_values import BankSettings
from streamguard.core.types import Limits
from streamguard.core.variants import DEFAULT_RECIPES
from tests.made_banks import entry, image, names

DEFAULTS = ",".join(DEFAULT_RECIPES)


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Give a bank of a video and an image."""
    add_entries(tmp_path / "bank", [entry("film"), image("still")])
    return tmp_path / "bank"


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    """Run a bank verb that must succeed; give what it prints as JSON Lines."""
    assert main(["bank", *map(str, arguments), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a bank verb that must be refused; give its one line."""
    assert main(["bank", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    return err


def test_list_names_every_entry_and_only_what_is_special_about_it(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, "configure", bank, "--entry", "film", "--max-distance", "20", "--shadow")
    told(capsys, "quarantine", bank, "still", "--reason", "a logo")

    rows = told(capsys, "list", bank)

    film = {"entry": "film", "policy": "TVEC-TEST", "kind": "video", "hashes": 3}
    still = {"entry": "still", "policy": "TVEC-TEST", "kind": "image", "hashes": 1}
    assert rows == [
        {**film, "duration_ms": 120, "max_distance_bits": 20, "is_shadow": True},
        {**still, "duration_ms": 0, "quarantine": "a logo"},
    ]


def test_list_is_readable_without_json(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bank", "list", str(bank)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "entry=still  policy=TVEC-TEST  kind=image  hashes=1  duration_ms=0"


def test_configure_changes_what_is_named_and_leaves_the_rest(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, "configure", bank, "--negative", "--max-distance", "9", "--variants", "mirror")

    (shown,) = told(capsys, "configure", bank, "--min-votes", "2", "--min-quality", "60")

    limits = Limits(max_distance_bits=9, min_votes=2, min_quality=60)
    assert open_bank(bank).settings == BankSettings("negative", limits, ("mirror",))
    assert shown == {
        "role": "negative",
        "max_distance_bits": 9,
        "min_votes": 2,
        "min_quality": 60,
        "is_shadow": False,
        "variants": ["mirror"],
    }


def test_configure_takes_back_what_it_set(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "configure", bank, "--negative", "--shadow", "--variants", "none")

    told(capsys, "configure", bank, "--known", "--no-shadow", "--variants", DEFAULTS)

    assert open_bank(bank).settings == BankSettings()


def test_configure_without_changes_shows_and_commits_nothing(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = open_bank(bank).revision

    told(capsys, "configure", bank)
    told(capsys, "configure", bank, "--entry", "film")

    assert open_bank(bank).revision == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--max-distance", "32"), "0 to 31"),
        (("--max-distance", "-1"), "0 to 31"),
        (("--min-votes", "0"), "1 to 1000"),
        (("--min-quality", "49"), "50 to 100"),
        (("--min-quality", "101"), "50 to 100"),
        (("--negative", "--known"), "not allowed with"),
    ],
)
def test_configure_refuses_values_out_of_bounds(
    bank: Path, arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bank", "configure", str(bank), *arguments])

    assert left.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--entry", "none"), "no entry named 'none'"),
        (("--entry", "film", "--negative"), "leave out --entry"),
        (("--entry", "film", "--variants", "mirror"), "leave out --entry"),
        (("--variants", "sepia"), "'sepia' is no variant"),
    ],
)
def test_configure_refuses_what_it_cannot_do(
    bank: Path, arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(capsys, "configure", bank, *arguments)


def test_a_released_entry_matches_again(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pdq = entry("film").hashes[0]

    (aside,) = told(capsys, "quarantine", bank, "film")
    found_aside = open_bank(bank).query(pdq, "full")
    (released,) = told(capsys, "release", bank, "film")

    assert (aside["quarantine"], found_aside) == ("a person", [])
    assert "quarantine" not in released
    assert [match.entry for match in open_bank(bank).query(pdq, "full")] == ["film"]


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 201])
def test_a_reason_that_is_none_is_refused(
    bank: Path, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "a reason is one line" in refused(capsys, "quarantine", bank, "film", "--reason", reason)


@pytest.mark.parametrize("verb", ["remove", "quarantine", "release"])
def test_an_entry_that_is_not_there_is_refused(
    bank: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no entry named 'none'" in refused(capsys, verb, bank, "none")


def test_remove_takes_an_entry_out(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shown,) = told(capsys, "remove", bank, "film")

    assert (names(bank), shown["entries"], shown["dead_entries"]) == (["still"], 1, 1)


def test_compact_leaves_nothing_in_the_tail(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_entry(bank, entry("late"))
    before = stat_bank(bank)

    (shown,) = told(capsys, "compact", bank)

    assert (before["tail_hashes"], shown["tail_hashes"], shown["base_hashes"]) == (3, 0, 7)
    assert (shown["revision"], shown["generation"]) == (before["revision"], 2)


def test_verify_says_that_a_whole_bank_is_ok(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bank", "verify", str(bank)]) == 0

    assert capsys.readouterr().out == f"{bank}: ok\n"


def test_build_applies_the_recipes_of_the_bank(
    bank: Path, real_clips: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    clip = str(real_clips["carphone_pristine"])
    told(capsys, "configure", bank, "--variants", "none")

    building = "build", bank, clip, "--policy", "TVEC-TEST", "--entry"

    told(capsys, *building, "plain")
    told(capsys, *building, "both", "--variants", "mirror")

    held = {name: facts.n_hashes for name, facts, _ in open_bank(bank).entries()}
    assert 1.5 * held["plain"] < held["both"] < 2.5 * held["plain"]


def test_of_changes_at_the_same_time_each_one_counts(tmp_path: Path) -> None:
    changes = (
        ("--negative",),
        ("--max-distance", "9"),
        ("--min-votes", "3"),
        ("--min-quality", "60"),
        ("--shadow",),
        ("--variants", "mirror"),
    )
    expected = BankSettings("negative", Limits(9, 3, 60, is_shadow=True), ("mirror",))
    for number in range(5):
        bank = tmp_path / str(number)
        with ThreadPoolExecutor(len(changes)) as pool:
            commands = [["bank", "configure", str(bank), *change] for change in changes]
            codes = list(pool.map(main, commands))

        assert codes == [0] * len(changes)
        assert open_bank(bank).settings == expected


def test_of_changes_to_one_entry_at_the_same_time_each_one_counts(bank: Path) -> None:
    changes = (("--max-distance", "9"), ("--min-votes", "3"), ("--min-quality", "60"))
    with ThreadPoolExecutor(len(changes)) as pool:
        commands = [["bank", "configure", str(bank), "--entry", "film", *one] for one in changes]
        list(pool.map(main, commands))

    facts = open_bank(bank).entry_of("film")
    assert facts is not None
    assert facts.limits == Limits(9, 3, 60)


def test_what_cannot_be_configured_makes_no_bank(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, "configure", tmp_path / "new", "--variants", "sepia")

    assert not (tmp_path / "new").exists()
