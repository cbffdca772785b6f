"""A decision that another system wrote to Kafka is carried out, once. All real: Kafka, nginx."""

import asyncio
import time
from pathlib import Path

import pytest

from loadtest.enforce_stage import SOURCE, EnforceStage, Form, decided
from loadtest.kafka_broker import ApacheKafka
from loadtest.rtmp import RtmpServer
from streamguard.adapters.kafka_client import KafkaOptions
from streamguard.adapters.kafka_producer import KafkaProducer
from streamguard.adapters.kafka_topics import topic_spec
from streamguard.core.decision_data import DecisionData
from streamguard.core.events import Topic
from streamguard.core.record import Record, message_of, row_of
from streamguard.core.review_events import decision_event
from tests.integration.test_enforce import KEY, enforcing, stage

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.rtmp"]


def publish(bootstrap: str, decision: DecisionData) -> None:
    """Write a decision as streamguard itself would."""
    row = row_of(decision_event(SOURCE, decision, recorded_s=time.time()))
    record = Record(1, row.topic, row.key, row.id, row.type, row.recorded_s, row.body)

    async def send() -> None:
        producer = KafkaProducer(KafkaOptions(bootstrap), topic_spec(Topic.DECISIONS, 2, 1))
        try:
            await producer.open()
            await producer.make_topic()
            await producer.send([message_of(record)])
        finally:
            await producer.close()

    asyncio.run(send())


def told_of(made: EnforceStage, decision: DecisionData) -> list[str]:
    return [row["type"].split(".")[3] for row in made.told(decision.decision_id)]


def test_a_decision_comes_by_kafka_and_by_the_log_and_is_carried_out_once(
    tmp_path: Path, rtmp: RtmpServer, real_clips: dict[str, Path], apache: ApacheKafka
) -> None:
    more = f'[kafka]\nbootstrap_servers = "{apache.bootstrap}"\n'
    form = Form(enforce="kafka = true", more=more)
    with stage(tmp_path, rtmp, form) as made, rtmp.publish(real_clips["bikes"], KEY) as one:
        decision = decided(made.live(KEY), "cut")
        publish(apache.bootstrap, decision)
        with enforcing(made):
            event = made.outcome(decision.decision_id)
            one.wait(30)
            made.log.append([decision_event(SOURCE, decision, recorded_s=time.time())])
            later = decided(decision.stream, "restore")
            publish(apache.bootstrap, later)
            made.outcome(later.decision_id)

        assert event.data.model_dump()["method"] == "no_media"
        assert told_of(made, decision) == ["requested", "verified"]
        assert told_of(made, later) == ["requested", "verified"]
