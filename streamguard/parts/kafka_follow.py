"""Follows topics of Kafka: reads what is new, hands it on, and keeps that it was.

Rule: this module is imported only where it is configured; while no broker answers, or what is read
cannot be kept, it tries again and again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import structlog

from streamguard.adapters.kafka_client import route_client_log
from streamguard.adapters.kafka_reader import Heard, KafkaReader
from streamguard.adapters.sqlite_copies import SqliteCopies
from streamguard.core.backoff import delay_s
from streamguard.core.errors import BrokerUnavailable, LogUnavailable
from streamguard.core.events import Topic
from streamguard.parts.decision_door import Door
from streamguard.parts.kafka_parts import kafka_options
from streamguard.runtime.stop import Stop
from streamguard.settings import Settings

Take = Callable[[Sequence[Heard]], Awaitable[None]]
"""Keeps what was read; what it raises LogUnavailable for is read again."""

log = structlog.get_logger()


async def follow(reader: KafkaReader, door: Door, take: Take, stop: Stop) -> None:
    """Read until `stop`; what is no event of ours is passed over, with a word in the log."""
    route_client_log()
    n_failures = 0
    while not stop.is_set():
        try:
            await reader.open()
            log.info("kafka_followed", topics=reader.topics)
            while not stop.is_set():
                heard = await reader.read()
                if any(one.record is None for one in heard):
                    log.warning("event_not_understood", topics=reader.topics)
                await take(door.let_in([one for one in heard if one.record is not None]))
                if heard:
                    await reader.commit()
                n_failures = 0
        except (BrokerUnavailable, LogUnavailable) as error:
            n_failures += 1
            log.warning("kafka_not_read", topics=reader.topics, problem=str(error))
        finally:
            await reader.close()
        if not stop.is_set():
            await asyncio.sleep(delay_s(n_failures + 1, random.random()))  # noqa: S311  # spreads, hides nothing


async def keep_taking(settings: Settings, door: Door, stop: Stop) -> None:
    """Take into the log what others publish to the topics of `[kafka] take`, until `stop`.

    Raises:
        LogUnavailable: the log cannot be opened.
    """
    copies = SqliteCopies(settings.log.file)

    async def take(heard: Sequence[Heard]) -> None:
        records = [one.record for one in heard if one.record is not None]
        if records:
            await asyncio.to_thread(copies.take, records)

    topics = [Topic(topic) for topic in settings.kafka.take]
    reader = KafkaReader(kafka_options(settings.kafka), settings.kafka.take_group, topics)
    try:
        await follow(reader, door, take, stop)
    finally:
        copies.close()
