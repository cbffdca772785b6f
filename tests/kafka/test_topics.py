"""`topics create --check` against both lines of Apache Kafka."""

import json
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation, AdminClient, NewPartitions

from loadtest.kafka_broker import PASSWORD, USER, ApacheKafka
from streamguard.core.events import Topic
from streamguard.parts.kafka_parts import make_topics
from streamguard.sections.kafka_section import KafkaSection
from tests.broker import grant, set_topic_policy
from tests.processes import streamguard
from tests.servers import refusing_port

pytestmark = pytest.mark.integration

CHANGES = {
    "cleanup.policy": ("compact", "delete"),
    "retention.ms": ("3600000", f"{14 * 86_400_000}"),
    "retention.bytes": ("1000000", "-1"),
    "min.insync.replicas": ("2", "1"),
    "unclean.leader.election.enable": ("true", "false"),
    "max.message.bytes": ("65536", "1048588"),
    "message.timestamp.type": ("CreateTime", "LogAppendTime"),
}


LOGIN = (
    f'security_protocol = "SASL_PLAINTEXT"\nsasl_username = "{USER}"\n'
    f"sasl_password = '{PASSWORD}'\n"
)


def check(folder: Path, bootstrap: str, *options: str, login: str = "") -> tuple[int, str, str]:
    config = folder / "config.toml"
    config.write_text(
        f'[kafka]\nbootstrap_servers = "{bootstrap}"\npartitions = 2\nreplication_factor = 1\n'
        + login
    )
    done = streamguard("topics", "create", "--check", "--config", config, *options)
    return done.code, done.out, done.err


def test_topics_that_are_missing_are_named_and_not_made(
    tmp_path: Path, any_apache: ApacheKafka
) -> None:
    first = check(tmp_path, any_apache.bootstrap)
    second = check(tmp_path, any_apache.bootstrap)

    lines = "".join(f"{topic}  topic: missing, should be there\n" for topic in Topic)
    assert first == second == (2, lines, "")


def test_every_difference_on_a_running_cluster_is_named(
    tmp_path: Path, any_apache: ApacheKafka
) -> None:
    bootstrap = any_apache.bootstrap
    section = KafkaSection(bootstrap_servers=bootstrap, partitions=2, replication_factor=1)
    make_topics(section, dry_run=False)
    before = check(tmp_path, bootstrap)
    for name, (found, _) in CHANGES.items():
        set_topic_policy(bootstrap, Topic.FLAGS, name, found)
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for grown in admin.create_partitions([NewPartitions(str(Topic.FLAGS), 3)]).values():
        grown.result(10)

    said = check(tmp_path, bootstrap)
    told = check(tmp_path, bootstrap, "--json")

    changed = {"partitions": ("3", "2"), **CHANGES}
    assert before == (0, "".join(f"{topic}  as configured\n" for topic in Topic), "")
    assert (said[0], told[0]) == (2, 2)
    assert set(said[1].splitlines()) == {
        *(f"{topic}  as configured" for topic in Topic if topic is not Topic.FLAGS),
        *(
            f"{Topic.FLAGS}  {name}: {found}, should be {want}"
            for name, (found, want) in changed.items()
        ),
    }
    differences = json.loads(told[1])["differences"]
    assert differences[Topic.COVERAGE] == []
    assert {one["what"]: (one["found"], one["wanted"]) for one in differences[Topic.FLAGS]} == (
        changed
    )


def test_without_a_broker_a_check_ends_with_3(tmp_path: Path) -> None:
    code, out, err = check(tmp_path, f"127.0.0.1:{refusing_port()}")

    assert (code, out) == (3, "")
    assert "Kafka is not available" in err


@pytest.mark.parametrize("right", [None, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS])
def test_topics_that_we_may_not_see_whole_are_not_called_missing(
    tmp_path: Path, any_apache: ApacheKafka, right: AclOperation | None
) -> None:
    section = KafkaSection(bootstrap_servers=any_apache.bootstrap, replication_factor=1)
    make_topics(section, dry_run=False)
    if right is not None:
        grant(any_apache.bootstrap, right)

    code, out, err = check(tmp_path, any_apache.sasl_bootstrap, login=LOGIN)

    assert (code, out) == (3, "")
    assert "Kafka refuses us" in err
    assert len(err.splitlines()) == 1
