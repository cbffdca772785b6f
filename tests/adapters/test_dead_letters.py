import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.made_events import opened
from streamguard.adapters.dead_letters import DeadLetters
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.delivery_ports import Tally
from streamguard.core.errors import ConfigError
from streamguard.core.events import Topic
from streamguard.core.record import Position, Record

FLAGS = Topic.FLAGS
MADE_S, NOW_S = 1_000.0, 1_000_000.0
FLAG = opened(1, "lobby", severity="P0", time_s=MADE_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    """Give a log with two flags, none of them sent."""
    with SqliteLog(path) as made:
        made.append([FLAG, opened(2, "lobby", time_s=NOW_S)])
        yield made


@pytest.fixture
def outbox(path: Path, log: SqliteLog) -> Iterator[SqliteOutbox]:
    made = SqliteOutbox(path)
    yield made
    made.close()


@pytest.fixture
def letters(path: Path, log: SqliteLog) -> Iterator[DeadLetters]:
    made = DeadLetters(path)
    yield made
    made.close()


def refuse_first(outbox: SqliteOutbox) -> Record:
    """Bury the first flag, and have the other acknowledged."""
    first, second = outbox.read(FLAGS, 1, 2)
    outbox.bury(first, "too large", NOW_S)
    outbox.acknowledge(FLAGS, Position(second.offset + 1), [first, second])
    return first


def test_a_dead_letter_is_told_with_its_reason(outbox: SqliteOutbox, letters: DeadLetters) -> None:
    first = refuse_first(outbox)

    [letter] = letters.all()

    assert (letter.id, letter.topic, letter.problem) == (FLAG.id, FLAGS, "too large")
    assert (letter.buried_s, letter.body) == (NOW_S, first.body)


def test_one_that_is_sent_again_waits_at_the_end_as_it_was(
    outbox: SqliteOutbox, letters: DeadLetters
) -> None:
    first = refuse_first(outbox)
    place = outbox.position(FLAGS)

    assert letters.send_again([first.id], NOW_S) == 1

    [waiting] = outbox.read(FLAGS, place.next_offset, 9)
    assert waiting.offset > first.offset
    assert (waiting.id, waiting.key, waiting.type) == (first.id, "lobby", first.type)
    assert (waiting.recorded_s, waiting.body) == (NOW_S, first.body)
    assert outbox.tally(FLAGS) == Tally(2, 1, 1, 0)
    assert letters.all() == []


def test_one_that_is_urgent_is_urgent_again(outbox: SqliteOutbox, letters: DeadLetters) -> None:
    first = refuse_first(outbox)

    letters.send_again([first.id], NOW_S)

    found = outbox.urgent(FLAGS, outbox.position(FLAGS), range(1, 100), 9)
    assert found is not None
    assert [record.id for record in found.records] == [first.id]


def test_one_that_was_pruned_from_the_log_is_sent_again_all_the_same(
    log: SqliteLog, outbox: SqliteOutbox, letters: DeadLetters
) -> None:
    first = refuse_first(outbox)
    log.prune(NOW_S, {FLAGS: 10.0}, has_broker=True)
    assert [json.loads(record.body)["id"] == first.id for record in log.read(1)] == [False]

    assert letters.send_again([first.id], NOW_S) == 1

    assert outbox.tally(FLAGS) == Tally(2, 1, 1, 0)


def test_one_that_the_publisher_has_not_moved_on_from_stays(
    outbox: SqliteOutbox, letters: DeadLetters
) -> None:
    [first] = outbox.read(FLAGS, 1, 1)
    outbox.bury(first, "too large", NOW_S)

    assert letters.send_again([first.id], NOW_S) == 0

    assert [letter.id for letter in letters.all()] == [first.id]


def test_others_stay_dead(outbox: SqliteOutbox, letters: DeadLetters) -> None:
    refuse_first(outbox)

    assert letters.send_again(["another"], NOW_S) == 0

    assert len(letters.all()) == 1


def test_there_are_none_without_a_log(path: Path) -> None:
    with pytest.raises(ConfigError, match="no event log"):
        DeadLetters(path)


def test_one_that_is_dropped_is_no_longer_dead_and_stays_in_the_log(
    log: SqliteLog, outbox: SqliteOutbox, letters: DeadLetters
) -> None:
    first = refuse_first(outbox)
    place = outbox.position(FLAGS)

    assert letters.drop([first.id]) == 1

    assert letters.all() == []
    assert outbox.tally(FLAGS) == Tally(2, 2, 0, 0)
    assert outbox.read(FLAGS, place.next_offset, 9) == []
    assert log.event(first.id) == first


def test_the_account_adds_up_when_a_broker_forgets_what_was_dropped_and_it_is_pruned(
    log: SqliteLog, outbox: SqliteOutbox, letters: DeadLetters
) -> None:
    first = refuse_first(outbox)
    letters.drop([first.id])

    outbox.begin_anew(FLAGS)
    forgotten = outbox.tally(FLAGS)
    log.prune(NOW_S, {FLAGS: NOW_S - MADE_S - 1}, has_broker=False)

    assert forgotten == Tally(2, 0, 2, 0)
    assert outbox.tally(FLAGS) == Tally(1, 0, 1, 0)


def test_one_that_the_publisher_has_not_moved_on_from_cannot_be_dropped(
    outbox: SqliteOutbox, letters: DeadLetters
) -> None:
    first = outbox.read(FLAGS, 1, 1)[0]
    outbox.bury(first, "too large", NOW_S)

    assert letters.drop([first.id]) == 0
    assert [letter.id for letter in letters.all()] == [first.id]


def test_only_those_that_were_named_are_dropped(outbox: SqliteOutbox, letters: DeadLetters) -> None:
    refuse_first(outbox)

    assert letters.drop(["another"]) == 0
    assert len(letters.all()) == 1
