"""What evidence learns from the log: the last event of its flag, and what was decided."""

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.custody import wall_s
from streamguard.core.decision_data import DecisionData
from streamguard.core.errors import EvidenceDamaged, EvidenceUnavailable
from streamguard.core.event_data import FlagData
from streamguard.core.events import Event, flag_event
from streamguard.core.kept import Piece, Subject
from streamguard.core.manifest import StreamContext
from streamguard.core.retention import DAY_S
from streamguard.core.review_events import appeal_event, decision_event
from streamguard.upkeep.evidence_follow import following
from streamguard.vault import follower as module
from streamguard.vault.follower import ADOPT_EVERY_S, GROUP, NOTE_EVERY_S, Follower
from streamguard.vault.recording import Recordings
from streamguard.vault.vault import Vault
from tests.clock import FakeClock
from tests.core_fakes import SOURCE
from tests.made_reviews import APPEAL_ID, AT, appeal, decision, flag, flag_id, resolved
from tests.processes import until
from tests.vault.made_vaults import made_vault, part, problems


@pytest.fixture
def event_log(tmp_path: Path) -> Iterator[SqliteLog]:
    with SqliteLog(tmp_path / "log.db") as opened:
        yield opened


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = made_vault(tmp_path / "evidence", FakeClock())
    for number in range(3):
        made.keep(Subject(flag_id(number), "stream of s-1", "s-1"), (part(),))
    return made


def closed(number: int) -> FlagData:
    return flag(number, revision=2, state="closed", close_reason="ended")


def told(data: FlagData) -> Event:
    stage = "closed" if data.state == "closed" else "opened"
    return flag_event(SOURCE, stage, data, time_s=1_000.0, recorded_s=1_000.0)


def decided(**changes: object) -> Event:
    return decision_event(SOURCE, decision(**changes), recorded_s=1_000.0)


def followed(vault: Vault, event_log: SqliteLog) -> Follower:
    made = Follower(vault, event_log, vault.clock, set(), lambda _: "")
    while made.step():
        pass
    return made


def flag_parts(vault: Vault, number: int) -> list[bytes]:
    standing = vault.standing(flag_id(number))
    items = [each for each in vault.manifest_of(standing).items if each.role == "flag"]
    key = vault.data_key(flag_id(number))
    return [vault.content_of(flag_id(number), each, key) for each in items]


def test_the_last_event_of_a_flag_becomes_a_part_of_its_evidence(
    vault: Vault, event_log: SqliteLog
) -> None:
    event_log.append([told(flag(1)), told(closed(1))])
    body = event_log.read(1)[-1].body

    followed(vault, event_log)

    assert flag_parts(vault, 1) == [body.encode()]
    assert json.loads(flag_parts(vault, 1)[0])["data"]["clock"] == {"basis": "ingest"}
    assert flag_parts(vault, 2) == []
    manifest = vault.manifest_of(vault.standing(flag_id(1)))
    assert manifest.stream_context == StreamContext("rtmp", 0)
    assert (manifest.items[1].ingest_time, manifest.items[1].clock_basis) == (AT, "ingest")
    assert problems(vault.folder.root) == []


def test_a_flag_of_another_stream_is_no_part_of_the_evidence_and_keeps_none_waiting(
    vault: Vault, event_log: SqliteLog
) -> None:
    taken = vault.keep(Subject(flag_id(7), "hall", "s-1"), (part(),))
    event_log.append([told(closed(7)), told(closed(1))])

    with capture_logs() as lines:
        followed(vault, event_log)

    assert len(taken) == 1
    assert [len(flag_parts(vault, number)) for number in (7, 1)] == [0, 1]
    assert [line["event"] for line in lines] == ["flag_of_another_stream"]


def test_what_a_full_disk_kept_from_becoming_a_part_is_one_when_the_flag_closes(
    vault: Vault, event_log: SqliteLog
) -> None:
    recordings = Recordings(vault)
    subject = Subject(flag_id(1), "stream of s-1", "s-1")
    recordings.grow(subject, Piece(0, 0, 1_000, b"a clip", ""))
    with pytest.raises(EvidenceUnavailable):
        recordings.grow(subject, Piece(7, 0, 1_000, b"of elsewhere", ""))
    event_log.append([told(closed(1))])

    followed(vault, event_log)

    roles = [item.role for item in vault.manifest_of(vault.standing(flag_id(1))).items]
    assert roles == ["clip", "clip", "flag"]
    assert problems(vault.folder.root) == []


