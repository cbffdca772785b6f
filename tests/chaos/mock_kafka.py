"""Kafka as librdkafka plays it, for what a real broker will not do on command.

A process of its own, run as `python -m tests.chaos.mock_kafka N_PARTITIONS TOPIC…`. It prints
"host:port", then obeys lines of standard input and answers each with "ok": `rtt MILLISECONDS`,
`leader TOPIC BROKER` (-1: none).

Source: rdkafka_mock.h of librdkafka; its symbols are in the library that confluent_kafka brings.
"""

import ctypes
import sys
from pathlib import Path

import confluent_kafka

BROKER = 1


def library() -> ctypes.CDLL:
    """Load librdkafka, which lies beside the package."""
    folder = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    found = ctypes.CDLL(str(next(folder.glob("librdkafka-*.so*"))))
    for name in ("conf_new", "new", "mock_cluster_new"):
        getattr(found, f"rd_kafka_{name}").restype = ctypes.c_void_p
    found.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return found


def say(text: str) -> None:
    """Answer whoever started this."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(n_partitions: int, topics: list[str]) -> None:
    """Play a cluster of one broker until standard input ends."""
    kafka = library()
    problem = ctypes.create_string_buffer(512)
    conf = ctypes.c_void_p(kafka.rd_kafka_conf_new())
    client = ctypes.c_void_p(kafka.rd_kafka_new(0, conf, problem, len(problem)))
    cluster = ctypes.c_void_p(kafka.rd_kafka_mock_cluster_new(client, BROKER))
    for topic in topics:
        kafka.rd_kafka_mock_topic_create(cluster, topic.encode(), n_partitions, 1)
    say(kafka.rd_kafka_mock_cluster_bootstraps(cluster).decode())
    for line in sys.stdin:
        match line.split():
            case ["rtt", milliseconds]:
                kafka.rd_kafka_mock_broker_set_rtt(cluster, BROKER, int(milliseconds))
            case ["leader", topic, broker]:
                for part in range(n_partitions):
                    kafka.rd_kafka_mock_partition_set_leader(
                        cluster, topic.encode(), part, int(broker)
                    )
        say("ok")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
