"""Events that claim a place in the log which only one of them can have."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.events import Event, Topic
from streamguard.core.review_events import audit_event, decision_event
from tests.core_fakes import SOURCE
from tests.made_reviews import audit_records, decision

N_RIVALS = 8


def made(decision_id: str, supersedes: str | None = None) -> Event:
    data = decision(decision_id=decision_id, supersedes=supersedes)
    return decision_event(SOURCE, data, recorded_s=1.0)


def test_of_two_decisions_for_one_place_the_first_is_kept_whole(tmp_path: Path) -> None:
    [record] = audit_records(1)
    with SqliteLog(tmp_path / "log.db") as log:
        first = log.append_if_new([made("d-1")])
        second = log.append_if_new([made("d-2"), audit_event(SOURCE, record)])

        kept = log.read(1)

    assert (first, second) == (True, False)
    assert [Event.model_validate_json(one.body).data for one in kept] == [made("d-1").data]


def test_of_rivals_at_the_same_moment_one_gets_the_place(tmp_path: Path) -> None:
    def claim(number: int) -> bool:
        with SqliteLog(tmp_path / "log.db") as log:
            return log.append_if_new([made(f"d-{number}")])

    with SqliteLog(tmp_path / "log.db") as log, ThreadPoolExecutor(N_RIVALS) as rivals:
        got = list(rivals.map(claim, range(N_RIVALS)))
        [kept] = log.read(1)

    assert sum(got) == 1
    assert f'"d-{got.index(True)}"' in kept.body


def test_an_event_is_found_by_its_id_and_the_last_one_by_its_topic(tmp_path: Path) -> None:
    first, second = made("d-1"), made("d-2", "d-1")
    with SqliteLog(tmp_path / "log.db") as log:
        log.append([first, second])

        found, last = log.event(first.id), log.last(Topic.DECISIONS)
        missing = log.event("0" * 36), log.last(Topic.AUDIT)

    assert found is not None
    assert last is not None
    assert (found.body, last.body) == (first.to_json(), second.to_json())
    assert missing == (None, None)