def test_a_clip_that_finds_no_room_keeps_no_decision_waiting_and_is_a_part_later(
    tmp_path: Path, event_log: SqliteLog
) -> None:
    clock, has_room = FakeClock(), [True]
    vault = made_vault(tmp_path / "evidence", clock, has_room=lambda _: has_room[0])
    recordings = Recordings(vault)
    subject = Subject(flag_id(1), "stream of s-1", "s-1")
    recordings.grow(subject, Piece(0, 0, 1_000, b"a clip", ""))
    has_room[0] = False
    recordings.close()
    event_log.append([told(closed(1)), decided(flag_ids=[flag_id(1)])])

    def roles() -> list[str]:
        return [item.role for item in vault.manifest_of(vault.standing(flag_id(1))).items]

    with capture_logs() as lines:
        follower = followed(vault, event_log)
        clock.now_s += ADOPT_EVERY_S
        follower.step()
    assert roles() == ["flag"]
    assert vault.standing(flag_id(1)).evidence_class == "confirmed"
    assert [line["event"] for line in lines] == ["evidence_waits"]

    has_room[0] = True
    clock.now_s += ADOPT_EVERY_S - 1
    follower.step()
    assert roles() == ["flag"]
    clock.now_s += 1
    follower.step()
    assert roles() == ["flag", "clip"]
    assert vault.folder.growing_files() == []
    assert problems(vault.folder.root) == []


def test_what_came_twice_changes_nothing(vault: Vault, event_log: SqliteLog) -> None:
    event_log.append([told(closed(1)), decided(flag_ids=[flag_id(1)])])
    followed(vault, event_log)
    n_entries = vault.ledger().n_entries

    event_log.commit(GROUP, 1, 0.0)
    followed(vault, event_log)

    assert vault.ledger().n_entries == n_entries
    assert len(flag_parts(vault, 1)) == 1


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("confirmed", "confirmed"),
        ("not_tvec_other_policy", "confirmed"),
        ("rejected", "rejected"),
        ("escalated", "unreviewed"),
        ("no_decision_stream_ended", "unreviewed"),
    ],
)
def test_a_decision_says_how_long_evidence_is_kept(
    vault: Vault, event_log: SqliteLog, outcome: str, expected: str
) -> None:
    of = [flag_id(0), flag_id(1), flag_id(99)]  # the last one has no evidence
    event_log.append([decided(flag_ids=of, outcome=outcome, action="none", scopes=())])

    followed(vault, event_log)

    classes = [vault.standing(flag_id(number)).evidence_class for number in range(3)]
    assert classes == [expected, expected, "unreviewed"]


def test_an_appeal_holds_evidence_that_was_decided_on_once_more_since(
    vault: Vault, event_log: SqliteLog
) -> None:
    again = decided(decision_id="d-2", supersedes="d-1", flag_ids=[flag_id(0)])
    event_log.append([decided(flag_ids=[flag_id(0)]), again])
    event_log.append([appeal_event(SOURCE, appeal(decision_id="d-1"), recorded_s=1_000.0)])

    followed(vault, event_log)

    assert [hold.ref for hold in vault.standing(flag_id(0)).holds] == [f"appeal {APPEAL_ID}"]
    assert vault.standing(flag_id(1)).holds == ()


def test_an_appeal_holds_evidence_that_was_classified_by_hand_since(
    vault: Vault, event_log: SqliteLog
) -> None:
    event_log.append([decided(flag_ids=[flag_id(0)])])
    followed(vault, event_log)
    by_hand = {"actor": "anna", "purpose": "a mistake"}
    vault.note(flag_id(0), "classify", {"class": "rejected"}, **by_hand)
    event_log.append([appeal_event(SOURCE, appeal(decision_id="d-1"), recorded_s=1_000.0)])

    followed(vault, event_log)

    standing = vault.standing(flag_id(0))
    assert (standing.evidence_class, standing.decision_id) == ("rejected", "")
    assert [hold.ref for hold in standing.holds] == [f"appeal {APPEAL_ID}"]


