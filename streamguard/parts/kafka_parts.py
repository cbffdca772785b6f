"""Builds delivery to Kafka from the settings.

Rule: only here are the Kafka adapters imported, and this module only where Kafka is configured:
without their library everything else works.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

from streamguard.adapters.outbox_values import OutboxValues
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import ConfigError
from streamguard.core.events import Topic
from streamguard.runtime.publisher import Publisher
from streamguard.sections.kafka_section import KafkaSection
from streamguard.settings import Settings

try:
    from streamguard.adapters.kafka_check import Difference, check_topics
    from streamguard.adapters.kafka_client import KafkaOptions, route_client_log
    from streamguard.adapters.kafka_meter import KafkaMeter
    from streamguard.adapters.kafka_producer import KafkaProducer
    from streamguard.adapters.kafka_topics import TopicSpec, create_topics, topic_spec
except ModuleNotFoundError as error:
    raise ConfigError(
        f"[kafka] needs the package {error.name}: install streamguard[kafka]"
    ) from None


@asynccontextmanager
async def publishing(settings: Settings, meter: PrometheusMeter) -> AsyncIterator[Publisher]:
    """Publish the log as long as this lasts, and what is left at its end.

    Raises:
        ConfigError: the file of certificates cannot be used.
        LogUnavailable: the log cannot be opened.
    """
    with closing(SqliteOutbox(settings.log.file)) as outbox, _counted(settings.log.file, meter):
        publisher = _publisher(settings.kafka, outbox, meter)
        publisher.start()
        try:
            yield publisher
        finally:
            await asyncio.to_thread(publisher.stop, settings.worker.stop_timeout_s)


@contextmanager
def _counted(file: Path, meter: PrometheusMeter) -> Iterator[None]:
    """Count what became of records, over a connection of its own: the publisher never waits."""
    with (
        closing(SqliteOutbox(file)) as outbox,
        OutboxValues(meter.registry, list(Topic), outbox.tally).counting(),
    ):
        yield


def _publisher(section: KafkaSection, outbox: SqliteOutbox, meter: PrometheusMeter) -> Publisher:
    route_client_log()
    options = kafka_options(section)
    brokers = {spec.name: KafkaProducer(options, spec) for spec in _topic_specs(section)}
    publisher = Publisher(outbox, brokers, SystemClock(), KafkaMeter(meter.registry))
    meter.watch("kafka_backlog", "Events that Kafka has not acknowledged.", publisher.backlog)
    meter.watch(
        "kafka_connected",
        "1 while every topic is being delivered, else 0.",
        lambda: float(publisher.problem() is None),
    )
    return publisher


def make_topics(section: KafkaSection, *, dry_run: bool) -> dict[str, bool]:
    """Make the topics that are missing; tell of each topic whether it was.

    Raises:
        BrokerUnavailable: no broker answers, or none lets us.
        ConfigError: Kafka is not configured, or in a way that cannot work.
    """
    options, specs = _asked_for(section)
    made = asyncio.run(create_topics(options, specs, dry_run=dry_run))
    return {spec.name: spec.name in made for spec in specs}


def topic_differences(section: KafkaSection) -> dict[str, list[Difference]]:
    """Give by topic what is not as a new one would be made; nothing is changed.

    Raises:
        BrokerDenied: they do not let us see topics or their settings.
        BrokerUnavailable: no broker answers.
        ConfigError: Kafka is not configured, or in a way that cannot work.
    """
    return asyncio.run(check_topics(*_asked_for(section)))


def _asked_for(section: KafkaSection) -> tuple[KafkaOptions, list[TopicSpec]]:
    if not section.bootstrap_servers:
        raise ConfigError("Kafka is not configured: set [kafka] bootstrap_servers")
    route_client_log(is_quiet=True)
    return kafka_options(section), _topic_specs(section)


def kafka_options(section: KafkaSection) -> KafkaOptions:
    """Take from the settings what a connection needs."""
    return KafkaOptions(
        bootstrap_servers=section.bootstrap_servers,
        client_id=section.client_id,
        security_protocol=section.security_protocol,
        sasl_mechanism=section.sasl_mechanism,
        username=section.sasl_username,
        password=section.sasl_password.get_secret_value() if section.sasl_password else None,
        password_file=section.sasl_password_file,
        ca_file=section.ca_file,
        certificate_file=section.certificate_file,
        key_file=section.key_file,
        compression=section.compression,
    )


def _topic_specs(section: KafkaSection) -> list[TopicSpec]:
    return [topic_spec(topic, section.partitions, section.replication_factor) for topic in Topic]
