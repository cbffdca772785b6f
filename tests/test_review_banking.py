"""Evidence that a person banked is found in streams, and what was wrong is taken out again."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from streamguard.adapters.bank_file import amend_entry, remove_entry, revision_of
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bank_lock import locked
from streamguard.adapters.evidence_maker import EvidenceMaker
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.bank_build import EntryPlan
from streamguard.cli import main
from streamguard.core.cases import entry_of_case
from streamguard.core.decision_data import BankOrder, DecisionData
from streamguard.core.events import flag_event
from streamguard.core.kept import Part, Subject
from streamguard.core.record import row_of
from streamguard.core.review_events import decision_event
from streamguard.parts.banking_meter import BankingMeter
from streamguard.parts.evidence_hash import entry_of
from streamguard.parts.review_banking import GROUP, LOCK_SUFFIX, Banker, step, turn
from streamguard.review.trail import Trail
from streamguard.vault.recording import Recordings
from streamguard.vault.vault import Vault
from tests.clock import FakeClock
from tests.core_fakes import SOURCE
from tests.made_reviews import CASE_ID, decision, flag, flag_id
from tests.media import Recipe, image, packets, video
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


def test_how_many_hashes_were_banked_is_on_record(bench: Bench) -> None:
    bench.banker.carry_out(banked())

    [record] = bench.trail.records()
    said = {one.name: one.value for one in record.details}
    assert said["n_hashes"] == str(open_bank(bench.bank).n_hashes)


def test_what_became_of_each_banking_is_counted(bench: Bench) -> None:
    meter = BankingMeter()
    banker = Banker(bench.vault, {"own": bench.bank}, bench.trail, meter.tried)

    banker.carry_out(banked())
    banker.carry_out(banked(flag_ids=[], supersedes="d-1", decision_id="d-2"))
    banker.carry_out(banked(banking=None, unbanking=ORDER.model_dump()))

    def count(act: str, outcome: str) -> float | None:
        labels = {"act": act, "outcome": outcome}
        return meter.registry.get_sample_value("streamguard_review_bankings_total", labels)

    acts, outcomes = ("bank.added", "bank.removed"), ("done", "failed")
    assert [count(act, one) for act in acts for one in outcomes] == [1.0, 1.0, 1.0, 0.0]


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


class Growing(Bench):
    """The same, of a clip that grows on after the decision; there is a still beside it."""

    def __init__(self, folder: Path, n_frames: int = 200) -> None:
        """n_frames: those that the clip has in the end; half of them at first."""
        super().__init__(folder, image("mjpeg"), role="still")
        self._codec, self._packets = packets(video("mpegts", Recipe(n_frames=n_frames)))
        self._half = len(self._packets) // 2

    @contextmanager
    def growing(self) -> Iterator[None]:
        """Let the clip begin; when this ends it is complete."""
        with closing(Recordings(self.vault)) as recordings:
            subject = Subject(flag_id(1), "lobby", "s-1")
            clip = EvidenceMaker(recordings, self.clock).clip(subject, self._codec)
            clip.add(self._packets[: self._half])
            yield
            clip.add(self._packets[self._half :])
            clip.close()

    def tell(self, *decisions: DecisionData) -> None:
        self.log.append([decision_event(SOURCE, one, recorded_s=1.0) for one in decisions])

    def tell_closed(self, number: int = 1) -> None:
        changes = {"state": "closed", "close_reason": "ended", "revision": 1}
        data = flag(number, **changes)
        self.log.append([flag_event(SOURCE, "closed", data, time_s=1.0, recorded_s=1.0)])

    def go_on(self, offset: int = 1, banker: Banker | None = None) -> int:
        return step(self.log, banker or self.banker, offset)

    def n_hashes(self) -> int:
        return open_bank(self.bank).n_hashes

    def told(self) -> list[tuple[str, bool]]:
        return [(one.action, one.is_refused) for one in self.trail.records()]


@pytest.fixture
def live(tmp_path: Path) -> Growing:
    return Growing(tmp_path)


def test_a_clip_that_grows_is_banked_as_far_as_it_has_come_and_once_more_when_it_is_whole(
    live: Growing,
) -> None:
    live.tell(banked())
    with live.growing():
        offset = live.go_on()
        at_once = live.n_hashes()
    live.tell_closed()
    live.go_on(offset)

    assert 1 < at_once < live.n_hashes()
    assert live.told() == [("bank.added", False)] * 2
    assert [one.action for one in live.vault.entries()].count("copy") == 2


def test_a_console_that_began_anew_banks_the_clip_when_it_is_whole(live: Growing) -> None:
    live.tell(banked())
    with live.growing():
        offset = live.go_on()
        at_once = live.n_hashes()
    live.tell_closed()
    live.go_on(offset, Banker(live.vault, {"own": live.bank}, live.trail))

    assert live.n_hashes() > at_once


@pytest.mark.parametrize("is_by_decision", [True, False])
def test_what_was_taken_out_before_its_clip_was_whole_stays_out(
    live: Growing, *, is_by_decision: bool
) -> None:
    live.tell(banked())
    with live.growing():
        offset = live.go_on()
        if not is_by_decision:
            remove_entry(live.bank, ENTRY)
    live.tell_closed()
    if is_by_decision:  # both are read at once, and the decision comes later
        over = {"banking": None, "unbanking": ORDER.model_dump(), "outcome": "rejected"}
        live.tell(banked(supersedes="d-1", decision_id="d-2", **over))
    live.go_on(offset)

    assert live.n_hashes() == 0
    assert live.told() == [("bank.added", False)] + [("bank.removed", False)] * is_by_decision


def test_what_was_taken_back_is_not_banked_once_more(live: Growing) -> None:
    live.tell(banked())
    with live.growing():
        offset = live.go_on()
        at_once = live.n_hashes()
    undone: dict[str, object] = {
        "outcome": "undone",
        "banking": None,
        "action": "none",
        "scopes": [],
    }
    live.tell(banked(supersedes="d-1", decision_id="d-2", **undone))
    live.tell_closed()
    live.go_on(offset)

    assert live.n_hashes() == at_once


def test_what_was_set_aside_before_its_clip_was_whole_stays_so(live: Growing) -> None:
    live.tell(banked())
    with live.growing():
        offset = live.go_on()
        at_once = live.n_hashes()
        amend_entry(live.bank, ENTRY, quarantined=True, reason="a test card")
    live.tell_closed()
    live.go_on(offset)

    found = open_bank(live.bank).entry_of(ENTRY)
    assert found is not None
    assert (found.quarantine, found.n_hashes > at_once) == ("a test card", True)


def test_a_flag_that_closes_without_a_banked_clip_changes_nothing(live: Growing) -> None:
    live.tell(banked(flag_ids=[flag_id(1), flag_id(2)]))
    offset = live.go_on()  # of the still: there is no clip
    live.tell_closed(1)
    live.tell_closed(2)
    live.tell_closed(3)

    live.go_on(offset)

    assert (live.n_hashes(), revision_of(live.bank)) == (1, 1)
    assert live.told() == [("bank.added", False)]


def test_what_could_not_be_banked_at_first_is_once_its_clip_is_whole(live: Growing) -> None:
    second = {"flag_ids": [flag_id(2)]}
    live.tell(banked(**second))
    offset = live.go_on()  # nothing is kept of it yet
    subject = Subject(flag_id(2), "lobby", "s-1")
    part = Part("clip", "video/mp2t", 0, 1, is_original=True, content=video("mpegts", Recipe()))
    live.vault.keep(subject, (part,))
    live.tell_closed(2)
    live.go_on(offset)

    assert live.told() == [("bank.added", True), ("bank.added", False)]
    assert live.n_hashes() > 1


def test_a_clip_of_which_nothing_can_be_matched_leaves_the_still(live: Growing) -> None:
    part = Part("clip", "video/mp4", 0, 1, is_original=True, content=b"no video")
    live.vault.keep(Subject(flag_id(1), "lobby", "s-1"), (part,))

    live.banker.carry_out(banked())

    assert (live.n_hashes(), live.told()) == (1, [("bank.added", False)])
