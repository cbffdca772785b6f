"""What came cut down at first, and whole later, is whole in a log that takes copies."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from loadtest.kafka_broker import ApacheKafka
from loadtest.made_events import opened
from streamguard.adapters.kafka_client import KafkaOptions
from streamguard.adapters.kafka_producer import KafkaProducer
from streamguard.adapters.kafka_reader import Heard, KafkaReader
from streamguard.adapters.kafka_topics import topic_spec
from streamguard.adapters.sqlite_copies import SqliteCopies
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.events import Topic
from streamguard.core.record import Message, Record, message_of, reduced, row_of

pytestmark = pytest.mark.integration

DEADLINE_S = 60.0


def flag() -> Record:
    row = row_of(opened(1, n_signals=4))
    return Record(1, row.topic, row.key, row.id, row.type, row.recorded_s, row.body)


async def through(options: KafkaOptions, messages: list[Message]) -> list[Heard]:
    """Send messages, and read as many."""
    producer = KafkaProducer(options, topic_spec(Topic.FLAGS, 1, 1))
    reader = KafkaReader(options, "console", [Topic.FLAGS])
    heard: list[Heard] = []
    async with asyncio.timeout(DEADLINE_S):
        try:
            await producer.open()
            await producer.make_topic()
            await producer.send(messages)
            await reader.open()
            while len(heard) < len(messages):
                heard += await reader.read()
        finally:
            await producer.close()
            await reader.close()
    return heard


def test_a_flag_that_came_cut_down_is_whole_in_the_end(apache: ApacheKafka, tmp_path: Path) -> None:
    whole = flag()
    *_, stub = reduced(whole)
    sent = [message_of(stub, "refused", is_replayed=True), message_of(whole)]

    heard = asyncio.run(through(KafkaOptions(apache.bootstrap), sent))

    records = [one.record for one in heard if one.record is not None]
    with (
        SqliteLog(tmp_path / "log.db") as log,
        closing(SqliteCopies(tmp_path / "log.db")) as copies,
    ):
        n_new = [copies.take([record]) for record in records]
        [kept] = log.read(1)
    assert n_new == [1, 1]
    assert message_of(records[0]).value == message_of(stub).value
    assert dict(message_of(records[0]).headers)["ce_reduced"] == b"refused"
    assert dict(message_of(kept).headers) == dict(message_of(whole).headers)
    assert message_of(kept).value == message_of(whole).value
