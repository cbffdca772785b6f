"""What a console does for its log where no `run` uses that: it takes, publishes and prunes.

Rule: this module is imported only where that is configured: it needs the extra `kafka`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.errors import ConfigError
from streamguard.core.events import Topic
from streamguard.parts.decision_door import door_of
from streamguard.parts.kafka_follow import keep_taking
from streamguard.parts.kafka_parts import publishing
from streamguard.runtime.stop import Stop
from streamguard.settings import Settings
from streamguard.upkeep.pruning import keep_pruned

NEEDED = (Topic.FLAGS, Topic.COVERAGE, Topic.DECISIONS, Topic.ACTIONS)
"""Without what is told of actions each cut would seem never begun, and call somebody; without the
others there would be no case, none would end, and no rule's hold would be seen."""


@asynccontextmanager
async def keeping_log(
    settings: Settings, meter: PrometheusMeter
) -> AsyncIterator[Callable[[], None]]:
    """Keep the log of a console that is alone, as long as this lasts.

    Gives what is called where something new is in the log.

    Raises:
        ConfigError: there is no Kafka, a topic is not taken from it, or a trusted key is none.
        LogUnavailable: the log cannot be opened.
    """
    kafka = settings.kafka
    if not kafka.bootstrap_servers or not set(NEEDED) <= set(kafka.take):
        needed = ", ".join(f'"{topic}"' for topic in NEEDED)
        raise ConfigError(
            f"[review] is_alone needs [kafka] bootstrap_servers and take = [{needed}]"
        )
    door = door_of(settings, meter.registry)
    stop = Stop()
    async with publishing(settings, meter) as publisher, asyncio.TaskGroup() as tasks:
        taking = tasks.create_task(keep_taking(settings, door, stop))
        pruning = tasks.create_task(keep_pruned(settings.log.file, has_broker=True))
        try:
            yield publisher.wake
        finally:
            pruning.cancel()
            stop.set()
            with suppress(asyncio.CancelledError):
                await asyncio.wait({taking})