def test_who_decided_and_in_which_case_is_on_record(vault: Vault, event_log: SqliteLog) -> None:
    made: DecisionData = decision(flag_ids=[flag_id(1)])
    event_log.append([decision_event(SOURCE, made, recorded_s=1_000.0)])

    followed(vault, event_log)

    [entry] = [each for each in vault.entries() if each.action == "classify"]
    assert (entry.actor, entry.purpose) == ("r-1", "TVEC.ATTACK_LIVE")
    assert entry.detail == {
        "class": "confirmed",
        "decision_id": "d-1",
        "case_id": made.case_id,
    }


def test_the_manifest_says_which_case_decided_and_how_long_it_is_kept_now(
    vault: Vault, event_log: SqliteLog
) -> None:
    made: DecisionData = decision(flag_ids=[flag_id(1)])
    event_log.append([decision_event(SOURCE, made, recorded_s=1_000.0)])

    followed(vault, event_log)
    n_manifests = len(vault.folder.manifests())
    event_log.append([decision_event(SOURCE, made, recorded_s=1_000.0)])
    followed(vault, event_log)

    manifest = vault.manifest_of(vault.standing(flag_id(1)))
    since_s = wall_s(vault.standing(flag_id(1)).since)
    assert (manifest.revision, manifest.case_id, len(manifest.items)) == (1, made.case_id, 1)
    assert manifest.retention is not None
    assert manifest.retention.retention_class == "confirmed"
    assert wall_s(manifest.retention.delete_after) == since_s + 190 * DAY_S
    assert len(vault.folder.manifests()) == n_manifests


def test_the_manifest_names_the_incident_of_which_the_list_told(
    vault: Vault, event_log: SqliteLog
) -> None:
    event_log.append([told(closed(1)), told(closed(2))])
    names = {flag_id(1): "Ω-2019"}
    follower = Follower(
        vault, event_log, vault.clock, set(), lambda flag: names.get(flag.flag_id, "")
    )

    while follower.step():
        pass
    vault.keep(Subject(flag_id(1), "stream of s-1", "s-1"), (part("still"),))

    told_of = [vault.manifest_of(vault.standing(flag_id(each))).incident_id for each in (1, 2)]
    assert told_of == ["Ω-2019", ""]
    assert problems(vault.folder.root) == []


def test_a_decision_that_was_taken_back_leaves_evidence_unreviewed(
    vault: Vault, event_log: SqliteLog
) -> None:
    of = [flag_id(1)]
    undone = {"outcome": "undone", "supersedes": "d-1", "action": "none", "scopes": ()}
    event_log.append([decided(flag_ids=of), decided(flag_ids=of, decision_id="d-2", **undone)])

    followed(vault, event_log)

    standing = vault.standing(flag_id(1))
    assert (standing.evidence_class, standing.decision_id) == ("unreviewed", "d-2")


def test_what_a_decision_preserves_is_held_once_and_until_somebody_releases_it(
    vault: Vault, event_log: SqliteLog
) -> None:
    preserved = decided(flag_ids=[flag_id(0)], preserve=True)
    undone = {"outcome": "undone", "supersedes": "d-1", "action": "none", "scopes": ()}
    event_log.append([preserved, decided(decision_id="d-2", flag_ids=[flag_id(1)])])
    followed(vault, event_log)
    event_log.commit(GROUP, 1, 0.0)
    followed(vault, event_log)  # once more
    event_log.append([decided(flag_ids=[flag_id(0)], decision_id="d-3", **undone)])
    followed(vault, event_log)

    ref = f"case {decision().case_id}"
    holds = [vault.standing(flag_id(number)).holds for number in range(2)]
    assert [[(one.ref, one.authority) for one in each] for each in holds] == [
        [(ref, "decision")],
        [],
    ]


