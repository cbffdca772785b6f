import json
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.made_events import number_in_record, opened
from streamguard.adapters import sqlite_outbox
from streamguard.adapters.dead_letters import DeadLetters
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.adapters.sqlite_schema import SCHEMA_VERSION
from streamguard.core.coverage_data import GapData
from streamguard.core.delivery_ports import Tally
from streamguard.core.errors import ConfigError
from streamguard.core.event_data import (
    StreamRef,
)
from streamguard.core.events import Event, Topic, gap_event
from streamguard.core.record import Position, Record
from streamguard.core.types import GapReason

COVERAGE, FLAGS = Topic.COVERAGE, Topic.FLAGS
NOW_S = 1_000_000.0
ALL = range(1, 2**63 - 1)


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


def records(outbox: SqliteOutbox, *offsets: int) -> list[Record]:
    """Give flags of the log, acknowledged or not."""
    rows = outbox._file.rows(
        "SELECT offset, topic, key, id, type, recorded_s, body FROM events ORDER BY offset"
    )
    return [Record(*row) for row in rows if row[0] in offsets]


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
    outbox.acknowledge(COVERAGE, Position(7, {0: 41, 11: 3}), [])
    outbox.close()

    again = SqliteOutbox(path)

    assert again.position(COVERAGE) == Position(7, {0: 41, 11: 3})
    assert again.position(FLAGS) == Position()


