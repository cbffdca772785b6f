"""What every Broker keeps, the one in memory included: that is why it can be trusted."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TypeVar
from uuid import uuid4

import pytest

from loadtest.broker_process import BrokerMissing
from loadtest.kafka_broker import ApacheKafka
from loadtest.rtmp import free_ports
from loadtest.tansu import Tansu
from streamguard.adapters.kafka_client import KafkaOptions
from streamguard.adapters.kafka_producer import KafkaProducer
from streamguard.adapters.kafka_topics import TopicSpec
from streamguard.core.delivery_ports import Broker
from streamguard.core.errors import BrokerUnavailable, RecordRefused
from streamguard.core.record import MAX_MESSAGE_BYTES, Message
from tests.broker import GIVEN, Got, Reader
from tests.memory_broker import Cluster, MemoryBroker

T = TypeVar("T")
POLICY = {"cleanup.policy": "delete", "retention.ms": "3600000"}
BYTES = 40_000
PROCESSES = {"apache": "apache_process", "apache-3": "old_process", "tansu": "tansu"}


@dataclass(frozen=True)
class Site:
    """One kind of broker: how to reach one topic of it, how to read that, how to miss it."""

    reach: Callable[[str], Broker]
    read: Callable[[str, int], list[Got]]
    miss: Callable[[str], Broker]
    only_asks: bool = True
    """It makes no topic where it is only asked whether it would."""


def message(number: int, key: str = "lobby", size: int = 10) -> Message:
    headers = (("content-type", b"application/json"), ("ce_id", f"é-{number}".encode()))
    return Message(key.encode(), headers, f"{number}".encode().ljust(size))


def as_got(part: int, offset: int, one: Message) -> Got:
    headers = {name: value.decode() for name, value in one.headers}
    return Got(part, offset, one.key.decode(), headers, one.value)


def memory_site() -> Site:
    cluster, nowhere = Cluster(), Cluster(is_down=True)

    def read(topic: str, n_expected: int) -> list[Got]:
        got = [
            as_got(part, offset, one)
            for part, partition in enumerate(cluster.topics.get(topic, []))
            for offset, one in enumerate(partition)
        ]
        assert len(got) >= n_expected
        return got

    return Site(
        lambda topic: MemoryBroker(cluster, topic), read, lambda topic: MemoryBroker(nowhere, topic)
    )


def kafka_site(bootstrap: str, reader: Reader, *, only_asks: bool) -> Site:
    def reach(topic: str) -> Broker:
        return KafkaProducer(KafkaOptions(bootstrap), TopicSpec(topic, 3, 1, POLICY))

    def miss(topic: str) -> Broker:
        options = KafkaOptions(f"127.0.0.1:{free_ports(1)[0]}")
        return KafkaProducer(options, TopicSpec(topic, 3, 1, POLICY))

    return Site(reach, reader.read, miss, only_asks)


@pytest.fixture(scope="module")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tansu]:
    try:
        broker = Tansu(tmp_path_factory.mktemp("tansu"))
    except BrokerMissing as missing:
        pytest.skip(f"{missing}")
    with broker:
        yield broker


@pytest.fixture(
    params=[
        "memory",
        pytest.param("apache", marks=pytest.mark.integration),
        pytest.param("apache-3", marks=pytest.mark.integration),
        pytest.param("tansu", marks=pytest.mark.integration),
    ]
)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    if request.param == "memory":
        yield memory_site()
        return
    if request.param == "apache" and GIVEN:
        bootstrap = GIVEN
    else:
        process: ApacheKafka | Tansu = request.getfixturevalue(PROCESSES[request.param])
        bootstrap = process.bootstrap
    reader = Reader(bootstrap)
    yield kafka_site(bootstrap, reader, only_asks=request.param != "tansu")
    reader.close()


@pytest.fixture
def topic() -> str:
    return f"contract-{uuid4()}"


def during(broker: Broker, use: Callable[[], Awaitable[T]]) -> T:
    """Open a broker, use it with a topic, close it."""

    async def whole() -> T:
        await broker.open()
        await broker.make_topic()
        try:
            return await use()
        finally:
            await broker.close()

    return asyncio.run(whole())


def test_a_topic_is_missing_until_it_is_made(site: Site, topic: str) -> None:
    async def open_often() -> list[bool]:
        missing: list[bool] = []
        broker = site.reach(topic)
        for makes_it in (False, True, False):
            missing.append(await broker.open())
            if makes_it:
                await broker.make_topic()
            await broker.close()
        return missing

    assert asyncio.run(open_often()) == [True, site.only_asks, False]


def test_a_topic_that_is_there_is_left_as_it_is_where_it_is_to_be_made(
    site: Site, topic: str
) -> None:
    broker = site.reach(topic)
    during(broker, lambda: broker.send([message(1)]))

    during(broker, lambda: broker.send([message(2)]))

    assert [one.offset for one in site.read(topic, 2)] == [0, 1]


def test_a_message_arrives_as_it_was_sent(site: Site, topic: str) -> None:
    broker, sent = site.reach(topic), message(1)

    during(broker, lambda: broker.send([sent]))

    [got] = site.read(topic, 1)
    assert (got.key, got.value) == ("lobby", sent.value)
    assert got.headers == {"content-type": "application/json", "ce_id": "é-1"}


def test_messages_of_a_key_keep_their_order_in_one_partition(site: Site, topic: str) -> None:
    """They are too many for one batch."""
    broker, numbers = site.reach(topic), count()
    keys = [f"stream-{n}" for n in range(7)] * 5
    sent = [message(next(numbers), key, BYTES) for key in keys]

    during(broker, lambda: broker.send(sent))

    got = site.read(topic, len(sent))
    for key in set(keys):
        of_key = [one for one in got if one.key == key]
        assert len({one.partition for one in of_key}) == 1
        assert [one.value for one in of_key] == [
            one.value for one in sent if one.key.decode() == key
        ]


def test_offsets_that_a_broker_tells_are_those_a_reader_sees_and_they_grow(
    site: Site, topic: str
) -> None:
    broker = site.reach(topic)

    async def send_twice() -> tuple[dict[int, int], dict[int, int]]:
        return dict(await broker.send([message(1)])), dict(await broker.send([message(2)]))

    first, second = during(broker, send_twice)

    [partition] = first
    assert first.keys() == second.keys()
    assert [(one.partition, one.offset) for one in site.read(topic, 2)] == [
        (partition, first[partition]),
        (partition, second[partition]),
    ]


def test_a_message_larger_than_any_event_is_refused_with_all_that_came_with_it(
    site: Site, topic: str
) -> None:
    broker, largest = site.reach(topic), message(2)
    room = MAX_MESSAGE_BYTES - largest.size_bytes + len(largest.value)

    async def send_both() -> None:
        with pytest.raises(RecordRefused, match=f"{MAX_MESSAGE_BYTES + 1} bytes are more"):
            await broker.send([message(1), message(2, size=room + 1)])
        await broker.send([message(2, size=room)])

    during(broker, send_both)

    [got] = site.read(topic, 1)
    assert len(got.value) == room


def test_a_broker_that_is_there_answers_a_probe(site: Site, topic: str) -> None:
    broker = site.reach(topic)

    assert during(broker, broker.probe) is None


def test_a_broker_that_is_not_there_is_unavailable_and_can_be_tried_again(
    site: Site, topic: str
) -> None:
    broker = site.miss(topic)

    async def try_twice() -> None:
        for _ in range(2):
            with pytest.raises(BrokerUnavailable):
                await broker.open()
            await broker.close()

    asyncio.run(try_twice())


def test_closing_is_harmless_at_any_time(site: Site, topic: str) -> None:
    broker = site.reach(topic)

    async def close_often() -> None:
        await broker.close()
        await broker.open()
        await broker.close()
        await broker.close()

    asyncio.run(close_often())
