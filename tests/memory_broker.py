"""A broker in memory that passes the contract of the real ones (tests/kafka/test_contract.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamguard.core.errors import BrokerUnavailable, RecordRefused
from streamguard.core.record import Message, require_sendable

N_PARTITIONS = 3


@dataclass
class Cluster:
    """What brokers in memory have in common: topics, and what befalls them."""

    topics: dict[str, list[list[Message]]] = field(default_factory=dict)
    max_bytes: int = 1_000_000
    is_down: bool = False


class MemoryBroker:
    """The Broker of one topic, in memory."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self.cluster = cluster
        self._topic = topic
        self.is_open = False

    async def open(self) -> bool:
        assert not self.is_open
        self._reach()
        self.is_open = True
        return self._topic not in self.cluster.topics

    async def make_topic(self) -> None:
        assert self.is_open
        self._reach()
        self.cluster.topics.setdefault(self._topic, [[] for _ in range(N_PARTITIONS)])

    async def send(self, messages: Sequence[Message]) -> Mapping[int, int]:
        await self.probe()
        require_sendable(messages)
        ends: dict[int, int] = {}
        for message in messages:
            if len(message.value) > self.cluster.max_bytes:
                raise RecordRefused("too large")
            part = sum(message.key) % N_PARTITIONS
            partition = self.cluster.topics[self._topic][part]
            ends[part] = len(partition)
            partition.append(message)
        return ends

    async def probe(self) -> None:
        assert self.is_open
        self._reach()
        if self._topic not in self.cluster.topics:
            raise BrokerUnavailable("no such topic")

    async def close(self) -> None:
        self.is_open = False

    def _reach(self) -> None:
        if self.cluster.is_down:
            raise BrokerUnavailable("down")
