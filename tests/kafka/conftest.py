from collections.abc import Iterator

import pytest

from loadtest.kafka_broker import ApacheKafka
from streamguard.core.events import Topic
from tests.broker import Reader, apache_kafka, delete_topics, withdraw


@pytest.fixture(scope="session")
def apache_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    with apache_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def apache(apache_process: ApacheKafka) -> Iterator[ApacheKafka]:
    """Give Apache Kafka without topics of ours, to be stopped and started at will."""
    delete_topics(apache_process.bootstrap, list(Topic))
    withdraw(apache_process.bootstrap)
    yield apache_process
    if not apache_process.is_running:
        apache_process.start()


@pytest.fixture
def reader(apache: ApacheKafka) -> Iterator[Reader]:
    opened = Reader(apache.bootstrap)
    yield opened
    opened.close()
