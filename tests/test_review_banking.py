"""Evidence that a person banked is found in streams, and what was wrong is taken out again."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamguard.adapters.bank_file import revision_of
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bank_lock import locked
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.bank_build import EntryPlan
from streamguard.cli import main
from streamguard.core.cases import entry_of_case
from streamguard.core.decision_data import BankOrder, DecisionData
from streamguard.core.kept import Part, Subject
from streamguard.core.record import row_of
from streamguard.core.review_events import decision_event
from streamguard.parts.evidence_hash import entry_of
from streamguard.parts.review_banking import GROUP, LOCK_SUFFIX, Banker, step, turn
from streamguard.review.trail import Trail
from streamguard.vault.vault import Vault
from tests.clock import FakeClock
from tests.core_fakes import SOURCE
from tests.made_reviews import CASE_ID, decision, flag_id
from tests.media import image
from tests.vault.made_vaults import made_vault

ENTRY = entry_of_case(CASE_ID)
ORDER = BankOrder(bank="own", entry=ENTRY)


class Bench:
    """A log, a bank and evidence of one flag."""

    def __init__(self, folder: Path, content: bytes, role: str = "clip") -> None:
        self.clock = FakeClock()
        self.log = SqliteLog(folder / "log.db")
        self.vault: Vault = made_vault(folder / "evidence", self.clock)
        kind = "video/mp4" if role == "clip" else "image/jpeg"
        part = Part(role, kind, 0, 1_000, is_original=True, content=content)
        self.vault.keep(Subject(flag_id(1), "lobby", "s-1"), (part,))
        self.bank = folder / "own"
        trail = Trail(self.log, SOURCE, self.clock.wall)
        self.trail = trail
        self.banker = Banker(self.vault, {"own": self.bank}, trail)

    def entries(self, capsys: pytest.CaptureFixture[str]) -> str:
        capsys.readouterr()
        main(["bank", "list", str(self.bank)])
        return capsys.readouterr().out


def banked(**changes: object) -> DecisionData:
    policy = {"code": "TVEC-TEST", "severity": "P0"}
    fields = {"flag_ids": [flag_id(1)], "banking": ORDER.model_dump(), "policy": policy}
    return decision(**(fields | changes))


@pytest.fixture
def bench(tmp_path: Path, real_clips: dict[str, Path]) -> Bench:
    return Bench(tmp_path, real_clips["bikes"].read_bytes())


def test_a_clip_becomes_an_entry_that_finds_it_and_its_copy_is_on_record(
    bench: Bench, real_clips: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bench.banker.carry_out(banked())
    bench.banker.carry_out(banked())

    capsys.readouterr()
    code = main(["bank", "query", str(bench.bank), str(real_clips["bikes"])])
    found = capsys.readouterr().out
    entry = bench.vault.entries()[-1]
    assert (code, ENTRY in found) == (0, True)
    assert (entry.action, entry.actor) == ("copy", "r-1")
    assert [(one.action, one.is_refused) for one in bench.trail.records()] == [
        ("bank.added", False)
    ] * 2


def test_keyframes_of_a_clip_are_in_the_bank_before_all_of_it(
    bench: Bench, real_clips: dict[str, Path]
) -> None:
    whole = EntryPlan(ENTRY, "TVEC-TEST")
    clip = real_clips["bikes"].read_bytes()

    bench.banker.carry_out(banked())

    n_hashes = open_bank(bench.bank).n_hashes
    assert revision_of(bench.bank) == 2
    assert n_hashes == len(entry_of(clip, whole).hashes)
    assert n_hashes > 4 * len(entry_of(clip, replace(whole, every_frame=False)).hashes)


def test_a_still_goes_into_the_bank_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, image("mjpeg"), role="still")

    bench.banker.carry_out(banked())

    assert revision_of(bench.bank) == 1


def test_what_was_overturned_is_taken_out_again(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.banker.carry_out(banked())
    before = bench.entries(capsys)
    bench.banker.carry_out(banked(banking=None, unbanking=ORDER.model_dump()))

    assert ENTRY in before
    assert ENTRY not in bench.entries(capsys)
    assert [one.action for one in bench.trail.records()] == ["bank.added", "bank.removed"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"banking": {"bank": "other", "entry": ENTRY}}, "no bank named"),
        ({"banking": {"bank": "own", "entry": "known-1"}}, "its own case"),
        ({"banking": None, "unbanking": {"bank": "own", "entry": "known-1"}}, "its own case"),
        ({"flag_ids": [flag_id(2)]}, "nothing is kept"),
        ({"flag_ids": []}, "nothing is kept"),
        ({"banking": None, "unbanking": ORDER.model_dump()}, "no bank"),
    ],
)
def test_what_cannot_be_done_is_on_record_and_holds_nothing_up(
    bench: Bench, changes: dict[str, object], why: str
) -> None:
    failing, fine = banked(**changes), banked(supersedes="d-1", decision_id="d-2")
    bench.log.append([decision_event(SOURCE, one, recorded_s=1.0) for one in (failing, fine)])

    offset = step(bench.log, bench.banker, 1)

    first, second = bench.trail.records()
    assert (first.is_refused, second.is_refused, offset) == (True, False, 3)
    assert why in {one.name: one.value for one in first.details}["why"]


def test_without_a_store_nothing_can_be_banked(bench: Bench) -> None:
    Banker(None, {"own": bench.bank}, bench.trail).carry_out(banked())

    assert [one.is_refused for one in bench.trail.records()] == [True]


def test_a_decision_that_says_nothing_of_banks_does_nothing_to_them(bench: Bench) -> None:
    bench.banker.carry_out(banked(banking=None))

    assert list(bench.trail.records()) == []
    assert not bench.bank.exists()


def test_what_breaks_is_on_record_and_holds_nothing_up(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.bank.write_text("no directory")  # an OSError of the file system, whatever was foreseen
    bench.banker.carry_out(banked())
    bench.bank.unlink()
    bench.banker.carry_out(banked(supersedes="d-1", decision_id="d-2"))

    assert [one.is_refused for one in bench.trail.records()] == [True, False]
    assert ENTRY in bench.entries(capsys)


def test_a_record_that_cannot_be_read_is_passed_over(bench: Bench) -> None:
    row = row_of(decision_event(SOURCE, banked(), recorded_s=1.0))
    bench.log.append([replace(row, body="{}")])

    assert step(bench.log, bench.banker, 1) == 2
    assert list(bench.trail.records()) == []


def test_of_several_consoles_one_carries_out_what_was_decided(bench: Bench, tmp_path: Path) -> None:
    bench.log.append([decision_event(SOURCE, banked(), recorded_s=1.0)])
    file = tmp_path / "desk.db"

    with SqliteLog(tmp_path / "log.db") as other:
        with locked(tmp_path, file.name + LOCK_SUFFIX, wait_s=0):
            while_another = turn(bench.log, bench.banker, file, bench.clock)
        before = list(bench.trail.records())
        noted = [turn(one, bench.banker, file, bench.clock) for one in (other, bench.log)]

    assert (while_another, before) == (False, [])
    assert noted == [True, False]
    assert [one.action for one in bench.trail.records()] == ["bank.added"]


def test_the_place_is_noted_where_nothing_came_so_that_the_log_remembers_us(
    bench: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "desk.db"

    noted = [turn(bench.log, bench.banker, file, bench.clock, is_due=due) for due in (False, True)]

    assert noted == [False, True]
    assert bench.log.position(GROUP) == 1