def test_what_somebody_objects_to_is_on_hold_until_that_is_resolved(
    vault: Vault, event_log: SqliteLog
) -> None:
    objected = appeal_event(SOURCE, appeal(decision_id="d-1"), recorded_s=1_000.0)
    event_log.append([decided(flag_ids=[flag_id(0), flag_id(1)]), objected])
    followed(vault, event_log)
    event_log.commit(GROUP, 1, 0.0)
    followed(vault, event_log)  # once more

    holds = [vault.standing(flag_id(number)).holds for number in range(3)]
    assert [[hold.ref for hold in each] for each in holds] == [
        *([f"appeal {APPEAL_ID}"], [f"appeal {APPEAL_ID}"], []),
    ]
    event_log.append([appeal_event(SOURCE, resolved(), recorded_s=1_001.0)])
    followed(vault, event_log)

    assert [vault.standing(flag_id(number)).holds for number in range(3)] == [(), (), ()]
    assert problems(vault.folder.root) == []


def test_flags_and_decisions_are_taken_in_the_order_of_the_log_however_many(
    vault: Vault, event_log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    of = [flag_id(1)]
    for number in range(7):
        outcome = "confirmed" if number % 2 else "rejected"
        change = {"outcome": outcome, "action": "none", "scopes": (), "supersedes": f"p-{number}"}
        one = decided(flag_ids=of, decision_id=f"d-{number}", **change)
        event_log.append([told(closed(10 + number)), one])

    followed(vault, event_log)

    made = [each.detail["decision_id"] for each in vault.entries() if each.action == "classify"]
    assert made == [f"d-{number}" for number in range(7)]
    assert event_log.position(GROUP) == event_log.end_offset()


def test_nothing_is_made_where_nothing_was_ever_kept(tmp_path: Path, event_log: SqliteLog) -> None:
    event_log.append([told(closed(1)), decided(flag_ids=[flag_id(1)])])

    followed(made_vault(tmp_path / "evidence"), event_log)

    assert not (tmp_path / "evidence").exists()
    assert not (tmp_path / "evidence.keys").exists()


def test_what_was_erased_is_left_alone(vault: Vault, event_log: SqliteLog) -> None:
    vault.note(flag_id(1), "delete", {}, actor="anna", purpose="")
    event_log.append([told(closed(1)), decided(flag_ids=[flag_id(1)])])

    followed(vault, event_log)

    assert vault.entries()[-1].action == "delete"


def test_what_cannot_be_kept_now_is_kept_later(vault: Vault, event_log: SqliteLog) -> None:
    event_log.append([told(closed(1))])
    custody = vault.folder.root / "custody.jsonl"
    sound = custody.read_bytes()
    custody.write_bytes(sound[:-1])
    with pytest.raises(EvidenceDamaged):
        followed(vault, event_log)
    assert event_log.position(GROUP) is None

    custody.write_bytes(sound)
    followed(vault, event_log)

    assert len(flag_parts(vault, 1)) == 1


def manifest_of(vault: Vault, number: int) -> Path:
    return vault.folder.manifest(vault.standing(flag_id(number)).manifest_number, flag_id(number))


def key_of(vault: Vault, number: int) -> Path:
    return vault.folder.object(flag_id(number), "key.json")


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"a", b"b"))


@pytest.mark.parametrize("harm", [spoil, Path.unlink])
@pytest.mark.parametrize("file_of", [manifest_of, key_of])
def test_evidence_that_is_damaged_is_put_aside_and_the_rest_is_followed(
    vault: Vault,
    event_log: SqliteLog,
    tmp_path: Path,
    file_of: Callable[[Vault, int], Path],
    harm: Callable[[Path], None],
) -> None:
    harm(file_of(vault, 0))
    objected = appeal_event(SOURCE, appeal(decision_id="d-1"), recorded_s=1_000.0)
    last = [decided(flag_ids=[flag_id(0), flag_id(1)]), objected]
    event_log.append([told(closed(0)), told(closed(1)), told(closed(0)), *last])
    meter = PrometheusMeter()

    with capture_logs() as lines, following(vault, tmp_path / "log.db", meter):
        until(lambda: event_log.position(GROUP) == event_log.end_offset())
        n_damaged = meter.registry.get_sample_value("streamguard_evidence_damaged")

    assert n_damaged == 1
    assert [(each["event"], each["log_level"], each["evidence_id"]) for each in lines] == [
        ("evidence_damaged", "error", flag_id(0))
    ]
    assert len(flag_parts(vault, 1)) == 1
    found = [vault.standing(flag_id(number)) for number in (0, 1)]
    assert [each.evidence_class for each in found] == ["confirmed", "confirmed"]
    assert [len(each.holds) for each in found] == [1, 1]


