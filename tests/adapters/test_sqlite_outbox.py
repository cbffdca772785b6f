import json
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from streamguard.adapters.sqlite_file import SCHEMA_VERSION
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.coverage_data import GapData
from streamguard.core.errors import ConfigError
from streamguard.core.event_data import (
    StreamRef,
)
from streamguard.core.events import Event, Topic, gap_event
from streamguard.core.record import Position
from streamguard.core.types import GapReason

COVERAGE, FLAGS = Topic.COVERAGE, Topic.FLAGS
NOW_S = 1_000_000.0


def numbered(number: int) -> Event:
    """Make an event that is told from others by the start of its gap."""
    data = GapData(
        stream=StreamRef(stream_id="lobby", session_id="s-1", epoch=0, protocol="rtmp"),
        start_pts_ms=number,
        end_pts_ms=number,
        start_time="2026-01-02T03:04:05.000Z",
        end_time="2026-01-02T03:04:05.000Z",
        reason=GapReason.OVERLOAD,
    )
    return gap_event("/streamguard/test", data, recorded_s=NOW_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    with SqliteLog(path) as opened:
        yield opened


@pytest.fixture
def outbox(path: Path, log: SqliteLog) -> Iterator[SqliteOutbox]:
    opened = SqliteOutbox(path)
    yield opened
    opened.close()


def test_a_topic_never_delivered_begins_at_the_beginning(outbox: SqliteOutbox) -> None:
    assert outbox.position(FLAGS) == Position(1, {})


def test_a_place_outlives_the_connection_and_is_the_topics_own(
    path: Path, outbox: SqliteOutbox
) -> None:
    outbox.acknowledge(COVERAGE, Position(7, {0: 41, 11: 3}))
    outbox.close()

    again = SqliteOutbox(path)

    assert again.position(COVERAGE) == Position(7, {0: 41, 11: 3})
    assert again.position(FLAGS) == Position()


def test_a_place_may_go_back(outbox: SqliteOutbox) -> None:
    outbox.acknowledge(COVERAGE, Position(7, {0: 41}))

    outbox.acknowledge(COVERAGE, Position())

    assert outbox.position(COVERAGE) == Position()


def test_records_are_read_from_an_offset_on(log: SqliteLog, outbox: SqliteOutbox) -> None:
    log.append([numbered(1), numbered(2), numbered(3)])

    assert [record.offset for record in outbox.read(COVERAGE, 2, 10)] == [2, 3]
    assert [record.offset for record in outbox.read(COVERAGE, 1, 2)] == [1, 2]
    assert outbox.read(FLAGS, 1, 10) == []


def test_the_backlog_is_what_lies_at_the_place_and_after(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    log.append([numbered(1), numbered(2), numbered(3)])
    assert outbox.backlog(COVERAGE) == 3

    outbox.acknowledge(COVERAGE, Position(3))
    assert outbox.backlog(COVERAGE) == 1
    assert outbox.backlog(FLAGS) == 0


def test_a_buried_record_is_kept_whole_with_the_first_reason_and_survives_pruning(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    log.append([numbered(1)])
    [record] = outbox.read(COVERAGE, 1, 1)

    outbox.bury(record, "too large", NOW_S)
    outbox.bury(record, "something else", NOW_S)
    log.prune(NOW_S + 9, {COVERAGE: 1.0}, has_broker=False)

    assert log.read(1) == []
    [(event_id, problem, body)] = outbox.dead()
    assert (event_id, problem) == (record.id, "too large")
    assert json.loads(body) == json.loads(numbered(1).to_json())


def test_an_outbox_makes_no_log(path: Path) -> None:
    with pytest.raises(ConfigError, match="no event log"):
        SqliteOutbox(path)


def as_version_1(path: Path) -> None:
    """Make a log as the first version left it."""
    with SqliteLog(path) as log:
        log.append([numbered(1)])
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE delivery; DROP TABLE dead; PRAGMA user_version = 1").fetchall()
    connection.close()


def test_a_log_of_the_first_version_is_brought_up_and_keeps_its_records(path: Path) -> None:
    as_version_1(path)

    outbox = SqliteOutbox(path)

    assert outbox.backlog(COVERAGE) == 1
    assert outbox._file.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]


def test_a_reader_reads_a_log_of_the_first_version_and_leaves_it_alone(path: Path) -> None:
    as_version_1(path)

    with SqliteLog.open_reader(path) as log:
        assert len(log.read(1)) == 1
        assert log._file.rows("PRAGMA user_version") == [(1,)]
