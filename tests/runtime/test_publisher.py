import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from loadtest.made_events import number_in, opened
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.delivery_ports import Outcome
from streamguard.core.events import Topic
from streamguard.runtime import delivery
from streamguard.runtime.publisher import Publisher
from tests.memory_broker import Cluster, MemoryBroker

DEADLINE_S = 60.0


class Deaf:
    """A DeliveryMeter that nobody looks at."""

    def sent(self, outcome: Outcome) -> None: ...

    def failed(self, reason: str) -> None: ...

    def flag_acknowledged(self, ingest_to_ack_s: float) -> None: ...


class Stage:
    """A log, brokers in memory, and a publisher between them that has started."""

    def __init__(self, path: Path) -> None:
        self.log = SqliteLog(path)
        self.outbox = SqliteOutbox(path)
        self.cluster = Cluster()
        brokers = {topic: MemoryBroker(self.cluster, topic) for topic in Topic}
        self.publisher = Publisher(self.outbox, brokers, SystemClock(), Deaf())

    @property
    def numbers(self) -> list[int]:
        partitions = self.cluster.topics.get(Topic.FLAGS, [])
        return [number_in(one.value) for partition in partitions for one in partition]


def wait_until(claim: Callable[[], bool]) -> None:
    """Look again and again, for another thread is at work."""
    waiting, deadline_s = threading.Event(), time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline_s
        waiting.wait(0.001)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "events.db")
    made.publisher.start()
    yield made
    made.publisher.stop(1.0)
    made.log.close()
    made.outbox.close()


def test_all_is_well_once_every_topic_is_reached(stage: Stage) -> None:
    wait_until(lambda: stage.publisher.problem() is None)

    assert set(stage.cluster.topics) == set(Topic)


def test_news_are_sent_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks for news by itself here, so only `wake` can have sent it."""
    monkeypatch.setattr(delivery, "POLL_S", 10 * DEADLINE_S)
    wait_until(lambda: stage.publisher.problem() is None)

    stage.log.append([opened(1)])
    stage.publisher.wake()
    wait_until(lambda: stage.numbers == [1])
    stage.log.append([opened(2)])
    stage.publisher.wake()

    wait_until(lambda: stage.numbers == [1, 2])


def test_what_another_process_appended_is_found_without_a_word(stage: Stage) -> None:
    stage.log.append([opened(1)])

    wait_until(lambda: stage.numbers == [1])


def test_the_backlog_is_what_waits(stage: Stage) -> None:
    stage.cluster.is_down = True
    stage.log.append([opened(1), opened(2)])

    wait_until(lambda: stage.publisher.problem() == "down")

    assert stage.publisher.backlog() == 2


def test_a_stop_sends_what_is_left_and_says_so(stage: Stage) -> None:
    stage.log.append([opened(n) for n in range(500)])

    with capture_logs() as said:
        stage.publisher.stop(DEADLINE_S)

    assert stage.numbers == list(range(500))
    assert said[-1]["event"] == "publisher_stopped"
    assert said[-1]["n_left"] == 0
    assert stage.publisher.problem() == "the publisher is not running"


def test_a_stop_counts_what_stays_in_the_log(stage: Stage) -> None:
    stage.cluster.is_down = True
    stage.log.append([opened(1)])

    with capture_logs() as said:
        stage.publisher.stop(DEADLINE_S)

    stopped = said[-1]
    assert (stopped["event"], stopped["n_left"]) == ("publisher_stopped", 1)
    assert stopped["log_level"] == "warning"


def test_turns_of_threads_are_short_only_while_it_runs(tmp_path: Path) -> None:
    before_s, stage = sys.getswitchinterval(), Stage(tmp_path / "events.db")
    stage.publisher.start()
    meanwhile_s = sys.getswitchinterval()
    stage.publisher.stop(1.0)

    assert meanwhile_s < before_s
    assert sys.getswitchinterval() == before_s
    stage.log.close()
    stage.outbox.close()


def test_news_after_the_end_are_no_error(stage: Stage) -> None:
    stage.publisher.stop(1.0)

    stage.publisher.wake()


class Stuck(MemoryBroker):
    """Never answers."""

    async def open(self) -> bool:
        await asyncio.Event().wait()
        return False


def test_a_stop_ends_in_time_whatever_the_broker_does(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with SqliteLog(path) as log:
        log.append([opened(1)])
    outbox = SqliteOutbox(path)
    publisher = Publisher(
        outbox, {Topic.FLAGS: Stuck(Cluster(), Topic.FLAGS)}, SystemClock(), Deaf()
    )
    publisher.start()
    began_s = time.monotonic()

    publisher.stop(0.1)

    assert time.monotonic() - began_s < 5
    assert publisher.backlog() == 1
    assert not publisher._thread.is_alive()
    outbox.close()
    assert publisher.problem() == "the publisher is not running"
