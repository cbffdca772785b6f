"""Makes topics in Kafka.

Rule: a topic that is there is left as it is; one that is missing is made with its whole policy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    BrokerResponseError,
    InvalidReplicationFactorError,
    NoError,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.protocol.admin import CreateTopicsRequest

from streamguard.adapters.kafka_client import REQUEST_TIMEOUT_S, KafkaOptions, answered
from streamguard.core.errors import BrokerUnavailable, ConfigError
from streamguard.core.events import RETENTION_S, Topic

SAFE_REPLICAS = 3
"""From so many on, a write needs two of them, and outlives the loss of one."""

MAX_MESSAGE_BYTES = 1_048_588
"""What a topic takes at once, a batch with its overhead; Kafka's own default, four of our batches.
Source: https://kafka.apache.org/documentation/#topicconfigs_max.message.bytes
"""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it is to be made.

    policy: Kafka's topic settings, by their names.
    """

    name: str
    n_partitions: int
    n_replicas: int
    policy: Mapping[str, str]


def topic_spec(topic: Topic, n_partitions: int, n_replicas: int) -> TopicSpec:
    """Give a topic its policy, whatever the cluster's own defaults are.

    It is kept for its retention and then deleted: not compacted, and not cut short by a size. No
    replica that lacks acknowledged records may come to lead. Times are the broker's: by ours, Kafka
    4 refuses all from a clock an hour ahead, and any deletes at once what is weeks behind. When
    things happened is in the event.
    """
    policy = {
        "cleanup.policy": "delete",
        "retention.ms": str(RETENTION_S[topic] * 1000),
        "retention.bytes": "-1",
        "min.insync.replicas": "2" if n_replicas >= SAFE_REPLICAS else "1",
        "unclean.leader.election.enable": "false",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.type": "LogAppendTime",
    }
    return TopicSpec(topic, n_partitions, n_replicas, policy)


async def make_missing(
    client: AIOKafkaClient, specs: Sequence[TopicSpec], *, dry_run: bool = False
) -> list[str]:
    """Make those of the topics that are not there; give their names. Call it under `answered`.

    Raises:
        ConfigError: there are fewer brokers than copies are wanted.
    """
    cluster = await client.fetch_all_metadata()
    wanted: list[Any] = [
        (spec.name, spec.n_partitions, spec.n_replicas, [], list(spec.policy.items()))
        for spec in specs
        if spec.name not in cluster.topics()
    ]
    if not wanted:
        return []
    if cluster.controller is None:
        raise BrokerUnavailable("Kafka has no controller now: check the brokers")
    request = CreateTopicsRequest(wanted, round(REQUEST_TIMEOUT_S * 1000), dry_run)
    answer = await client.send(cluster.controller.nodeId, request)
    return [name for name, code, *_ in answer.topic_errors if _was_made(for_code(code))]


def _was_made(error: type[BrokerResponseError]) -> bool:
    if error is InvalidReplicationFactorError:
        raise ConfigError(
            "Kafka has fewer brokers than copies are wanted: set [kafka] replication_factor"
        )
    if error not in {NoError, TopicAlreadyExistsError}:
        raise error
    return error is NoError  # else somebody was faster


async def create_topics(
    options: KafkaOptions, specs: Sequence[TopicSpec], *, dry_run: bool
) -> list[str]:
    """Connect, make the topics that are missing, and give their names; with `dry_run` only ask.

    Raises:
        BrokerUnavailable: no broker answers, or none lets us.
        ConfigError: there are fewer brokers than copies are wanted.
    """
    async with answered(options.open_timeout_s):
        client = AIOKafkaClient(**options.arguments())
        try:
            await client.bootstrap()
            return await make_missing(client, specs, dry_run=dry_run)
        finally:
            await client.close()
