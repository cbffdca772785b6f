"""From reading a packet to its flag being in Apache Kafka: live over RTMP, read by librdkafka.

Rule: everything is a process of its own; a flag counts when a reader that is not ours has it, which
is after the broker took it, so the figure is no better than ingest-to-acknowledgement. What `run`
itself counted, from ingest to acknowledgement, stands beside it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from loadtest.broker_process import headers_of
from loadtest.kafka_broker import ApacheKafka
from loadtest.live import Metrics, Screening, quantile, quantiles, screening
from loadtest.programs import ProgramUnavailable, output_of, streamguard
from streamguard.core.event_data import utc_seconds
from streamguard.core.events import EventType, Topic

MAX_P95_MS = 250.0
"""The bar: ingest-to-acknowledgement, milliseconds."""

JUDGED_FROM_FLAGS = 50
N_PARTITIONS = 4
PATIENCE_S = 60.0
"""No new flag for so long: something is broken."""


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where there are enough flags to judge by and the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest kafka_latency", description=__doc__)
    parser.add_argument("--flags", type=int, default=JUDGED_FROM_FLAGS, help="flags to wait for")
    parser.add_argument("--publishers", type=int, default=8)
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        read_ms, metrics = _measure(Path(name), options.publishers, options.flags)
    judged = len(read_ms) >= JUDGED_FROM_FLAGS
    is_good = quantile(read_ms, 0.95) <= MAX_P95_MS
    figures = {
        "flags": len(read_ms),
        "publishers": options.publishers,
        "pass": is_good if judged else None,
        "ingest_to_foreign_reader_ms": quantiles(read_ms),
        "ingest_to_ack": _from_metrics(metrics, "streamguard_ingest_to_ack_seconds"),
        "ingest_to_flag": _from_metrics(metrics, "streamguard_ingest_to_flag_seconds"),
        "load": [round(load, 2) for load in os.getloadavg()],
    }
    print(json.dumps(figures))
    return 1 if judged and not is_good else 0


def kafka_settings(broker: ApacheKafka) -> str:
    """Give the lines of a configuration that publish to a broker."""
    return (
        f'[kafka]\nbootstrap_servers = "{broker.bootstrap}"\n'
        f"partitions = {N_PARTITIONS}\nreplication_factor = 1\n"
    )


def _measure(folder: Path, n_publishers: int, n_flags: int) -> tuple[list[float], Metrics]:
    print("starting Apache Kafka", file=sys.stderr)
    with ApacheKafka(folder) as broker:
        settings = folder / "kafka.toml"
        settings.write_text(kafka_settings(broker))
        output_of(streamguard("topics", "create", "--config", settings))
        with screening(folder, n_publishers, kafka_settings(broker)) as run:
            read_ms = list(_follow(broker, n_flags, run))
            return read_ms, run.metrics()


def _follow(broker: ApacheKafka, n_flags: int, run: Screening) -> Iterator[float]:
    """Read the flags as they come; yield how long each took to get here, milliseconds."""
    reader = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "loadtest",
            "enable.auto.commit": False,
        }
    )
    reader.assign([TopicPartition(str(Topic.FLAGS), part, 0) for part in range(N_PARTITIONS)])
    n_seen, deadline_s = 0, time.monotonic() + PATIENCE_S
    while n_seen < n_flags:
        message = reader.poll(1.0)
        seen_s = time.time()
        if time.monotonic() > deadline_s:
            problem = run.printed.read_text().strip()[-300:]
            raise ProgramUnavailable(f"{n_seen} flags came, then none any more: {problem}")
        if message is None or message.error():
            continue
        headers = headers_of(message)
        if headers["ce_type"] != EventType.FLAG_OPENED:
            continue
        took_ms = (seen_s - utc_seconds(headers["ce_time"])) * 1000
        n_seen, deadline_s = n_seen + 1, time.monotonic() + PATIENCE_S
        load = os.getloadavg()[0]
        print(f"flag {n_seen} {took_ms:5.1f} ms after its packet, load {load:.1f}", file=sys.stderr)
        yield took_ms
    reader.close()


def _from_metrics(metrics: Metrics, name: str) -> dict[str, Any]:
    """Take what a histogram can tell."""
    count = metrics[f"{name}_count",]
    edges = sorted(
        (float(labels[0]), value / count)
        for (sample, *labels), value in metrics.items()
        if sample == f"{name}_bucket"
    )
    return {
        "flags": int(count),
        "mean_ms": round(metrics[f"{name}_sum",] * 1000 / count, 1),
        "share_within_250_ms": metrics[f"{name}_bucket", "0.25"] / count,
        "p95_at_most_ms": next(edge * 1000 for edge, share in edges if share >= 0.95),
    }
