"""The `dead-letters` verbs on a log that nobody publishes."""

from contextlib import closing
from pathlib import Path

import pytest

from loadtest.made_events import opened
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.delivery_ports import Tally
from streamguard.core.events import Topic
from streamguard.core.record import Position
from tests.processes import streamguard

pytestmark = pytest.mark.integration

FLAGS = [opened(number) for number in range(3)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Give a log whose flags were all refused for good."""
    file = tmp_path / "log.db"
    with SqliteLog(file) as event_log:
        event_log.append(FLAGS)
    with closing(SqliteOutbox(file)) as outbox:
        records = outbox.read(Topic.FLAGS, 1, 9)
        for record in records:
            outbox.bury(record, "too large", 0.0)
        outbox.acknowledge(Topic.FLAGS, Position(records[-1].offset + 1), records)
    return file


def tally(log: Path) -> Tally:
    with closing(SqliteOutbox(log)) as outbox:
        return outbox.tally(Topic.FLAGS)


def test_one_that_is_named_is_dropped_and_then_all_that_are_left(log: Path) -> None:
    one = streamguard("dead-letters", "drop", FLAGS[1].id, "--log", log)
    left = streamguard("dead-letters", "list", "--log", log).rows
    rest = streamguard("dead-letters", "drop", "--all", "--log", log)

    assert (one.code, one.out) == (0, "1 of 1 dropped\n")
    assert [row["id"] for row in left] == [FLAGS[0].id, FLAGS[2].id]
    assert (rest.code, rest.out) == (0, "2 of 2 dropped\n")
    assert tally(log) == Tally(3, 3, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [((), "name the ids of what is to be dropped, or give --all"), (("x",), "no dead letter x")],
)
def test_nothing_is_dropped_that_was_not_named(
    log: Path, arguments: tuple[str, ...], problem: str
) -> None:
    done = streamguard("dead-letters", "drop", *arguments, "--log", log)

    assert (done.code, problem in done.problem) == (2, True)
    assert tally(log) == Tally(3, 0, 0, 3)
