"""Sends one message as `run` would, from a process whose clock may be off.

Its argument are the brokers. It prints why they did not take it, or nothing.
"""

import asyncio
import sys

from streamguard.adapters.kafka_client import KafkaOptions, route_client_log
from streamguard.adapters.kafka_producer import KafkaProducer
from streamguard.adapters.kafka_topics import topic_spec
from streamguard.core.errors import StreamguardError
from streamguard.core.events import Topic
from streamguard.core.record import Message


async def send(bootstrap: str) -> None:
    """Make the topic where it is missing, and send."""
    producer = KafkaProducer(KafkaOptions(bootstrap), topic_spec(Topic.FLAGS, 1, 1))
    try:
        await producer.open()
        await producer.make_topic()
        await producer.send([Message(b"lobby", (("ce_id", b"1"),), b"{}")])
    except StreamguardError as error:
        sys.stdout.write(f"{error}")
    finally:
        await producer.close()


if __name__ == "__main__":
    route_client_log(is_quiet=True)
    asyncio.run(send(sys.argv[1]))
