"""Takes decisions up that come by Kafka, beside those of the event log.

Rule: this module is imported only where it is configured; a decision that comes both ways is
carried out once, for an action's id follows from the decision's.
"""

import asyncio
import random

import structlog

from streamguard.adapters.kafka_client import route_client_log
from streamguard.adapters.kafka_decisions import KafkaDecisions
from streamguard.core.backoff import delay_s
from streamguard.core.errors import BrokerUnavailable, LogUnavailable
from streamguard.enforce.intake import Taking
from streamguard.kafka_parts import kafka_options
from streamguard.runtime.stop import Stop
from streamguard.settings import Settings

log = structlog.get_logger()


async def take_from_kafka(settings: Settings, taking: Taking, stop: Stop) -> None:
    """Read until `stop`; while no broker answers, try again and again."""
    route_client_log()
    topic = KafkaDecisions(kafka_options(settings.kafka), settings.enforce.group)
    n_failures = 0
    while not stop.is_set():
        try:
            await topic.open()
            log.info("decisions_connected")
            while not stop.is_set():
                await _take(topic, taking)
                n_failures = 0
        except (BrokerUnavailable, LogUnavailable) as error:
            n_failures += 1
            log.warning("decisions_not_read", problem=str(error))
        finally:
            await topic.close()
        if not stop.is_set():
            await asyncio.sleep(delay_s(n_failures + 1, random.random()))  # noqa: S311  # spreads, hides nothing


async def _take(topic: KafkaDecisions, taking: Taking) -> None:
    """Take up what is new, and keep that it was."""
    heard = await topic.read()
    for one in heard:
        if one.record is None:
            log.warning("decision_not_understood")
        else:
            await taking.take(one.record, is_old=one.is_old)
    if heard:
        await topic.commit()
