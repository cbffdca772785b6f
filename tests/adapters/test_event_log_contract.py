"""What every event log promises, whatever it is."""

import json
import resource
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.made_events import opened
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.stdout_log import StdoutLog
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import Event
from streamguard.core.ports import EventLog


class Kept(ABC):
    """A log, and a reader of what it has committed."""

    log: EventLog

    @abstractmethod
    def __init__(self, folder: Path) -> None: ...

    @abstractmethod
    def bodies(self) -> list[str]:
        """Give what a reader sees, in order."""

    @abstractmethod
    def close(self) -> None:
        """Release what it holds."""


class KeptBySqlite(Kept):
    def __init__(self, folder: Path) -> None:
        self._path = folder / "events.db"
        self.log = SqliteLog(self._path)

    def bodies(self) -> list[str]:
        with SqliteLog.open_reader(self._path) as reader:
            return [record.body for record in reader.read(1, limit=10_000)]

    def close(self) -> None:
        assert isinstance(self.log, SqliteLog)
        self.log.close()


class KeptByStdout(Kept):
    def __init__(self, folder: Path) -> None:
        self._path = folder / "events.jsonl"
        self._stream = self._path.open("w")
        self.log = StdoutLog(self._stream)

    def bodies(self) -> list[str]:
        return self._path.read_text().splitlines()

    def close(self) -> None:
        self._stream.close()


@pytest.fixture(params=[KeptBySqlite, KeptByStdout], ids=["sqlite", "stdout"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    made: Kept = request.param(tmp_path)
    yield made
    made.close()


def bodies(*events: Event) -> list[str]:
    return [event.to_json() for event in events]


def test_events_are_committed_whole_and_in_order(kept: Kept) -> None:
    kept.log.append([opened(2), opened(1)])
    kept.log.append([opened(3)])

    assert kept.bodies() == bodies(opened(2), opened(1), opened(3))


def test_no_events_change_nothing(kept: Kept) -> None:
    kept.log.append([opened(1)])

    kept.log.append([])

    assert kept.bodies() == bodies(opened(1))


def test_an_id_seen_before_is_ignored_and_the_rest_of_the_batch_is_not(kept: Kept) -> None:
    kept.log.append([opened(1), opened(2)])

    kept.log.append([opened(2, time_s=5.0), opened(3), opened(3), opened(1)])

    assert kept.bodies() == bodies(opened(1), opened(2), opened(3))


@pytest.mark.parametrize("kind", [KeptBySqlite, KeptByStdout], ids=["sqlite", "stdout"])
@given(batches=st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6))
def test_each_event_is_there_once_in_the_order_in_which_it_first_came(
    tmp_path_factory: pytest.TempPathFactory, kind: type[Kept], batches: list[list[int]]
) -> None:
    kept = kind(tmp_path_factory.mktemp("log"))

    for batch in batches:
        kept.log.append([opened(number) for number in batch])

    told = [json.loads(body)["data"]["window"]["start_pts_ms"] for body in kept.bodies()]
    assert told == list(dict.fromkeys(number for batch in batches for number in batch))
    kept.close()


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file of this process grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_in_one_line_and_what_was_there_stands(kept: Kept) -> None:
    kept.log.append([opened(1)])

    with full_disk(), pytest.raises(LogUnavailable) as caught:
        kept.log.append([opened(2)])

    assert "\n" not in str(caught.value)
    assert caught.value.retriable
    assert kept.bodies() == bodies(opened(1))


def test_after_space_was_made_the_same_batch_is_committed_in_order(kept: Kept) -> None:
    kept.log.append([opened(1)])
    with full_disk(), pytest.raises(LogUnavailable):
        kept.log.append([opened(2), opened(3)])

    kept.log.append([opened(2), opened(3)])
    kept.log.append([opened(4)])

    assert kept.bodies() == bodies(opened(1), opened(2), opened(3), opened(4))
