import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from loadtest.made_events import SOURCE, opened
from streamguard.adapters import sqlite_log
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.sqlite_log import SILENT_GROUP_S, SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.events import RETENTION_S, Topic
from streamguard.core.record import Position
from streamguard.core.review_events import decision_event
from streamguard.upkeep.pruning import _prune, watch_groups
from tests.made_reviews import decision

OLD_S = RETENTION_S[Topic.FLAGS] + 3600


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Make a log with one flag past retention and a fresh one."""
    path = tmp_path / "events.db"
    with SqliteLog(path) as log:
        log.append([opened(1, time_s=time.time() - OLD_S), opened(2, time_s=time.time())])
    return path


def n_left(file: Path) -> int:
    with SqliteLog.open_reader(file) as log:
        return len(log.read(1))


def test_what_is_past_retention_goes(file: Path) -> None:
    with capture_logs() as said:
        _prune(file, has_broker=False)

    assert n_left(file) == 1
    assert said == [{"event": "log_pruned", "log_level": "info", "n_removed": 1}]


def test_all_that_is_past_retention_goes_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_log, "PRUNE_BATCH", 2)
    with SqliteLog(file) as event_log:
        event_log.append([opened(n, "b", time_s=time.time() - OLD_S) for n in range(5)])
        event_log.append([opened(9, "b", time_s=time.time())])

    with capture_logs() as said:
        _prune(file, has_broker=False)

    assert said == [{"event": "log_pruned", "log_level": "info", "n_removed": 6}]
    assert n_left(file) == 2


def test_what_a_broker_has_not_acknowledged_stays_until_it_has(file: Path) -> None:
    _prune(file, has_broker=True)
    assert n_left(file) == 2

    SqliteOutbox(file).acknowledge(
        Topic.FLAGS, Position(3), SqliteOutbox(file).read(Topic.FLAGS, 1, 2)
    )
    _prune(file, has_broker=True)
    assert n_left(file) == 1


def test_a_group_that_is_dropped_is_an_error_in_the_log(file: Path) -> None:
    with SqliteLog(file, "write") as log:
        log.commit("gone", 1, time.time() - SILENT_GROUP_S - 60)

    with capture_logs() as said:
        _prune(file, has_broker=False)

    assert {"event": "consumer_group_dropped", "log_level": "error", "group": "gone"} in said


def test_a_group_that_is_dropped_is_shown_until_it_comes_back(file: Path) -> None:
    meter = PrometheusMeter()
    name = "streamguard_consumer_groups_dropped"
    with SqliteLog(file, "write") as log:
        watch_groups(log, meter, "enforcer")
        log.commit("gone", 1, time.time() - SILENT_GROUP_S - 60)
        log.commit("here", 1, time.time())
        before = meter.registry.get_sample_value(name)

        _prune(file, has_broker=False)
        after = meter.registry.get_sample_value(name)
        log.commit("gone", 1, time.time())

        assert (before, after) == (0, 1)
        assert meter.registry.get_sample_value(name) == 0


def test_a_decision_that_the_enforcer_does_not_read_is_shown_until_it_does(file: Path) -> None:
    meter = PrometheusMeter()

    def shown() -> float | None:
        return meter.registry.get_sample_value("streamguard_enforcer_unread_seconds")

    with SqliteLog(file, "write") as log:
        watch_groups(log, meter, "enforcer")
        made = decision_event(SOURCE, decision(), recorded_s=time.time() - 60)
        log.append([made])
        never_started = shown()
        log.commit("enforcer", 1, time.time())
        unread = shown()
        log.commit("enforcer", log.end_offset(), time.time())
        read = shown()
        log.append([opened(3, time_s=time.time() - 60)])

        assert unread is not None
        assert unread >= 60
        assert (never_started, read) == (0, 0)
        assert shown() == 0  # a flag is nothing for it to carry out


def test_a_log_that_cannot_be_pruned_now_is_no_reason_to_end(file: Path) -> None:
    file.write_bytes(b"\0" * 4096)

    with capture_logs() as said:
        _prune(file, has_broker=False)

    assert [line["event"] for line in said] == ["prune_failed"]
