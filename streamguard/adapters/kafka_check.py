"""Holds the topics of a running Kafka against what they should be.

Rule: it asks and changes nothing; every difference is named, harmless as some may be.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import (
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import DescribeConfigsRequest

from streamguard.adapters.kafka_client import KafkaOptions, answered
from streamguard.adapters.kafka_topics import TopicSpec

_TOPIC = 2
"""A resource of the kind topic; source: Kafka's ConfigResource.Type."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about a topic that is not as it should be.

    what: a topic setting by Kafka's own name, or a word of ours for what is none.
    """

    what: str
    found: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as the brokers see it now."""

    has_leader: bool
    n_replicas: int
    n_in_sync: int


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is: its partitions by number, and its settings, inherited ones too."""

    partitions: Mapping[int, Partition]
    policy: Mapping[str, str]


def differences(spec: TopicSpec, state: TopicState | None) -> list[Difference]:
    """Name all in which a topic differs from its specification; None is a topic not there."""
    if state is None:
        return [Difference("topic", "missing", "there")]
    copies = {part.n_replicas for part in state.partitions.values()}
    compared = [
        ("partitions", str(len(state.partitions)), str(spec.n_partitions)),
        ("replication_factor", _listed(copies), str(spec.n_replicas)),
        *((name, state.policy.get(name, "unset"), want) for name, want in spec.policy.items()),
    ]
    found = [Difference(*one) for one in compared if one[1] != one[2]]
    return [*found, *_ailments(state)]


def _ailments(state: TopicState) -> Iterator[Difference]:
    """Name what no setting is to blame for: brokers that are away."""
    parts = state.partitions.items()
    leaderless = [number for number, part in parts if not part.has_leader]
    behind = [number for number, part in parts if part.n_in_sync < part.n_replicas]
    if leaderless:
        yield Difference("partitions without a leader", _listed(leaderless), "none")
    if behind:
        yield Difference("partitions with copies out of sync", _listed(behind), "none")


def _listed(numbers: Sequence[int] | set[int]) -> str:
    return ", ".join(str(number) for number in sorted(numbers))


async def check_topics(
    options: KafkaOptions, specs: Sequence[TopicSpec]
) -> dict[str, list[Difference]]:
    """Connect, and give by topic what is not as it should be.

    Raises:
        BrokerDenied: they do not let us see topics or their settings.
        BrokerUnavailable: no broker answers.
        ConfigError: the files of certificates cannot be read.
    """
    async with answered(options.open_timeout_s):
        client = AIOKafkaClient(**options.arguments())
        try:
            await client.bootstrap()
            states = await _states(client, specs)
        finally:
            await client.close()
    return {spec.name: differences(spec, states.get(spec.name)) for spec in specs}


async def _states(client: AIOKafkaClient, specs: Sequence[TopicSpec]) -> dict[str, TopicState]:
    """Ask for what is there. Settings tell a topic that is missing from one kept from us."""
    cluster = await client.fetch_all_metadata()
    asked = [(_TOPIC, spec.name, sorted(spec.policy)) for spec in specs]
    request = DescribeConfigsRequest(asked, include_synonyms=False)
    answer = await client.send(client.get_random_node(), request)
    policies = {name: _policy(code, entries) for code, _, _, name, entries in answer.resources}
    return {
        name: TopicState(_partitions(cluster, name), policy)
        for name, policy in policies.items()
        if policy is not None
    }


def _policy(code: int, entries: Sequence[Sequence[Any]]) -> dict[str, str] | None:
    """Give the settings that were asked for; None where there is no such topic."""
    if code == UnknownTopicOrPartitionError.errno:
        return None
    if code:
        raise for_code(code)
    return {name: str(value) for name, value, *_ in entries}


def _partitions(cluster: ClusterMetadata, topic: str) -> dict[int, Partition]:
    """Take from the metadata what a specification speaks of; the library has no public way."""
    found = cluster._partitions.get(topic)  # noqa: SLF001  # who is in sync is only there
    if found is None:
        raise TopicAuthorizationFailedError
    return {
        number: Partition(part.leader != -1, len(part.replicas), len(part.isr))
        for number, part in found.items()
    }
