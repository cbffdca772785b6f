import pytest

from loadtest.kafka_broker import ApacheKafka
from streamguard.core.check import State, ok
from streamguard.core.events import Topic
from streamguard.doctor import broker
from streamguard.parts.kafka_parts import make_topics
from streamguard.sections.kafka_section import KafkaSection
from tests.broker import set_topic_policy

pytestmark = pytest.mark.integration


def test_doctor_names_the_topics_that_are_missing_and_makes_none(apache: ApacheKafka) -> None:
    section = KafkaSection(bootstrap_servers=apache.bootstrap, replication_factor=1, partitions=1)

    first, second = broker(section), broker(section)

    assert first == second
    assert (first.state, first.exit_code) == (State.WARN, 0)
    assert first.what.endswith("without " + ", ".join(Topic))
    assert "topics create" in first.remedy


def test_doctor_is_content_with_topics_that_are_there(apache: ApacheKafka) -> None:
    section = KafkaSection(bootstrap_servers=apache.bootstrap, replication_factor=1, partitions=1)
    make_topics(section, dry_run=False)

    assert broker(section) == ok("kafka", f"{apache.bootstrap} answers, all topics are there")


def test_doctor_warns_of_topics_that_are_not_as_configured(apache: ApacheKafka) -> None:
    section = KafkaSection(bootstrap_servers=apache.bootstrap, replication_factor=1, partitions=1)
    make_topics(section, dry_run=False)
    set_topic_policy(apache.bootstrap, Topic.COVERAGE, "retention.ms", "1000")

    said = broker(section)

    assert (said.state, said.exit_code) == (State.WARN, 0)
    assert said.what.endswith(f"answers, {Topic.COVERAGE} not as configured")
    assert "--check" in said.remedy
