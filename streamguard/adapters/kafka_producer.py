"""Delivers one topic to Kafka with aiokafka.

Rule: at most one batch of a partition is under way, and a batch is appended whole or not at all; so
whatever is lost and sent again, the first appearance of each event is in the order of its stream.
Without idempotence: a partition without a leader makes that client skip sequence numbers, and then
no batch is taken any more; ids make a record that comes twice harmless. Kafka's own timestamp of a
record is the instant of sending; when a thing happened is in the headers.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from streamguard.adapters.failpoint import reach
from streamguard.adapters.kafka_client import REQUEST_TIMEOUT_S, KafkaOptions, answered
from streamguard.adapters.kafka_topics import TopicSpec, make_missing
from streamguard.core.errors import BrokerDenied, BrokerUnavailable, RecordRefused, StreamguardError
from streamguard.core.record import Message, require_sendable

MAX_BATCH_BYTES = 256 * 1024
"""A quarter of what a broker takes unless told otherwise; one event is less than 64 KiB."""

SEND_TIMEOUT_S = 3 * REQUEST_TIMEOUT_S
"""For one batch; the library gives up sooner, at about twice the time of a request."""

LOOK_S = 0.2
"""How long a batch may be under way before we look whether anybody still leads its partition: for
one that nobody leads the library asks again and again, without a pause, until it gives up."""

LEADER_POLL_S = 0.02
CLOSE_TIMEOUT_S = 2.0


class KafkaProducer:
    """The Broker of one topic; made, opened and closed on one event loop."""

    def __init__(self, options: KafkaOptions, spec: TopicSpec) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigError: a file that the options name cannot be used.
        """
        options.arguments()
        self._spec = spec
        self._options = options
        self._choose = DefaultPartitioner()  # murmur2 of the key, as Java's clients do it
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> bool:
        """Connect, and make nothing; say whether the topic is missing.

        That it is, is asked of who would make it: what one broker knows may be old.
        """
        assert self._producer is None, "close it first"  # noqa: S101  # a bug of ours
        arguments = await asyncio.to_thread(self._options.arguments)  # its files may be new
        compression = self._options.compression
        async with answered(self._options.open_timeout_s):
            self._producer = AIOKafkaProducer(
                **arguments,
                acks="all",
                enable_idempotence=False,
                max_batch_size=MAX_BATCH_BYTES,
                compression_type=None if compression == "none" else compression,
            )
            await self._producer.start()
            missing = await make_missing(self._producer.client, [self._spec], dry_run=True)
            if not missing:
                await self._producer.partitions_for(self._spec.name)
        return bool(missing)

    async def make_topic(self) -> None:
        """Make the topic, and wait until it can be sent to; one that is there is left as it is."""
        producer = self._opened()
        async with answered(self._options.open_timeout_s):
            await make_missing(producer.client, [self._spec])
            reach("topic_made")
            partitions = await producer.partitions_for(self._spec.name)
            while partitions != self._led(producer):  # it takes a new topic a moment
                await asyncio.sleep(LEADER_POLL_S)
                await producer.client.force_metadata_update()

    async def send(self, messages: Sequence[Message]) -> Mapping[int, int]:
        """Have messages appended, those of one key in order; give offsets by partition."""
        producer = self._opened()
        require_sendable(messages)
        async with answered(SEND_TIMEOUT_S):
            partitions = sorted(await producer.partitions_for(self._spec.name))
        shares: dict[int, list[Message]] = {}
        for message in messages:
            shares.setdefault(self._choose(message.key, partitions, []), []).append(message)
        ends = await asyncio.gather(
            *(self._send_in_order(producer, *share) for share in shares.items()),
            return_exceptions=True,
        )
        _raise_worst([end for end in ends if isinstance(end, BaseException)])
        return dict(zip(shares, (end for end in ends if isinstance(end, int)), strict=True))

    async def probe(self) -> None:
        """Ask whether the topic is still there."""
        producer = self._opened()
        async with answered(SEND_TIMEOUT_S):
            has_answered = await producer.client.force_metadata_update()
        if not has_answered:
            raise BrokerUnavailable("Kafka does not answer any more: check the brokers")
        self._require_topic(producer)

    async def close(self) -> None:
        """Disconnect, whatever is still under way; closing twice is harmless."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        _give_up(producer)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await producer.stop()
        except TimeoutError:  # no broker answers, and it will not give up
            producer._sender.sender_task.cancel()  # noqa: SLF001  # there is no other way
            with suppress(TimeoutError, KafkaError, OSError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await producer.client.close()

    def _opened(self) -> AIOKafkaProducer:
        assert self._producer is not None, "open it first"  # noqa: S101  # a bug of ours
        return self._producer

    async def _send_in_order(
        self, producer: AIOKafkaProducer, partition: int, messages: Sequence[Message]
    ) -> int:
        """Send a partition's share, batch after batch; give the offset of the last batch."""
        offset = -1
        for batch in _batches(producer, messages):
            self._require_leader(producer, partition)
            async with answered(SEND_TIMEOUT_S):
                sent = await producer.send_batch(batch, self._spec.name, partition=partition)
                sent.add_done_callback(_see)
                reach("batch_under_way")
                while not (await asyncio.wait([sent], timeout=LOOK_S))[0]:
                    self._require_leader(producer, partition)
                offset = sent.result().offset
        return offset

    def _led(self, producer: AIOKafkaProducer) -> set[int] | None:
        """Give the partitions that some broker leads; None where there is no such topic."""
        led: set[int] | None
        led = producer.client.cluster.available_partitions_for_topic(self._spec.name)
        return led

    def _require_leader(self, producer: AIOKafkaProducer, partition: int) -> None:
        """Raise where no broker leads a partition now."""
        self._require_topic(producer)
        if partition not in (self._led(producer) or ()):
            raise BrokerUnavailable(f"no broker leads partition {partition} of {self._spec.name}")

    def _require_topic(self, producer: AIOKafkaProducer) -> None:
        """Raise where the brokers are known to have no such topic for us."""
        cluster = producer.client.cluster
        if self._spec.name in cluster.unauthorized_topics:
            raise BrokerDenied(f"Kafka does not let us see the topic {self._spec.name}")
        if cluster.partitions_for_topic(self._spec.name) is None:
            raise BrokerUnavailable(f"Kafka knows no topic {self._spec.name} any more")


