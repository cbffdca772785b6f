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
from streamguard.core.record import Message, Record, message_of, row_of

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parent.parent.parent / "configs" / "kafka_consumer.py"
CONTRACT = Path(contracts.__file__).parent / f"{EventType.FLAG_OPENED}.json"
STREAMS = ("lobby", "garden", "kitchen")
DEADLINE_S = 60.0


def message(number: int) -> Message:
    row = row_of(opened(number, STREAMS[number % len(STREAMS)]))
    fields = {name: getattr(row, name) for name in ("topic", "key", "id", "type", "recorded_s")}
    return message_of(Record(offset=number, body=row.body, **fields))


def publish(bootstrap: str, numbers: Sequence[int]) -> None:
    async def send() -> None:
        producer = KafkaProducer(KafkaOptions(bootstrap), topic_spec(Topic.FLAGS, 2, 1))
        try:
            await producer.open()
            await producer.send([message(number) for number in numbers])
        finally:
            await producer.close()

    asyncio.run(send())


@contextmanager
def consuming(bootstrap: str, queue: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the example, and end it as a power cut would."""
    process = subprocess.Popen([sys.executable, EXAMPLE, bootstrap, queue], stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def rows(queue: Path) -> list[tuple[str, str, str, str]]:
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
    publish(bootstrap, range(30))
    with consuming(bootstrap, queue) as killed:
        wait_for_rows(queue, 30, killed)
    publish(bootstrap, range(60))  # the first half comes again

    with consuming(bootstrap, queue) as again:
        wait_for_rows(queue, 60, again)

    taken = rows(queue)
    contract = json.loads(CONTRACT.read_text(encoding="utf-8"))
    flag = Draft202012Validator({**contract["$defs"]["FlagData"], "$defs": contract["$defs"]})
    assert len(taken) == len({event_id for event_id, *_ in taken}) == 60
    assert {event_type for _, _, event_type, _ in taken} == {EventType.FLAG_OPENED}
    assert all(flag.is_valid(json.loads(data)) for *_, data in taken)
    for at, stream_id in enumerate(STREAMS):
        numbers = [number_in(data.encode()) for _, stream, _, data in taken if stream == stream_id]
        assert numbers == list(range(at, 60, len(STREAMS)))


def test_the_example_is_thirty_lines_at_most() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 30
