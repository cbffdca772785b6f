from collections.abc import Iterator

import pytest

from loadtest.kafka_broker import OLD_LIBS, ApacheKafka
from streamguard.core.events import Topic
from tests.broker import Reader, apache_kafka, delete_topics, withdraw


@pytest.fixture(scope="session")
def apache_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    with apache_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def old_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """Give Apache Kafka 3."""
    with apache_kafka(tmp_path_factory.mktemp("kafka-3"), OLD_LIBS) as broker:
        yield broker


@pytest.fixture(params=["apache_process", "old_process"], ids=["kafka-4", "kafka-3"])
def any_apache(request: pytest.FixtureRequest) -> ApacheKafka:
    """Give both lines of Apache Kafka in turn, without topics of ours; not to be stopped."""
    broker: ApacheKafka = request.getfixturevalue(request.param)
    delete_topics(broker.bootstrap, list(Topic))
    withdraw(broker.bootstrap)
    return broker


@pytest.fixture
def apache(apache_process: ApacheKafka) -> Iterator[ApacheKafka]:
    """Give Apache Kafka without topics of ours, to be stopped and started at will."""
    yield from _at_will(apache_process)


@pytest.fixture
def old_apache(old_process: ApacheKafka) -> Iterator[ApacheKafka]:
    """Give Apache Kafka 3 likewise."""
    yield from _at_will(old_process)


def _at_will(broker: ApacheKafka) -> Iterator[ApacheKafka]:
    delete_topics(broker.bootstrap, list(Topic))
    withdraw(broker.bootstrap)
    yield broker
    if not broker.is_running:
        broker.start()


@pytest.fixture
def reader(apache: ApacheKafka) -> Iterator[Reader]:
    opened = Reader(apache.bootstrap)
    yield opened
    opened.close()
