"""Reads topics of Kafka for what others wrote there, as events of our own log.

Rule: a place is committed only after what was read is on disk here; every await ends within a
bounded time. After BrokerUnavailable: `close`, then `open`.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamguard.adapters.kafka_client import KafkaOptions, answered
from streamguard.core.event_data import utc_seconds
from streamguard.core.events import Topic
from streamguard.core.record import Record

ASK_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 5.0
POLL_MS = 250
"""How long one question waits for something new."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message.

    record: the event in it, put together again; None where it is none.
    is_old: it was there before this group ever read its topic.
    """

    record: Record | None
    is_old: bool


class KafkaReader:
    """Topics, as a consumer group reads them; one task."""

    def __init__(self, options: KafkaOptions, group: str, topics: Sequence[Topic]) -> None:
        self._options = options
        self.topics = [str(topic) for topic in topics]
        self._group = group
        self._consumer: AIOKafkaConsumer | None = None
        self._old_before: dict[TopicPartition, int] = {}

    async def open(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: no broker answers, or none lets us.
        """
        self._consumer = AIOKafkaConsumer(
            *self.topics,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **self._options.arguments(),
        )
        async with answered(self._options.open_timeout_s):
            await self._consumer.start()

    async def read(self) -> list[Heard]:
        """Give what is new; nothing where nothing came for a moment.

        Raises:
            BrokerUnavailable: nobody answers.
        """
        consumer = self._opened()
        async with answered(ASK_TIMEOUT_S):
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=500)
            for partition in found:
                await self._look_back(consumer, partition)
        return [
            Heard(record_of(message), message.offset < self._old_before[partition])
            for partition, messages in found.items()
            for message in messages
        ]

    async def commit(self) -> None:
        """Keep that all that was read is done with; raises as `read` does."""
        async with answered(ASK_TIMEOUT_S):
            await self._opened().commit()

    async def close(self) -> None:
        """Disconnect; closing twice is harmless."""
        consumer, self._consumer = self._consumer, None
        self._old_before.clear()
        if consumer is not None:
            with suppress(TimeoutError, KafkaError, OSError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await consumer.stop()

    async def _look_back(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        """Learn once what of a partition was there before this group read it."""
        if partition in self._old_before:
            return
        committed = await consumer.committed(partition)
        ends = await consumer.end_offsets([partition])
        self._old_before[partition] = 0 if committed is not None else ends[partition]

    def _opened(self) -> AIOKafkaConsumer:
        assert self._consumer is not None, "open it first"  # noqa: S101  # a bug of ours
        return self._consumer


def record_of(message: Any) -> Record | None:
    """Put an event together again from CloudEvents' binary mode; None where it is none.

    That it was cut down stays with it, as the attribute `reduced`.
    """
    headers: Sequence[tuple[str, bytes]] = message.headers
    try:
        names = {name: value.decode() for name, value in headers}
        event = {name[3:]: value for name, value in names.items() if name.startswith("ce_")}
        event["datacontenttype"] = names["content-type"]
        event.pop("data", None)  # one that calls itself so is no attribute
        body = f'{_compact(event)[:-1]},"data":{_data(message.value)}}}'
        key = event["partitionkey"]
        recorded_s = utc_seconds(event["recordedtime"])
        about = (event["id"], event["type"], recorded_s, body)
        return Record(message.offset, message.topic, key, *about)
    except (KeyError, ValueError, TypeError, RecursionError):
        return None


def _data(value: bytes) -> str:
    """Give data as they are written, for they may be signed; what is no single line as one."""
    text = str(value, "utf-8")
    data = json.loads(text)
    return _compact(data) if "\n" in text or "\r" in text else text


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
