"""Brokers take what we send, and keep it for its whole time, however wrong our clock is."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, TopicPartition

from loadtest.kafka_broker import ApacheKafka
from streamguard.core.events import Topic
from streamguard.parts.kafka_parts import make_topics
from streamguard.sections.kafka_section import KafkaSection
from tests.broker import set_topic_policy
from tests.processes import ROOT, environment

pytestmark = pytest.mark.integration

DEADLINE_S = 60.0
NEAR_S = 3_600.0
"""The clocks here are off by days, and the test takes minutes at most."""


def send(bootstrap: str, faketime: Path, off_by: str) -> str:
    """Send a message by a clock that is off; give why it was not taken."""
    wrong = {"FAKETIME": off_by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.kafka.untimely_sender", bootstrap],
        cwd=ROOT,
        env=environment(LD_PRELOAD=f"{faketime}", **wrong),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    return done.stdout


def told_time(bootstrap: str) -> tuple[int, float]:
    """Read of the first flag what its time says, and that time, seconds since 1970 UTC."""
    options = {"bootstrap.servers": bootstrap, "group.id": "test", "log_level": 0}
    consumer = Consumer(options)
    try:
        consumer.assign([TopicPartition(Topic.FLAGS, 0, 0)])
        message = consumer.poll(DEADLINE_S)
        assert message is not None
        kind, at_ms = message.timestamp()
        return kind, at_ms / 1000
    finally:
        consumer.close()


@pytest.mark.parametrize("off_by", ["+2d", "-30d"])
def test_a_clock_that_is_off_by_days_costs_nothing(
    any_apache: ApacheKafka, requires_faketime: Path, off_by: str
) -> None:
    """By a time of ours Kafka 4 would refuse the one, and delete the other as too old."""
    said = send(any_apache.bootstrap, requires_faketime, off_by)

    kind, told_s = told_time(any_apache.bootstrap)
    assert said == ""
    assert kind == TIMESTAMP_LOG_APPEND_TIME
    assert abs(told_s - time.time()) < NEAR_S


def test_a_topic_that_somebody_made_otherwise_is_told_with_what_to_do(
    apache: ApacheKafka, requires_faketime: Path
) -> None:
    section = KafkaSection(bootstrap_servers=apache.bootstrap, partitions=1, replication_factor=1)
    make_topics(section, dry_run=False)
    set_topic_policy(apache.bootstrap, Topic.FLAGS, "message.timestamp.type", "CreateTime")

    said = send(apache.bootstrap, requires_faketime, "+2d")

    assert said.startswith("Kafka refuses the time of our clock")
    assert "topics create --check" in said
