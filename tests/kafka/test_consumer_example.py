"""The example of a consumer, run as a program of its own against both lines of Apache Kafka."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event as Waiting
from time import monotonic

import pytest
from jsonschema import Draft202012Validator

from loadtest.kafka_broker import ApacheKafka
from loadtest.made_events import number_in, opened
from streamguard import contracts
from streamguard.adapters.kafka_client import KafkaOptions
from streamguard.adapters.kafka_producer import KafkaProducer
from streamguard.adapters.kafka_topics import topic_spec
from streamguard.core.events import EventType, Topic
from streamguard.core.record import Message, Record, message_of, reduced, row_of

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parent.parent.parent / "configs" / "kafka_consumer.py"
CONTRACT = Path(contracts.__file__).parent / f"{EventType.FLAG_OPENED}.json"
STREAMS = ("lobby", "garden", "kitchen")
DEADLINE_S = 60.0


def record(number: int, n_signals: int = 1) -> Record:
    row = row_of(opened(number, STREAMS[number % len(STREAMS)], n_signals=n_signals))
    fields = {name: getattr(row, name) for name in ("topic", "key", "id", "type", "recorded_s")}
    return Record(offset=number, body=row.body, **fields)


def publish(bootstrap: str, messages: Sequence[Message]) -> None:
    async def send() -> None:
        producer = KafkaProducer(KafkaOptions(bootstrap), topic_spec(Topic.FLAGS, 2, 1))
        try:
            await producer.open()
            await producer.make_topic()
            await producer.send(messages)
        finally:
            await producer.close()

    asyncio.run(send())


def first(n_events: int) -> list[Message]:
    return [message_of(record(number)) for number in range(n_events)]


@contextmanager
def consuming(bootstrap: str, queue: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the example, and end it as a power cut would."""
    process = subprocess.Popen([sys.executable, EXAMPLE, bootstrap, queue], stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def rows(queue: Path) -> list[tuple[str, str, str, str, str | None]]:
    """Read the queue in the order in which it grew."""
    if not queue.exists():
        return []
    with closing(sqlite3.connect(queue)) as opened_queue:
        try:
            return opened_queue.execute("SELECT * FROM events ORDER BY rowid").fetchall()
        except sqlite3.OperationalError:  # the table is not there yet
            return []


def wait_for_rows(queue: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    waiting, deadline_s = Waiting(), monotonic() + DEADLINE_S
    while len(rows(queue)) < count:
        assert process.poll() is None, "the example has ended"
        assert monotonic() < deadline_s, f"{len(rows(queue))} of {count}"
        waiting.wait(0.05)


def test_a_consumer_that_is_killed_has_each_flag_once_in_the_order_of_its_stream(
    any_apache: ApacheKafka, tmp_path: Path
) -> None:
    bootstrap, queue = any_apache.bootstrap, tmp_path / "queue.db"
    publish(bootstrap, first(30))
    with consuming(bootstrap, queue) as killed:
        wait_for_rows(queue, 30, killed)
    publish(bootstrap, first(60))  # the first half comes again

    with consuming(bootstrap, queue) as again:
        wait_for_rows(queue, 60, again)

    taken = rows(queue)
    contract = json.loads(CONTRACT.read_text(encoding="utf-8"))
    flag = Draft202012Validator({**contract["$defs"]["FlagData"], "$defs": contract["$defs"]})
    assert len(taken) == len({event_id for event_id, *_ in taken}) == 60
    assert {event_type for _, _, event_type, *_ in taken} == {EventType.FLAG_OPENED}
    assert all(flag.is_valid(json.loads(data)) for *_, data, _ in taken)
    for at, stream_id in enumerate(STREAMS):
        numbers = [
            number_in(data.encode()) for _, stream, _, data, _ in taken if stream == stream_id
        ]
        assert numbers == list(range(at, 60, len(STREAMS)))


@pytest.mark.parametrize("order", ["stub, whole", "whole, stub"])
def test_a_flag_that_came_cut_down_gives_way_to_the_whole_one_and_never_the_other_way_round(
    apache: ApacheKafka, tmp_path: Path, order: str
) -> None:
    """As `dead-letters send` sends what the broker refused at first, under the same id."""
    flag, queue = record(0, n_signals=4), tmp_path / "queue.db"
    *_, stub = reduced(flag)
    sent = {"stub": message_of(stub, "refused", is_replayed=True), "whole": message_of(flag)}
    last = record(len(STREAMS))  # of the same stream: once it is there, all before it is
    publish(apache.bootstrap, [sent[name] for name in order.split(", ")] + [message_of(last)])

    with consuming(apache.bootstrap, queue) as process:
        wait_for_rows(queue, 2, process)

    assert [(event_id, data, why) for event_id, _, _, data, why in rows(queue)] == [
        (one.id, message_of(one).value.decode(), None) for one in (flag, last)
    ]


def test_the_example_is_thirty_lines_at_most() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 30
