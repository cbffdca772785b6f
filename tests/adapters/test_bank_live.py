import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamguard.adapters.bank_file import add_entries, add_entry, remove_entry
from streamguard.adapters.bank_generation import compact_bank
from streamguard.adapters.bank_live import LOOK_EVERY_S, RETRY_EVERY_S, LiveBank, open_bank
from streamguard.core.errors import BankError
from tests.made_banks import all_of, base_of, delta_of, entry


class Hands:
    """The hands of a clock."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give a bank of one entry in its base."""
    add_entry(tmp_path / "known", entry("a"))
    return tmp_path / "known"


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def live(directory: Path, hands: Hands) -> LiveBank:
    return LiveBank(directory, hands)


def seen(live: LiveBank, hands: Hands) -> list[str]:
    """Look after the time is up; give the names."""
    hands.now_s += RETRY_EVERY_S
    return sorted(live.current().names())


def test_an_edit_is_seen_at_the_next_look_and_not_before(
    live: LiveBank, hands: Hands, directory: Path
) -> None:
    before = live.current()
    add_entry(directory, entry("b"))

    hands.now_s += LOOK_EVERY_S - 0.001
    early = live.current()
    hands.now_s += 0.001
    late = live.current()

    assert early is before
    assert sorted(late.names()) == ["a", "b"]
    assert sorted(before.names()) == ["a"]


def test_the_snapshot_stays_the_same_while_nothing_is_edited(live: LiveBank, hands: Hands) -> None:
    first = live.current()
    hands.now_s += 1.0

    assert live.current() is first


def test_an_edit_of_another_process_is_seen(live: LiveBank, hands: Hands, directory: Path) -> None:
    program = f"""
from pathlib import Path
from streamguard.adapters.bank_file import add_entry, remove_entry
from tests.made_banks import entry
directory = Path({str(directory)!r})
add_entry(directory, entry("b"))
remove_entry(directory, "a")
"""
    subprocess.run([sys.executable, "-c", program], check=True)

    assert seen(live, hands) == ["b"]
    assert [m.entry for m in live.current().query(entry("b").hashes[0], "full")] == ["b"]
    assert live.current().query(entry("a").hashes[0], "full") == []


def test_an_edit_does_not_load_the_base_again(
    live: LiveBank, hands: Hands, directory: Path
) -> None:
    base = live.current().base

    add_entry(directory, entry("b"))
    first = seen(live, hands)
    remove_entry(directory, "a")

    assert (first, seen(live, hands)) == (["a", "b"], ["b"])
    assert live.current().base is base


def test_a_torn_edit_is_passed_over_until_the_next_one(
    live: LiveBank, hands: Hands, directory: Path
) -> None:
    base = live.current().base
    with delta_of(directory).open("ab") as delta:
        delta.write(b"SGEDIT\0\2 and no more")

    during = seen(live, hands)
    add_entry(directory, entry("b"))

    assert (during, seen(live, hands), live.problem) == (["a"], ["a", "b"], None)
    assert live.current().base is base  # only the delta is a new one


def test_an_edit_that_comes_in_parts_is_seen_when_it_is_whole(
    live: LiveBank, hands: Hands, directory: Path, tmp_path: Path
) -> None:
    shutil.copytree(directory, tmp_path / "copy")
    before = delta_of(directory).read_bytes()
    add_entry(tmp_path / "copy", entry("b"))
    edit = delta_of(tmp_path / "copy").read_bytes()[len(before) :]

    told = []
    for start in range(0, len(edit), 100):
        with delta_of(directory).open("ab") as delta:
            delta.write(edit[start : start + 100])
        told.append(seen(live, hands))

    assert told == [["a"]] * (len(told) - 1) + [["a", "b"]]


def test_a_compaction_is_followed(live: LiveBank, hands: Hands, directory: Path) -> None:
    add_entry(directory, entry("b"))
    compact_bank(directory)
    add_entry(directory, entry("c"))

    assert seen(live, hands) == ["a", "b", "c"]
    assert live.current().base.table.n_entries == 2


def test_a_bank_that_is_damaged_while_in_use_stays_as_it_was(
    live: LiveBank, hands: Hands, directory: Path
) -> None:
    add_entry(directory, entry("b"))
    held = seen(live, hands)
    whole = delta_of(directory).read_bytes()
    add_entry(directory, entry("c"))
    add_entry(directory, entry("d"))
    longer = delta_of(directory).read_bytes()
    damaged = bytearray(longer)
    damaged[len(whole) + 100] ^= 1
    delta_of(directory).write_bytes(damaged)

    after = [seen(live, hands) for _ in range(2)]
    problem = live.problem
    delta_of(directory).write_bytes(longer)

    assert after == [held, held]
    assert problem is not None
    assert "its edit 3 is damaged" in problem
    assert (seen(live, hands), live.problem) == (["a", "b", "c", "d"], None)


def test_after_a_failed_look_the_next_one_waits(
    live: LiveBank, hands: Hands, directory: Path
) -> None:
    current = directory / "CURRENT"
    text = current.read_bytes()
    current.write_bytes(b"streamguard")
    hands.now_s += LOOK_EVERY_S
    live.current()
    first = live.problem
    current.write_bytes(text)

    hands.now_s += RETRY_EVERY_S - 0.001
    live.current()
    early = live.problem
    hands.now_s += 0.001
    live.current()

    assert first is not None
    assert early == first
    assert live.problem is None


def test_a_bank_whose_directory_is_gone_stays_in_force(
    live: LiveBank, hands: Hands, directory: Path
) -> None:
    shutil.rmtree(directory)

    held = seen(live, hands)

    assert held == ["a"]
    assert live.problem is not None
    assert "holds no bank" in live.problem
    assert len(live.current().query(entry("a").hashes[0], "full")) == 1


def test_a_bank_that_was_made_anew_is_followed(
    live: LiveBank, hands: Hands, directory: Path
) -> None:
    """Its files have the same names and other contents."""
    shutil.rmtree(directory)
    add_entries(directory, [entry("x"), entry("y")])

    assert seen(live, hands) == ["x", "y"]


def test_a_missing_base_is_told(directory: Path) -> None:
    base_of(directory).unlink()

    with pytest.raises(BankError, match=r"base-1\.sgb cannot be read: No such file"):
        LiveBank(directory)


def test_a_delta_of_another_bank_is_refused(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    add_entry(other, entry("x"))
    add_entry(other, entry("y"))
    compact_bank(other)
    delta_of(directory).write_bytes(delta_of(other).read_bytes())

    with pytest.raises(BankError, match="it belongs to another base"):
        open_bank(directory)


def test_the_edits_of_another_bank_are_none_of_this(directory: Path, tmp_path: Path) -> None:
    """The seeds of their checksums differ."""
    other = tmp_path / "other"
    add_entry(other, entry("x"))
    add_entry(other, entry("y"))
    with delta_of(directory).open("ab") as delta:
        delta.write(delta_of(other).read_bytes()[32:])

    assert sorted(all_of(open_bank(directory))) == ["a"]
