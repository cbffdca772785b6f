from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.custody import Entry, instant
from streamguard.core.errors import ConfigError, EvidenceUnavailable
from streamguard.core.retention import DAY_S, Retention
from streamguard.sections.evidence_section import EvidenceSection
from streamguard.upkeep.evidence_purge import purging
from streamguard.vault.checking import Checked, check
from streamguard.vault.export import Order, export
from streamguard.vault.folder import Folder
from streamguard.vault.purge import Purger, Round, erase, plan_purge
from streamguard.vault.vault import Vault
from tests.clock import EPOCH_S, FakeClock
from tests.processes import until
from tests.vault.made_vaults import evidence_id, filled_vault, made_vault, part, problems, subject

RULES = Retention()
ONE, OTHER = evidence_id(1), evidence_id(2)
MONTH_S = 30 * DAY_S


def due(vault: Vault) -> list[str]:
    return [each.standing.evidence_id for each in plan_purge(vault, RULES).due]


def purge(vault: Vault) -> list[str]:
    plan = plan_purge(vault, RULES)
    return [each.standing.evidence_id for each, _ in erase(vault, RULES, plan, plan.id, "anna")]


def classified(vault: Vault, of: str, as_class: str) -> None:
    vault.note(of, "classify", {"class": as_class}, actor="anna", purpose="case 7")


def held(vault: Vault, of: str, ref: str, until: str = "") -> None:
    detail = {"ref": ref, "authority": "court", "until": until}
    vault.note(of, "hold", detail, actor="anna", purpose="order")


def test_what_nobody_decided_on_is_due_after_a_month(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)

    clock.advance(MONTH_S - 1)
    assert due(vault) == []
    clock.advance(1)
    assert due(vault) == [ONE, OTHER]