def _see(sent: asyncio.Future[Any]) -> None:
    """Look at what became of a batch, even when nobody waits for it any more."""
    if not sent.cancelled():
        sent.exception()


def _give_up(producer: AIOKafkaProducer) -> None:
    """Let what is still under way expire, so that the producer does not want to send it first."""
    pending = producer._message_accumulator  # noqa: SLF001  # the library has no way to say it
    for batch in chain(*pending._batches.values(), pending._pending_batches):  # noqa: SLF001
        batch._ttl = 0.0  # noqa: SLF001
    for connection in producer.client._conns.values():  # noqa: SLF001
        connection.close()


def _batches(producer: AIOKafkaProducer, messages: Sequence[Message]) -> Iterator[BatchBuilder]:
    """Pack messages into as few batches as hold them, in order."""
    batch = producer.create_batch()
    for message in messages:
        if not _append(batch, message):
            yield batch
            batch = producer.create_batch()
            _append(batch, message)  # an empty batch takes any message
    yield batch


def _append(batch: BatchBuilder, message: Message) -> bool:
    added = batch.append(
        key=message.key, value=message.value, timestamp=None, headers=list(message.headers)
    )
    return added is not None


def _raise_worst(errors: Sequence[BaseException]) -> None:
    """Raise a bug before trouble with the broker, and that before a refusal."""
    if errors:
        ranks = (RecordRefused, StreamguardError, BaseException)
        raise max(errors, key=lambda error: [isinstance(error, rank) for rank in ranks].index(True))