class WrongOnce(FakeClock):
    """Has a bug, the first time."""

    def __init__(self, bug: Exception) -> None:
        super().__init__()
        self._bugs = [bug]

    def monotonic(self) -> float:
        if self._bugs:
            raise self._bugs.pop()
        return super().monotonic()


@pytest.mark.parametrize("bug", [OSError(errno.EIO, "Input/output error"), KeyError("a bug")])
def test_the_log_is_followed_on_whatever_goes_wrong(
    vault: Vault, event_log: SqliteLog, tmp_path: Path, bug: Exception
) -> None:
    again = made_vault(vault.folder.root, WrongOnce(bug))
    event_log.append([told(closed(1))])

    with capture_logs() as lines, following(again, tmp_path / "log.db", PrometheusMeter()):
        until(lambda: event_log.position(GROUP) == event_log.end_offset())

    assert [(each["event"], each["log_level"], each["exc_info"]) for each in lines] == [
        ("evidence_log_not_followed", "error", True)
    ]
    assert len(flag_parts(vault, 1)) == 1


def test_our_place_is_noted_once_an_hour_where_nothing_comes(
    vault: Vault, event_log: SqliteLog
) -> None:
    clock = FakeClock()
    made = Follower(vault, event_log, clock, set(), lambda _: "")
    made.step()
    assert event_log.position(GROUP) == 1
    event_log.commit(GROUP, 7, 0.0)  # whatever it was

    clock.advance(NOTE_EVERY_S - 1)
    made.step()
    assert event_log.position(GROUP) == 7
    clock.advance(1)
    made.step()
    assert event_log.position(GROUP) == 1


def test_run_has_evidence_follow_its_log(
    vault: Vault, event_log: SqliteLog, tmp_path: Path
) -> None:
    with following(vault, tmp_path / "log.db", PrometheusMeter()):
        event_log.append([told(closed(1))])
        until(lambda: event_log.position(GROUP) == event_log.end_offset())

    assert len(flag_parts(vault, 1)) == 1


def test_the_custody_is_read_before_the_first_flag_waits_for_it(
    vault: Vault, event_log: SqliteLog, tmp_path: Path
) -> None:
    other = made_vault(vault.folder.root)

    with following(other, tmp_path / "log.db", PrometheusMeter()):
        until(lambda: event_log.position(GROUP) is not None)

    assert other.custody.ledger == vault.ledger()


def test_what_was_committed_just_before_the_stop_is_kept(
    vault: Vault, event_log: SqliteLog, tmp_path: Path
) -> None:
    with following(vault, tmp_path / "log.db", PrometheusMeter()):
        until(lambda: event_log.position(GROUP) is not None)
        event_log.append([told(closed(1))])

    assert len(flag_parts(vault, 1)) == 1


def test_a_custody_that_is_damaged_is_told_once_and_tried_again(
    vault: Vault, event_log: SqliteLog, tmp_path: Path
) -> None:
    custody = vault.folder.root / "custody.jsonl"
    sound = custody.read_bytes()
    custody.write_bytes(sound[:-1])
    event_log.append([told(closed(1))])
    meter = PrometheusMeter()

    def n_failures() -> float | None:
        return meter.registry.get_sample_value("streamguard_evidence_follow_failures")

    with (
        capture_logs() as lines,
        following(made_vault(vault.folder.root), tmp_path / "log.db", meter),
    ):
        until(lambda: bool(lines) and n_failures() != 0)
        custody.write_bytes(sound)
        until(lambda: event_log.position(GROUP) == event_log.end_offset())
        until(lambda: n_failures() == 0)

    assert [line["event"] for line in lines] == ["evidence_log_not_followed"]
    assert len(flag_parts(vault, 1)) == 1