def test_a_topic_that_begins_anew_waits_whole_and_tells_what_was_ahead(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    log.append([opened(number, "ab"[number > 3]) for number in range(1, 6)])
    outbox.acknowledge(FLAGS, Position(3, {0: 41}), records(outbox, 1, 2, 4))
    assert outbox.tally(FLAGS) == Tally(5, 3, 2, 0)

    ahead = outbox.begin_anew(FLAGS)

    assert ahead == {"b": 5}
    assert outbox.position(FLAGS) == Position()
    assert [record.offset for record in outbox.read(FLAGS, 1, 9)] == [1, 2, 3, 4, 5]
    assert outbox.tally(FLAGS) == Tally(5, 0, 5, 0)


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

    outbox.acknowledge(COVERAGE, Position(3), outbox.read(COVERAGE, 1, 2))
    assert outbox.backlog(COVERAGE) == 1
    assert outbox.backlog(FLAGS) == 0


def test_the_backlog_is_told_without_counting_what_waits(outbox: SqliteOutbox) -> None:
    asked = f"EXPLAIN QUERY PLAN {sqlite_outbox._BACKLOG}"

    plan = [step for *_, step in outbox._file.rows(asked, (FLAGS,))]

    assert plan
    assert [step for step in plan if "events" in step] == []


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


def test_the_end_is_the_place_after_the_topics_last_record(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    assert outbox.end_offset(COVERAGE) == 1

    log.append([numbered(1), numbered(2), opened(3)])

    assert outbox.end_offset(COVERAGE) == 3
    assert outbox.end_offset(FLAGS) == 4


def test_what_was_acknowledged_ahead_is_not_read_again(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    log.append([opened(number, "abaab"[number - 1]) for number in range(1, 6)])

    outbox.acknowledge(FLAGS, Position(1, {0: 0}), records(outbox, 2))
    assert [record.offset for record in outbox.read(FLAGS, 1, 2)] == [1, 3]
    assert outbox.backlog(FLAGS) == 4

    outbox.acknowledge(FLAGS, Position(1, {0: 1}), records(outbox, 1, 3))
    assert [record.offset for record in outbox.read(FLAGS, 1, 9)] == [4, 5]

    outbox.acknowledge(FLAGS, Position(5, {0: 2}), records(outbox, 4))
    assert [record.offset for record in outbox.read(FLAGS, 5, 9)] == [5]
    assert outbox._file.rows("SELECT count(*) FROM ahead") == [(0,)]


def test_an_urgent_flag_comes_after_what_waits_of_its_stream_and_before_all_others(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    log.append([opened(1, "a"), opened(2, "b"), opened(3, "a"), opened(4, "b", severity="P0")])
    log.append([opened(5, "b"), opened(6, "c", severity="P0")])

    found = outbox.urgent(FLAGS, Position(), ALL, 10)

    assert found is not None
    assert [number_in_record(record) for record in found.records] == [2, 4, 6]
    assert found.last == 6


def test_urgent_flags_are_looked_for_between_two_places(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    log.append([opened(number, f"{number}", severity="P0") for number in range(1, 4)])

    found = outbox.urgent(FLAGS, Position(), range(2, 3), 10)

    assert found is not None
    assert [record.offset for record in found.records] == [2]
    assert found.last == 2
    assert outbox.urgent(FLAGS, Position(), range(4, 9), 10) is None
    assert outbox.urgent(FLAGS, Position(4), range(1, 9), 10) is None


def test_of_more_urgent_flags_than_there_is_room_for_the_newest_come(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    log.append([opened(number, f"{number}", severity="P0") for number in range(1, 4)])

    found = outbox.urgent(FLAGS, Position(), ALL, 2)

    assert found is not None
    assert [record.offset for record in found.records] == [2, 3]


def test_an_urgent_flag_that_was_acknowledged_is_urgent_no_more(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    log.append([opened(1), opened(2, severity="P0"), opened(3, severity="P0")])

    outbox.acknowledge(FLAGS, Position(1), records(outbox, 1, 2))
    found = outbox.urgent(FLAGS, Position(), ALL, 10)
    outbox.acknowledge(FLAGS, Position(4), records(outbox, 3))

    assert found is not None
    assert [record.offset for record in found.records] == [3]
    assert outbox.urgent(FLAGS, Position(4), ALL, 10) is None


def test_streams_share_the_room_so_that_none_waits_for_the_backlog_of_another(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    log.append([opened(number, "long") for number in range(20)])
    log.append([opened(20, "long", severity="P0"), opened(21, "short", severity="P0")])

    found = outbox.urgent(FLAGS, Position(), ALL, 10)

    assert found is not None
    assert [number_in_record(record) for record in found.records] == [0, 1, 2, 3, 4, 21]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from(["append", "ahead", "in order", "dead", "again", "anew", "prune"])),
)
def test_what_was_committed_is_acknowledged_waits_or_is_dead(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log") / "events.db"
    log = SqliteLog(path)
    outbox = SqliteOutbox(path)
    n_flags, place = 0, Position()

    for step in ["append", *steps]:
        waiting = outbox.read(FLAGS, place.next_offset, 3)
        match step:
            case "append":
                log.append([opened(n_flags + n, f"{n}", time_s=NOW_S) for n in range(3)])
                n_flags += 3
            case "ahead" if waiting:
                key = waiting[-1].key
                of_key = [record for record in waiting if record.key == key]
                outbox.acknowledge(FLAGS, place, of_key)
            case "in order" | "dead" if waiting:
                if step == "dead":
                    outbox.bury(waiting[0], "refused", NOW_S)
                place = Position(waiting[0].offset + 1)
                outbox.acknowledge(FLAGS, place, waiting[:1])
            case "again":
                letters = DeadLetters(path)
                letters.send_again([letter.id for letter in letters.all()], NOW_S)
                letters.close()
            case "anew":
                outbox.begin_anew(FLAGS)
                place = Position()
            case "prune":
                log.prune(NOW_S + 9, {FLAGS: 1.0}, has_broker=True)
        tally = outbox.tally(FLAGS)
        assert tally.committed == tally.acknowledged + tally.waiting + tally.dead == n_flags
        assert outbox.backlog(FLAGS) == tally.waiting
    log.close()
    outbox.close()


def test_an_event_that_comes_twice_is_committed_once(log: SqliteLog, outbox: SqliteOutbox) -> None:
    log.append([numbered(1), numbered(1)])

    log.append([numbered(1), numbered(2)])

    assert outbox.tally(COVERAGE) == Tally(2, 0, 2, 0)


def test_what_was_pruned_without_a_broker_was_never_there_to_be_delivered(
    log: SqliteLog, outbox: SqliteOutbox
) -> None:
    log.append([opened(number, "aab"[number - 1], time_s=NOW_S) for number in range(1, 4)])
    outbox.acknowledge(FLAGS, Position(2), records(outbox, 1, 3))

    log.prune(NOW_S + 9, {FLAGS: 1.0}, has_broker=False)

    assert log.read(1) == []
    assert outbox.tally(FLAGS) == Tally(2, 2, 0, 0)


LATER = """
DROP TABLE put_aside;
DROP TABLE tally; DROP TABLE ahead; DROP INDEX events_urgent; DROP INDEX events_by_key;
ALTER TABLE events DROP COLUMN severity; PRAGMA user_version = 3
"""
"""What takes a log of this version back to the third."""


def as_version_3(path: Path) -> None:
    """Make a log as the third version left it: of four flags two were sent, one of them dead."""
    with SqliteLog(path) as log:
        log.append([opened(number, severity="P0") for number in range(1, 5)])
    outbox = SqliteOutbox(path)
    first, *_ = outbox.read(FLAGS, 1, 1)
    outbox.bury(first, "refused", NOW_S)
    outbox.acknowledge(FLAGS, Position(3), outbox.read(FLAGS, 1, 2))
    outbox.close()
    connection = apsw.Connection(str(path))
    connection.execute(LATER).fetchall()
    connection.close()


def test_a_log_of_the_third_version_is_brought_up_and_its_account_is_squared(path: Path) -> None:
    as_version_3(path)

    outbox = SqliteOutbox(path)

    assert outbox.tally(FLAGS) == Tally(4, 1, 2, 1)
    assert [record.offset for record in outbox.read(FLAGS, 3, 9)] == [3, 4]
    assert outbox.urgent(FLAGS, Position(3), ALL, 9) is None
    with SqliteLog(path) as log:
        log.append([opened(5, severity="P0")])
    assert outbox.tally(FLAGS) == Tally(5, 1, 3, 1)
    outbox.close()


def as_version_1(path: Path) -> None:
    """Make a log as the first version left it."""
    with SqliteLog(path) as log:
        log.append([numbered(1)])
    connection = apsw.Connection(str(path))
    connection.execute(LATER).fetchall()
    connection.execute(
        "DROP TABLE delivery; DROP TABLE dead; DROP TABLE sessions; DROP TABLE open_flags;"
        "PRAGMA user_version = 1"
    ).fetchall()
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
