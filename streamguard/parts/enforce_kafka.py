"""Takes decisions up that come by Kafka, beside those of the event log.

Rule: this module is imported only where it is configured; a decision that comes both ways is
carried out once, for an action's id follows from the decision's; and one that nobody signed whom we
trust is not carried out.
"""

from collections.abc import Sequence

from streamguard.adapters.kafka_reader import Heard, KafkaReader
from streamguard.core.events import Topic
from streamguard.enforce.intake import Taking
from streamguard.parts.decision_door import Door
from streamguard.parts.kafka_follow import follow
from streamguard.parts.kafka_parts import kafka_options
from streamguard.runtime.stop import Stop
from streamguard.settings import Settings


async def take_from_kafka(settings: Settings, door: Door, taking: Taking, stop: Stop) -> None:
    """Read until `stop`; while no broker answers, try again and again."""

    async def take(heard: Sequence[Heard]) -> None:
        for one in heard:
            if one.record is not None:
                await taking.take(one.record, is_old=one.is_old)

    options, group = kafka_options(settings.kafka), settings.enforce.group
    await follow(KafkaReader(options, group, [Topic.DECISIONS]), door, take, stop)