def test_a_decision_says_from_when_on_and_how_long(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    clock.advance(10 * DAY_S)
    classified(vault, ONE, "rejected")
    classified(vault, OTHER, "confirmed")

    clock.advance(7 * DAY_S - 1)
    assert due(vault) == []
    clock.advance(1)
    assert due(vault) == [ONE]
    clock.advance(183 * DAY_S - 1)
    assert due(vault) == [ONE]
    clock.advance(1)
    assert due(vault) == [ONE, OTHER]


def test_a_hold_keeps_an_evidence_until_it_is_released_or_over(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    held(vault, ONE, "A-1")
    held(vault, ONE, "A-2")
    held(vault, OTHER, "B-1", instant(EPOCH_S + 2 * MONTH_S))
    clock.advance(2 * MONTH_S - 1)
    assert due(vault) == []

    clock.advance(1)
    assert due(vault) == [OTHER]
    vault.note(ONE, "release", {"ref": "A-1"}, actor="anna", purpose="")
    assert due(vault) == [OTHER]
    vault.note(ONE, "release", {"ref": "A-2"}, actor="anna", purpose="")
    assert due(vault) == [ONE, OTHER]


def test_a_plan_erases_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    clock.advance(MONTH_S)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    plan = plan_purge(vault, RULES)

    assert len(plan.due[0].sha256) == 3
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_plan_reads_the_custody_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    clock.advance(MONTH_S)
    reads: list[int] = []
    really_read = Vault.entries

    def counting(vault: Vault) -> list[Entry]:
        found = really_read(vault)
        reads.append(len(found))
        return found

    monkeypatch.setattr(Vault, "entries", counting)

    assert due(vault) == [ONE, OTHER]
    assert len(reads) == 1


def test_what_is_erased_is_gone_and_proved_by_the_hashes_of_what_it_was(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    held(vault, OTHER, "B-1")
    clock.advance(MONTH_S)
    plan, known = plan_purge(vault, RULES), vault.manifest_of(vault.standing(ONE))

    [(erased, proof)] = erase(vault, RULES, plan, plan.id, "anna")

    assert erased.sha256 == proof.detail["sha256"] == tuple(item.sha256 for item in known.items)
    assert (proof.action, proof.actor) == ("erased", "anna")
    assert vault.folder.objects(ONE) == []
    assert vault.folder.evidence_ids() == [OTHER]
    assert vault.manifest_of(vault.standing(ONE)) == known
    checked = Checked()
    assert list(check(vault, checked)) == []
    assert (checked.n_evidence, checked.n_erased) == (2, 1)
    assert due(vault) == []
    with pytest.raises(EvidenceUnavailable):
        vault.read(ONE, 0, "view", actor="anna", purpose="")
    with pytest.raises(EvidenceUnavailable, match="was erased"):
        vault.keep(subject(1), (part(),))
    with pytest.raises(ConfigError, match="was erased"):
        export(vault, ONE, tmp_path / "case.zip", Order("anna", "A-1"))


def test_only_the_plan_that_was_seen_is_carried_out(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    clock.advance(MONTH_S)
    seen = plan_purge(vault, RULES).id
    held(vault, ONE, "A-1")

    with pytest.raises(ConfigError, match="the plan is now"):
        list(erase(vault, RULES, plan_purge(vault, RULES), seen, "anna"))

    assert vault.folder.evidence_ids() == [ONE, OTHER]


def test_a_hold_that_comes_between_plan_and_erasure_is_kept_to(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    clock.advance(MONTH_S)
    plan = plan_purge(vault, RULES)
    held(vault, ONE, "A-1")

    with pytest.raises(ConfigError, match="has changed"):
        list(erase(vault, RULES, plan, plan.id, "anna"))

    assert vault.folder.evidence_ids() == [ONE, OTHER]


def test_an_erasure_that_broke_off_is_finished_by_the_next(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    vault.note(ONE, "delete", {}, actor="anna", purpose="then the power went")
    vault.folder.object(ONE, "key.json").unlink()
    assert problems(tmp_path / "evidence") == []

    assert purge(vault) == [ONE]
    assert vault.standing(ONE).state == "erased"
    assert problems(tmp_path / "evidence") == []


def test_what_was_erased_and_is_there_again_is_found(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    clock.advance(MONTH_S)
    purge(vault)

    vault.folder.put(ONE, "0000-clip.sealed", b"from a backup")

    assert [each.what for each in problems(tmp_path / "evidence")] == [
        "was erased, and is still there"
    ]


def test_damage_does_not_keep_evidence_from_being_erased(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    clock.advance(MONTH_S)
    vault.folder.manifest(1, OTHER).write_bytes(b"{}")

    assert purge(vault) == [ONE, OTHER]
    assert vault.folder.evidence_ids() == []


# ---- by itself


def purger(vault: Vault, most: int = 100) -> Purger:
    return Purger(vault, RULES, vault.actor, most)


def actions(vault: Vault, of: str) -> list[tuple[str, str]]:
    return [(each.action, each.actor) for each in vault.entries() if each.evidence_id == of]


def test_what_is_due_is_told_first_and_erased_the_next_time_and_is_on_record(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    by_itself = purger(vault)
    clock.advance(MONTH_S - 1)

    assert by_itself.round() == Round(0, 0)
    clock.advance(1)
    assert by_itself.round() == Round(2, 0)
    assert vault.folder.evidence_ids() == [ONE, OTHER]
    assert by_itself.round() == Round(0, 2)
    assert vault.folder.evidence_ids() == []
    assert actions(vault, OTHER)[1:] == [
        *(("delete", "streamguard studio"), ("erased", "streamguard studio")),
    ]
    assert problems(tmp_path / "evidence") == []


def test_a_clock_that_was_wrong_for_less_than_a_round_erases_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    by_itself = purger(vault)

    clock.advance(2 * MONTH_S)
    assert by_itself.round() == Round(2, 0)
    clock.advance(-2 * MONTH_S)

    assert by_itself.round() == Round(0, 0)
    clock.advance(MONTH_S)
    assert by_itself.round() == Round(2, 0)  # told anew


def test_nothing_on_hold_is_erased_also_if_the_hold_comes_after_it_was_told(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    held(vault, OTHER, "B-1")
    by_itself = purger(vault)
    clock.advance(MONTH_S)

    assert by_itself.round() == Round(1, 0)
    held(vault, ONE, "A-1")

    assert by_itself.round() == Round(0, 0)
    assert vault.folder.evidence_ids() == [ONE, OTHER]


def test_what_was_looked_at_since_it_was_told_is_told_again(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    by_itself = purger(vault)
    clock.advance(MONTH_S)
    by_itself.round()
    vault.note(ONE, "view", {}, actor="anna", purpose="case 7")

    assert by_itself.round() == Round(1, 1)
    assert by_itself.round() == Round(0, 1)


@pytest.mark.parametrize(("most", "left"), [(0, 2), (1, 1), (2, 0), (3, 0)])
def test_no_more_is_erased_at_once_than_was_allowed(tmp_path: Path, most: int, left: int) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    by_itself = purger(vault, most)
    clock.advance(MONTH_S)
    by_itself.round()

    assert by_itself.round() == Round(left, 2 - left)
    assert len(vault.folder.evidence_ids()) == left


def test_an_erasure_that_broke_off_is_finished_by_itself(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    vault.note(ONE, "delete", {}, actor="anna", purpose="then the power went")
    by_itself = purger(vault)

    assert by_itself.round() == Round(1, 0)
    assert by_itself.round() == Round(0, 1)
    assert vault.standing(ONE).state == "erased"


def test_others_keep_evidence_while_a_store_takes_its_time_to_erase(tmp_path: Path) -> None:
    class Slow(Folder):
        def erase(self, evidence_id: str) -> None:
            vault.keep(subject(7), (part(),))
            super().erase(evidence_id)

    clock = FakeClock()
    filled_vault(tmp_path / "evidence", clock)
    vault = made_vault(tmp_path / "evidence", clock)
    vault.folder = Slow(tmp_path / "evidence")
    clock.advance(MONTH_S)

    assert purge(vault) == [ONE, OTHER]
    assert vault.folder.evidence_ids() == [evidence_id(7)]
    assert problems(tmp_path / "evidence") == []


def test_two_that_erase_the_same_leave_one_proof(tmp_path: Path) -> None:
    class Rival(Folder):
        has_come = False

        def erase(self, evidence_id: str) -> None:
            if not self.has_come:
                self.has_come = True
                assert purge(made_vault(tmp_path / "evidence", clock)) == [ONE]
            super().erase(evidence_id)

    clock = FakeClock()
    filled_vault(tmp_path / "evidence", clock)
    vault = made_vault(tmp_path / "evidence", clock)
    vault.folder = Rival(tmp_path / "evidence")
    classified(vault, ONE, "rejected")
    clock.advance(8 * DAY_S)

    with pytest.raises(ConfigError, match="somebody else"):
        purge(vault)

    assert [action for action, _ in actions(vault, ONE)].count("erased") == 1
    assert problems(tmp_path / "evidence") == []


@pytest.mark.parametrize(("mode", "left"), [("tell", 2), ("erase", 0)])
def test_run_tells_of_what_is_overdue_and_erases_it_where_that_is_asked(
    tmp_path: Path, mode: str, left: int
) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    clock.advance(MONTH_S)
    section = EvidenceSection.model_validate({"directory": tmp_path / "evidence", "purge": mode})
    meter = PrometheusMeter()

    def overdue() -> float | None:
        return meter.registry.get_sample_value("streamguard_evidence_overdue")

    with capture_logs() as lines, purging(vault, section, meter, every_s=0.01):
        until(lambda: bool(lines))
        until(lambda: overdue() == left and len(vault.folder.evidence_ids()) == left)

    assert lines[0] == {
        "event": "evidence_purged",
        "log_level": "info",
        "n_erased": 0,
        "n_due": 2,
    }


def test_a_round_that_cannot_be_done_is_told_and_tried_again(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    custody = tmp_path / "evidence" / "custody.jsonl"
    sound = custody.read_bytes()
    custody.write_bytes(b"{}\n")

    with (
        capture_logs() as lines,
        purging(vault, EvidenceSection(), PrometheusMeter(), every_s=0.01),
    ):
        until(lambda: len(lines) > 1)
        custody.write_bytes(sound)

    assert {line["event"] for line in lines} == {"evidence_purge_failed"}


def test_the_next_round_comes_whatever_went_wrong_in_one(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = filled_vault(tmp_path / "evidence", clock)
    clock.advance(MONTH_S)
    head = tmp_path / "evidence" / "custody.head"
    aside = head.rename(tmp_path / "aside")
    head.mkdir()  # what the system says of that is no error of ours

    with (
        capture_logs() as lines,
        purging(vault, EvidenceSection(), PrometheusMeter(), every_s=0.01),
    ):
        until(lambda: len(lines) > 1)
        head.rmdir()
        aside.rename(head)
        until(lambda: lines[-1]["event"] == "evidence_purged")

    failed = [line for line in lines if line["event"] == "evidence_purge_failed"]
    assert failed[0]["log_level"] == "error"
    assert failed[0]["exc_info"] is True


steps = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.integers(0, 3)),
        st.tuples(st.just("hold"), st.integers(0, 3)),
        st.tuples(st.just("release"), st.integers(0, 3)),
        st.tuples(st.just("rejected"), st.integers(0, 3)),
        st.tuples(st.just("days"), st.integers(1, 40)),
        st.tuples(st.just("purge"), st.just(0)),
    ),
    max_size=15,
)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_whatever_happens_the_store_is_sound_and_nothing_on_hold_goes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    clock, directory = FakeClock(), tmp_path_factory.mktemp("steps") / "evidence"
    vault, on_hold, there = made_vault(directory, clock), set[int](), set[int]()
    for what, number in steps:
        known = evidence_id(number) in vault.ledger().evidence
        match what:
            case "keep":
                if not known or number in there:
                    vault.keep(subject(number), (part(content=b"x"),))
                    there.add(number)
            case "days":
                clock.advance(number * DAY_S)
            case "purge":
                gone = set(purge(vault))
                assert gone.isdisjoint(evidence_id(each) for each in on_hold)
                there = {each for each in there if evidence_id(each) not in gone}
            case "hold" if known:
                held(vault, evidence_id(number), "A")
                on_hold.add(number)
            case "release" if known:
                vault.note(evidence_id(number), "release", {"ref": "A"}, actor="a", purpose="")
                on_hold.discard(number)
            case "rejected" if known:
                classified(vault, evidence_id(number), "rejected")

    assert problems(directory) == []
    assert set(vault.folder.evidence_ids()) == {evidence_id(number) for number in there}
