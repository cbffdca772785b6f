"""Real brokers for tests: found or skipped, read and changed by a client that is not ours.

Rule: `STREAMGUARD_TEST_KAFKA` ("host:port") is taken where it is set; else Apache Kafka, where Java
and Maven are; else Tansu. With CI set, Apache Kafka is skipped only where set-up wrote why it is
not there: on Debian as root it installs what is needed.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from loadtest.broker_process import BrokerMissing, headers_of
from loadtest.kafka_broker import LIBS, SCRAM, USER, ApacheKafka

IN_CI = bool(os.environ.get("CI"))
GIVEN = os.environ.get("STREAMGUARD_TEST_KAFKA")
NO_JARS = Path(__file__).parent.parent / ".cache" / "kafka" / "why_not.txt"
"""Here `.ci/setup parts` says why there are no jars."""

DEADLINE_S = 30.0


def apache_kafka(directory: Path, libs: Path = LIBS) -> ApacheKafka:
    """Prepare Apache Kafka, or skip the test."""
    try:
        return ApacheKafka(directory, libs)
    except BrokerMissing as missing:
        if NO_JARS.exists():
            pytest.skip(f"no Apache Kafka: {NO_JARS.read_text().strip()}")
        if IN_CI:
            pytest.fail(f"{missing} ({NO_JARS.name} gives no reason)")
        pytest.skip(f"{missing}")


@dataclass(frozen=True)
class Got:
    """A record as a foreign client reads it."""

    partition: int
    offset: int
    key: str
    headers: Mapping[str, str]
    value: bytes


class Reader:
    """Reads whole topics with librdkafka; a context manager."""

    def __init__(self, bootstrap: str) -> None:
        self._options = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._consumer = Consumer(
            self._options
            | {
                "group.id": "test",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
            }
        )

    def read(self, topic: str, count: int, within_s: float = DEADLINE_S) -> list[Got]:
        """Read a topic from its beginning; all there is once there are `count`, by partition."""
        deadline_s = time.monotonic() + within_s
        got: list[Got] = []
        while len(got) < count and time.monotonic() < deadline_s:
            got = self._read_all(topic)
        assert len(got) >= count, f"{len(got)} of {count} came in {within_s} s"
        return got

    def _read_all(self, topic: str) -> list[Got]:
        """Read what a topic holds now; nothing, where it is not there."""
        try:
            found = AdminClient(self._options).list_topics(topic, timeout=30).topics[topic]
            ends = {
                part: self._consumer.get_watermark_offsets(TopicPartition(topic, part), 5)
                for part in found.partitions
            }
        except KafkaException:
            time.sleep(0.05)
            return []
        n_known = sum(end - start for start, end in ends.values())  # Tansu counts batches
        self._consumer.assign([TopicPartition(topic, p, start) for p, (start, _) in ends.items()])
        got: list[Got] = []
        while message := self._consumer.poll(1 if len(got) < n_known else 0.1):
            assert message.error() is None
            got.append(
                Got(
                    message.partition(),
                    message.offset(),
                    message.key().decode(),
                    headers_of(message),
                    message.value(),
                )
            )
        return sorted(got, key=lambda one: (one.partition, one.offset))

    def close(self) -> None:
        self._consumer.close()


def delete_topics(bootstrap: str, names: Sequence[str]) -> None:
    """Delete topics, those that are there, and wait until they are gone."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    there = [name for name in names if name in admin.list_topics(timeout=30).topics]
    for deleted in admin.delete_topics(there).values() if there else ():
        deleted.result(30)
    while set(names) & set(admin.list_topics(timeout=30).topics):
        time.sleep(0.05)


def set_topic_limit(bootstrap: str, topic: str, size_bytes: int) -> None:
    """Let a topic take batches of so many bytes at most."""
    set_topic_policy(bootstrap, topic, "max.message.bytes", f"{size_bytes}")


def set_topic_policy(bootstrap: str, topic: str, name: str, value: str) -> None:
    """Change one setting of a topic, and wait until the broker itself has heard of it."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    changes = [ConfigResource(ResourceType.TOPIC, str(topic), incremental_configs=[entry])]
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for changed in admin.incremental_alter_configs(changes).values():
        changed.result(30)
    while topic_policy(bootstrap, topic)[name] != value:
        time.sleep(0.05)


def topic_policy(bootstrap: str, topic: str) -> dict[str, str]:
    """Read the settings of a topic."""
    asked = ConfigResource(ResourceType.TOPIC, str(topic))
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    [answer] = admin.describe_configs([asked]).values()
    return {name: entry.value for name, entry in answer.result(30).items()}


_WHOM = (ResourceType.TOPIC, "streamguard.", ResourcePatternType.PREFIXED, f"User:{USER}", "*")


def grant(bootstrap: str, what: AclOperation = AclOperation.ALL) -> None:
    """Let USER do anything, or one thing, with the topics of streamguard."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    right = AclBinding(*_WHOM, what, AclPermissionType.ALLOW)
    for done in admin.create_acls([right]).values():
        done.result(30)


def withdraw(bootstrap: str) -> None:
    """Let USER do nothing."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    every = AclBindingFilter(*_WHOM, AclOperation.ANY, AclPermissionType.ANY)
    for done in admin.delete_acls([every]).values():
        done.result(30)


def give_scram_passwords(bootstrap: str, password: str) -> None:
    """Let USER log in by every SCRAM mechanism with this password."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for mechanism in SCRAM:  # a request may change a user once
        how = ScramCredentialInfo(ScramMechanism[mechanism.replace("-", "_")], 4096)
        change = UserScramCredentialUpsertion(USER, how, password.encode())
        for done in admin.alter_user_scram_credentials([change]).values():
            done.result(30)
