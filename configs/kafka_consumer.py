"""Takes flags from Kafka into a queue in SQLite: python kafka_consumer.py BROKERS QUEUE_FILE.

An event that comes twice has the same id, and the second is ignored. Our place in the topic is
noted once the event is on disk: whatever happens before, it comes again. Needs confluent-kafka.
"""

import sqlite3
import sys

from confluent_kafka import Consumer, KafkaException

OPTIONS = {"group.id": "review", "auto.offset.reset": "earliest", "enable.auto.commit": False}

brokers, file = sys.argv[1:]
queue = sqlite3.connect(file)
queue.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, stream_id, type, data)")
consumer = Consumer(OPTIONS | {"bootstrap.servers": brokers, "session.timeout.ms": 6000})
consumer.subscribe(["streamguard.flags.v1"])
while True:
    message = consumer.poll(1)
    if message is None:
        continue
    if message.error():
        raise KafkaException(message.error())
    headers = {name: value.decode() for name, value in message.headers()}
    stream_id, data = message.key().decode(), message.value().decode()
    event = (headers["ce_id"], stream_id, headers["ce_type"], data)
    with queue:
        queue.execute("INSERT INTO events VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", event)
    consumer.commit(message, asynchronous=False)
