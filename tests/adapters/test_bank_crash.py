"""A writer that is killed, as by a power cut, at any of its durable steps."""

import ast
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, groupby
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import streamguard
from streamguard.adapters.bank_check import verify_bank
from streamguard.adapters.bank_dir import has_bank
from streamguard.adapters.bank_file import add_entries, add_entry, amend_entry, remove_entry
from streamguard.adapters.bank_live import LiveBank, open_bank
from streamguard.core.bank import Bank
from tests.adapters.dying_writer import Point, exit_code_of
from tests.made_banks import Told, all_of, delta_of, entry, names

pytestmark = pytest.mark.integration

SOURCE = Path(streamguard.__file__).parent


@dataclass(frozen=True)
class Scenario:
    """One command over a bank; `bank` stands for its directory, `picture` for an image."""

    command: str
    is_torn: bool = False
    is_first: bool = False

    def arguments(self, folder: Path) -> list[str]:
        places = {"bank": str(folder / "bank"), "picture": str(folder / "picture.png")}
        verb, *rest = self.command.split()
        words = [verb, *(places.get(word, word) for word in rest)]
        return words if verb == "large" else ["bank", *words]


SCENARIOS = {
    "append": Scenario("build bank picture --policy TVEC-TEST --entry new"),
    "large append and its compaction": Scenario("large bank"),
    "removal": Scenario("remove bank b"),
    "amendment": Scenario("quarantine bank a"),
    "settings": Scenario("configure bank --negative"),
    "compaction": Scenario("compact bank"),
    "removal after a torn append": Scenario("remove bank b", is_torn=True),
    "compaction after a torn append": Scenario("compact bank", is_torn=True),
    "first build": Scenario("build bank picture --policy TVEC-TEST", is_first=True),
}


def make(scenario: Scenario, folder: Path) -> Path:
    """Make the bank of a scenario, and a picture to add to it."""
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (9, 16), np.uint8).repeat(20, 0).repeat(20, 1)
    Image.fromarray(pixels).save(folder / "picture.png")
    bank = folder / "bank"
    if not scenario.is_first:
        add_entries(bank, [entry("a"), entry("b")])
        add_entry(bank, entry("late"))
        remove_entry(bank, "a")
        add_entry(bank, entry("a", seed=2))
        amend_entry(bank, "late", quarantined=True)
    if scenario.is_torn:
        whole, noted = delta_of(bank).read_bytes(), (bank / "lock").read_bytes()
        add_entry(bank, entry("lost"))
        delta_of(bank).write_bytes(delta_of(bank).read_bytes()[: len(whole) + 200])
        (bank / "lock").write_bytes(noted)
    return bank


def passed(scenario: Scenario, folder: Path) -> list[Point]:
    """Run a scenario to its end; give the points that it passed, of many in a row the outer ones.

    A base is written in twenty parts: being killed after the first or the last of them will do.
    """
    noted = folder / "passed"
    assert exit_code_of(scenario.arguments(folder), passed_to=noted) == 0
    names = noted.read_text().splitlines()
    numbered = [(name, names[: place + 1].count(name)) for place, name in enumerate(names)]
    runs = [list(run) for _, run in groupby(numbered, key=lambda point: point[0])]
    return [point for run in runs for point in dict.fromkeys((run[0], run[-1]))]


@dataclass(frozen=True)
class State:
    """What a reader can tell of a bank."""

    entries: Told
    role: str


def state_of(bank: Bank) -> State:
    return State(all_of(bank), bank.settings.role)


def state_in(directory: Path) -> State | None:
    return state_of(open_bank(directory)) if has_bank(directory) else None


@dataclass
class Reading:
    """What a reader saw meanwhile: each bank that differed from the one before."""

    seen: list[Bank] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@contextmanager
def reading(directory: Path) -> Iterator[Reading]:
    """Read a bank all the while, as fast as it can be."""
    told, stop, has_begun = Reading(), threading.Event(), threading.Event()
    ticks = count(1.0, 2.0)
    live = LiveBank(directory, lambda: next(ticks))

    def read() -> None:
        while not stop.is_set():
            bank = live.current()
            if not told.seen or bank is not told.seen[-1]:
                told.seen.append(bank)
            if live.problem:
                told.problems.append(live.problem)
            has_begun.set()

    thread = threading.Thread(target=read)
    thread.start()
    has_begun.wait()
    try:
        yield told
    finally:
        stop.set()
        thread.join()


def assert_whole(told: Reading, allowed: Sequence[State]) -> None:
    """No half state was seen, and none that had been before another one."""
    revisions = [bank.revision for bank in told.seen]
    assert told.problems == []
    assert revisions == sorted(revisions)
    assert all(state_of(bank) in allowed for bank in told.seen)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_killed_writer_leaves_the_bank_as_it_was_or_as_it_was_to_be(
    name: str, tmp_path: Path
) -> None:
    scenario = SCENARIOS[name]
    made = tmp_path / "made"
    made.mkdir()
    before = state_in(make(scenario, made))
    whole = tmp_path / "whole"
    shutil.copytree(made, whole)
    points = passed(scenario, whole)
    after = state_in(whole / "bank")
    assert after is not None

    for number, point in enumerate(points):
        folder = tmp_path / str(number)
        shutil.copytree(made, folder)
        bank = folder / "bank"

        if before is None:
            code = exit_code_of(scenario.arguments(folder), dies_at=point)
        else:
            with reading(bank) as told:
                code = exit_code_of(scenario.arguments(folder), dies_at=point)
            assert_whole(told, [before, after])

        assert code == -signal.SIGKILL, point
        assert state_in(bank) in (before, after), point
        if has_bank(bank):
            assert verify_bank(bank).problems == (), point
        add_entry(bank, entry("next"))
        assert "next" in names(bank)
        assert verify_bank(bank).problems == (), point
        shutil.rmtree(folder)


def test_every_failpoint_of_the_source_is_passed_by_a_scenario(tmp_path: Path) -> None:
    reached: set[str] = set()
    for number, scenario in enumerate(SCENARIOS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(scenario, folder)
        reached |= {name for name, _ in passed(scenario, folder)}

    assert reached == failpoints_in(SOURCE)


def failpoints_in(folder: Path) -> set[str]:
    """Read the names of all failpoints off the source."""
    return {
        ast.literal_eval(call.args[0])
        for path in folder.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if call.func.id == "reach"
        if path.name.startswith("bank_")
    }


def test_nothing_in_the_package_arms_a_failpoint() -> None:
    lines = [line for path in SOURCE.rglob("*.py") for line in path.read_text().splitlines()]

    assert {line for line in lines if "failpoint" in line and "import" in line} == {
        "from streamguard.adapters.failpoint import reach"
    }
