"""Copies of what others published, in a log that is delivered itself: never sent back."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtest.made_events import number_in, number_in_record, opened
from streamguard.adapters.sqlite_copies import SqliteCopies
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.delivery_ports import Tally
from streamguard.core.events import Topic
from streamguard.core.record import Record, reduced, row_of
from streamguard.runtime.delivery import Delivery
from tests.clock import EPOCH_S, FakeClock
from tests.memory_broker import N_PARTITIONS, Cluster, MemoryBroker
from tests.runtime.test_delivery import Counts

TOPIC = Topic.FLAGS
STREAMS = ("lobby", "attic")


class Stage:
    """A log that is delivered to a broker in memory, and takes copies from elsewhere."""

    def __init__(self, path: Path) -> None:
        self.log = SqliteLog(path)
        self.outbox = SqliteOutbox(path)
        self.copies = SqliteCopies(path)
        self.cluster = Cluster({TOPIC: [[] for _ in range(N_PARTITIONS)]})  # copies came from it
        self.delivery = self.another()

    def another(self) -> Delivery:
        broker = MemoryBroker(self.cluster, TOPIC)
        return Delivery(TOPIC, self.outbox, broker, FakeClock(), Counts(), lambda: 0.0)

    def take(self, *numbers: int, stream_id: str = "lobby") -> int:
        return self.copies.take([copy_of(number, stream_id) for number in numbers])

    def deliver(self) -> None:
        async def whole() -> None:
            stop = asyncio.Event()
            async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
                tasks.create_task(self.delivery.keep(stop))
                while self.outbox.backlog(TOPIC):  # noqa: ASYNC110  # it looks at a file
                    await asyncio.sleep(0)
                stop.set()
                self.delivery.wake()

        asyncio.run(whole())

    def arrived(self) -> list[int]:
        parts = self.cluster.topics.get(TOPIC, [])
        return [number_in(one.value) for part in parts for one in part]

    def close(self) -> None:
        for one in (self.log, self.outbox, self.copies):
            one.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "events.db")
    yield made
    made.close()


def copy_of(number: int, stream_id: str, n_signals: int = 1) -> Record:
    row = row_of(opened(number, stream_id, n_signals=n_signals))
    return Record(7, row.topic, row.key, row.id, row.type, row.recorded_s, row.body)


def test_a_copy_is_in_the_log_once_and_is_not_sent_back(stage: Stage) -> None:
    assert stage.take(1, 2) == 2
    assert stage.take(2, 3) == 1

    stage.deliver()

    assert [number_in_record(record) for record in stage.log.read(1)] == [1, 2, 3]
    assert stage.arrived() == []
    tally = stage.outbox.tally(TOPIC)
    assert (tally.committed, tally.acknowledged, tally.waiting) == (3, 3, 0)


def test_what_is_our_own_is_sent_past_copies(stage: Stage) -> None:
    stage.take(1)
    stage.log.append([opened(2, "lobby")])
    stage.take(3, stream_id="attic")
    stage.log.append([opened(4, "attic")])

    stage.deliver()

    assert sorted(stage.arrived()) == [2, 4]


def test_a_copy_behind_our_own_of_its_stream_goes_out_after_it(stage: Stage) -> None:
    stage.log.append([opened(1, "lobby")])
    stage.take(2)

    stage.deliver()

    assert stage.arrived() == [1, 2]


def cut_down(record: Record) -> Record:
    *_, stub = reduced(record)
    return replace(stub, body=json.dumps({**json.loads(stub.body), "reduced": "refused"}))


def test_what_came_cut_down_gives_way_to_the_whole_of_it(stage: Stage) -> None:
    """It comes at the end, so that whoever follows the log sees it."""
    whole = copy_of(1, "lobby", n_signals=4)
    stage.copies.take([cut_down(whole)])
    stage.take(2)

    n_new = stage.copies.take([whole])
    n_again = stage.copies.take([cut_down(whole), whole])

    assert (n_new, n_again) == (1, 0)
    assert [number_in_record(record) for record in stage.log.read(1)] == [2, 1]
    assert stage.log.read(1)[-1].body == whole.body
    assert stage.outbox.tally(TOPIC) == Tally(2, 2, 0, 0)


def test_the_account_adds_up_where_the_stub_waits_behind_our_own(stage: Stage) -> None:
    whole = copy_of(2, "lobby", n_signals=4)
    stage.log.append([opened(1, "lobby")])
    stage.copies.take([cut_down(whole)])
    before = stage.outbox.tally(TOPIC)

    stage.copies.take([whole])
    after = stage.outbox.tally(TOPIC)
    stage.deliver()

    assert before == after == Tally(2, 0, 2, 0)
    assert stage.arrived() == [1, 2]
    assert stage.outbox.tally(TOPIC) == Tally(2, 2, 0, 0)


def test_a_log_of_copies_alone_can_be_pruned(stage: Stage) -> None:
    stage.take(1, 2, 3)

    report = stage.log.prune(EPOCH_S + 1e9, {TOPIC: 1.0}, has_broker=True)

    assert report.n_removed == 3


def test_what_was_sent_before_a_start_stays_sent(stage: Stage) -> None:
    stage.log.append([opened(1, "lobby")])
    stage.deliver()
    stage.take(2, stream_id="attic")

    stage.delivery = stage.another()
    stage.deliver()

    assert stage.arrived() == [1]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["own", "copy", "deliver", "start"]), st.sampled_from(STREAMS)),
        max_size=30,
    )
)
def test_own_events_arrive_once_and_in_order_whatever_comes_between(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("log") / "events.db"
    stage = Stage(path)
    own: dict[str, tuple[int, ...]] = dict.fromkeys(STREAMS, ())
    try:
        for number, (step, stream_id) in enumerate(steps):
            if step == "own":
                stage.log.append([opened(number, stream_id)])
                own[stream_id] = (*own[stream_id], number)
            elif step == "copy":
                stage.take(number, stream_id=stream_id)
            elif step == "deliver":
                stage.deliver()
            else:
                SqliteCopies(path).close()
                stage.delivery = stage.another()
        stage.deliver()

        arrived = stage.arrived()
        for numbers in own.values():
            assert [one for one in arrived if one in numbers] == list(numbers)
        assert len(arrived) == len(set(arrived))
        tally = stage.outbox.tally(TOPIC)
        assert tally.committed == tally.acknowledged + tally.waiting + tally.dead
        assert tally.waiting == 0
    finally:
        stage.close()
