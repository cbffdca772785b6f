from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streamguard.adapters import bank_live, bank_reader
from streamguard.adapters.bank_file import add_entry, remove_entry
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.errors import BankError
from streamguard.live_banks import LiveBanks
from tests.made_banks import base_of, entry
from tests.processes import until


@pytest.fixture
def directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Give two banks of an entry each, that are looked at whenever they are asked for."""
    monkeypatch.setattr(bank_live, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(bank_live, "RETRY_EVERY_S", 0.0)
    for name in ("one", "two"):
        add_entry(tmp_path / name, entry(name))
    return [tmp_path / "one", tmp_path / "two"]


def test_banks_are_given_in_their_order_and_follow_their_files(directories: list[Path]) -> None:
    banks = LiveBanks(directories)
    before = banks()

    add_entry(directories[1], entry("new"))

    assert before.names == banks().names == ("one", "two")
    assert (before.revision, banks().revision) == ((1, 1), (1, 2))
    assert [m.bank for m in banks().query(entry("new").hashes[0], "full")] == ["two"]


def test_the_same_banks_are_given_while_nothing_is_edited(directories: list[Path]) -> None:
    banks = LiveBanks(directories)

    assert banks() is banks()


def test_a_bank_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="holds no bank"):
        LiveBanks([tmp_path])


@pytest.mark.parametrize("second", ["two", "b/one", "one", "b/../one"])
def test_two_banks_of_one_name_are_refused(
    second: str, directories: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    if second == "b/one":
        add_entry(tmp_path / second, entry("x"))
    given = [directories[0], tmp_path / second]

    if second == "two":
        assert LiveBanks(given)().names == ("one", "two")
    else:
        with pytest.raises(BankError) as caught:
            LiveBanks(given)
        assert str(caught.value) == (
            f"{given[0]} and {given[1]} are both banks named 'one': rename one directory, or name"
            " it once"
        )


def test_no_banks_are_no_problem() -> None:
    banks = LiveBanks([])

    assert (banks().banks, banks.problem()) == ((), None)


def test_a_bank_that_cannot_be_read_any_more_is_told_once_and_stays(
    directories: list[Path],
) -> None:
    banks = LiveBanks(directories)
    current = directories[0] / "CURRENT"
    text = current.read_bytes()

    with capture_logs() as lines:
        current.write_bytes(b"nonsense")
        held = [banks() for _ in range(3)]
        during = banks.problem()
        current.write_bytes(text)
        after = banks.problem()

    assert all(len(each.query(entry("one").hashes[0], "full")) == 1 for each in held)
    assert during == "1 of the banks are damaged or cannot be read"
    assert after is None
    assert [(line["event"], line["log_level"], line["bank"]) for line in lines] == [
        ("bank_unreadable", "error", "one"),
        ("bank_readable", "info", "one"),
    ]
    assert "CURRENT is unusable" in lines[0]["problem"]


def test_metrics_show_what_the_banks_hold_now(directories: list[Path]) -> None:
    banks, meter = LiveBanks(directories), PrometheusMeter()

    with banks.watched(meter):
        before = values(meter)
        add_entry(directories[0], entry("new", 5))
        remove_entry(directories[1], "two")
        after = values(meter)

    assert before == {"bank_hashes": 6.0, "bank_entries": 2.0, "bank_damaged": 0.0}
    assert after == {"bank_hashes": 8.0, "bank_entries": 2.0, "bank_damaged": 0.0}


def values(meter: PrometheusMeter) -> dict[str, float | None]:
    names = ("bank_hashes", "bank_entries", "bank_damaged")
    return {name: meter.registry.get_sample_value(f"streamguard_{name}") for name in names}


def test_damage_that_is_found_beside_is_logged_and_told(
    directories: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_reader, "CHECKED_AT_ONCE_BYTES", 0)
    base = base_of(directories[1])
    damaged = bytearray(base.read_bytes())
    damaged[-65] ^= 1
    base.write_bytes(damaged)
    banks, meter = LiveBanks(directories), PrometheusMeter()

    with capture_logs() as lines, banks.watched(meter):
        until(lambda: banks.problem() is not None)
        damage = values(meter)["bank_damaged"]

    assert damage == 1.0
    assert [(line["event"], line["log_level"], line["bank"]) for line in lines] == [
        ("bank_damaged", "error", "two")
    ]
