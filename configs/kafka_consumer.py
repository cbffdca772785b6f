"""Takes flags from Kafka into a queue in SQLite: python kafka_consumer.py BROKERS QUEUE_FILE.

An event that comes twice has the same id: the second is ignored, but one that came cut down gives
way to the whole one. Our place is noted once the event is on disk. Needs confluent-kafka.
"""

import sqlite3
import sys

from confluent_kafka import Consumer, KafkaException

OPTIONS = {"group.id": "review", "auto.offset.reset": "earliest", "enable.auto.commit": False}
TAKE = """INSERT INTO events VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
SET data = excluded.data, reduced = NULL WHERE reduced NOTNULL AND excluded.reduced ISNULL"""
brokers, file = sys.argv[1:]
queue = sqlite3.connect(file)
queue.execute("CREATE TABLE IF NOT EXISTS events (id PRIMARY KEY, stream_id, type, data, reduced)")
consumer = Consumer(OPTIONS | {"bootstrap.servers": brokers, "session.timeout.ms": 6000})
consumer.subscribe(["streamguard.flags.v1"])
while True:
    if (message := consumer.poll(1)) is None:
        continue
    if message.error():
        raise KafkaException(message.error())
    headers = {name: value.decode() for name, value in message.headers()}
    stream_id, data = message.key().decode(), message.value().decode()
    event = (headers["ce_id"], stream_id, headers["ce_type"], data, headers.get("ce_reduced"))
    with queue:
        queue.execute(TAKE, event)
    consumer.commit(message, asynchronous=False)
