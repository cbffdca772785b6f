from pathlib import Path

import pytest

from streamguard.adapters import sqlite_search
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.events import Topic
from streamguard.core.record import Record, row_of
from streamguard.core.review_events import audit_event
from tests.core_fakes import SOURCE
from tests.made_reviews import audit_records, flag, flag_opened


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    made = SqliteLog(tmp_path / "log.db")
    made.append([flag_opened(flag(1))])
    made.append([row_of(audit_event(SOURCE, one)) for one in audit_records(10)])
    return made


def seqs(found: list[Record]) -> list[int]:
    return [one.offset - 2 for one in found]


def test_the_newest_records_come_first_and_a_search_goes_on_before_them(log: SqliteLog) -> None:
    first, before = log.search(Topic.AUDIT, {}, limit=4)
    second, before_that = log.search(Topic.AUDIT, {}, before, limit=4)
    third, end = log.search(Topic.AUDIT, {}, before_that, limit=4)

    assert [seqs(one) for one in (first, second, third)] == [[9, 8, 7, 6], [5, 4, 3, 2], [1, 0]]
    assert end is None


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"$.data.actor": "r-1"}, 10),
        ({"$.data.actor": "r-2"}, 0),
        ({"$.data.about": "x"}, 0),
        ({"$.data.actor": "r-1", "$.data.action": "case.viewed"}, 10),
        ({"$.data.actor": "r-1", "$.data.action": "case.decided"}, 0),
    ],
)
def test_all_that_is_said_must_stand_there(
    log: SqliteLog, said: dict[str, str], found: int
) -> None:
    assert len(log.search(Topic.AUDIT, said)[0]) == found


def test_one_search_looks_at_so_many_and_says_where_to_go_on(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_search, "SEARCHED", 6)

    first, before = log.search(Topic.AUDIT, {"$.data.actor": "r-1"})
    second, end = log.search(Topic.AUDIT, {"$.data.actor": "r-1"}, before)

    assert [seqs(first), seqs(second)] == [[9, 8, 7, 6, 5, 4], [3, 2, 1, 0]]
    assert end is None
