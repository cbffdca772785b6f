"""Three brokers: what three copies and two in sync are good for."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from loadtest.kafka_broker import ApacheKafka
from streamguard.adapters.kafka_client import KafkaOptions
from streamguard.core.events import Topic
from tests.broker import Reader, apache_kafka, topic_policy
from tests.kafka.test_faults import Stage, arrived, wait_until
from tests.processes import streamguard

pytestmark = pytest.mark.integration

BEHIND = {"what": "partitions with copies out of sync", "found": "0, 1, 2", "wanted": "none"}
DEGRADED = (2, {topic: [BEHIND] for topic in Topic})


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[ApacheKafka]]:
    """Give three brokers; the first is their controller, too."""
    folders = [tmp_path / f"broker-{node}" for node in (1, 2, 3)]
    for folder in folders:
        folder.mkdir()
    first = apache_kafka(folders[0])
    others = [
        ApacheKafka(folder, leader=first, node=node) for node, folder in enumerate(folders[1:], 2)
    ]
    with ExitStack() as running:
        yield [running.enter_context(broker) for broker in (first, *others)]


def check(config: Path) -> tuple[int, dict[str, list[dict[str, str]]]]:
    done = streamguard("topics", "create", "--check", "--json", "--config", config)
    return done.code, json.loads(done.out)["differences"]


def test_flags_outlive_a_broker_and_wait_where_a_copy_alone_would_hold_them(
    cluster: list[ApacheKafka], tmp_path: Path
) -> None:
    """With one broker of three gone all goes on; with two nothing is acknowledged, nor lost."""
    servers = ",".join(broker.bootstrap for broker in cluster)
    config = tmp_path / "config.toml"
    config.write_text(f'[kafka]\nbootstrap_servers = "{servers}"\npartitions = 3\n')
    made = streamguard("topics", "create", "--config", config)
    whole = check(config)
    first, second, third = cluster

    with Stage(tmp_path / "events.db", KafkaOptions(servers)) as stage:
        stage.append(*range(10))
        stage.wait_until_delivered()
        third.kill()
        stage.append(*range(10, 20))
        stage.wait_until_delivered()
        wait_until(lambda: check(config) == DEGRADED)
        second.kill()
        stage.append(*range(20, 30))
        wait_until(lambda: stage.publisher.problem() is not None)
        acknowledged = stage.count("records", outcome="acknowledged")
        second.start()
        stage.wait_until_delivered()

    reader = Reader(first.bootstrap)
    numbers = arrived(reader, 30)
    reader.close()
    assert made.code == 0
    assert whole == (0, {topic: [] for topic in Topic})
    assert topic_policy(first.bootstrap, Topic.FLAGS)["min.insync.replicas"] == "2"
    assert acknowledged == 20
    assert set(numbers) == set(range(30))
