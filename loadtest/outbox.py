"""The outbox alone: how soon a flag is committed and acknowledged, and how a backlog is replayed.

Rule: log and publisher are those of `streamguard run`, in one process that is scraped; Apache Kafka
is another one. Acknowledged is when the broker's answer is here. New P0 flags come all through the
replay, of streams that have no backlog.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from loadtest.arrived import arrived_at, committed_in, judged
from loadtest.kafka_broker import ApacheKafka
from loadtest.live import quantile, quantiles
from loadtest.made_events import opened
from loadtest.programs import ProgramUnavailable
from streamguard.adapters.disk_probe import MOUNTS, file_system
from streamguard.adapters.kafka_client import KafkaOptions
from streamguard.adapters.kafka_meter import KafkaMeter
from streamguard.adapters.kafka_producer import KafkaProducer
from streamguard.adapters.kafka_topics import topic_spec
from streamguard.adapters.outbox_values import OutboxValues
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.events import Event, Topic
from streamguard.core.record import Position, Record
from streamguard.runtime.publisher import Publisher
from streamguard.upkeep.checkpoints import checkpointing

MAX_APPEND_P99_MS = 5.0
MAX_ACK_P95_MS = 20.0
MIN_REPLAY_PER_S = 5_000.0
MAX_URGENT_P95_MS = 250.0

N_STREAMS = 200
N_PARTITIONS = 4
BATCH = 256
PATIENCE_S = 300.0
URGENT_EVERY_S = 0.02
SCRAPE_EVERY_S = 1.0
"""Ten times as often as configs/prometheus has it."""


class TimedOutbox(SqliteOutbox):
    """Notes when the broker had acknowledged each record."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.acked_s: dict[int, float] = {}

    def acknowledge(self, topic: str, position: Position, records: Sequence[Record]) -> None:
        """Note the time first: what follows is our own book-keeping."""
        now_s = time.monotonic()
        self.acked_s.update((record.offset, now_s) for record in records)
        super().acknowledge(topic, position, records)


class Site:
    """A log, and what publishes it; nothing is published before `publisher.start`."""

    def __init__(self, path: Path, broker: ApacheKafka) -> None:
        self.log = SqliteLog(path)
        self.outbox = TimedOutbox(path)
        producer = KafkaProducer(
            KafkaOptions(broker.bootstrap), topic_spec(Topic.FLAGS, N_PARTITIONS, 1)
        )
        self._registry = CollectorRegistry()
        self.publisher = Publisher(
            self.outbox, {Topic.FLAGS: producer}, SystemClock(), KafkaMeter(self._registry)
        )
        self._beside = ExitStack()
        self._look_after(path)
        self.append_ms: list[float] = []
        self.scrape_ms: list[float] = []
        self.committed_s: dict[int, float] = {}

    def _look_after(self, path: Path) -> None:
        """Do what `run` does beside: checkpoints, counting, and answers to scrapes."""
        counted = self._beside.enter_context(closing(SqliteOutbox(path)))
        values = OutboxValues(self._registry, [Topic.FLAGS], counted.tally)
        backlog = Gauge("kafka_backlog", "As `run` shows it.", registry=self._registry)
        backlog.set_function(self.publisher.backlog)
        self._beside.enter_context(values.counting())
        self._beside.enter_context(checkpointing(path))
        has_ended = threading.Event()
        scraping = threading.Thread(target=self._scrape, args=(has_ended,))
        scraping.start()
        self._beside.callback(scraping.join)
        self._beside.callback(has_ended.set)

    def _scrape(self, has_ended: threading.Event) -> None:
        while not has_ended.wait(SCRAPE_EVERY_S):
            start_s = time.monotonic()
            generate_latest(self._registry)
            self.scrape_ms.append((time.monotonic() - start_s) * 1000)

    def commit(self, event: Event) -> None:
        """Commit one flag, and say so to the publisher, as the writer does."""
        start_s = time.monotonic()
        self.log.append([event])
        now_s = time.monotonic()
        self.append_ms.append((now_s - start_s) * 1000)
        self.committed_s[self.log.end_offset() - 1] = now_s
        self.publisher.wake()

    def ack_ms(self) -> list[float]:
        """Give how long each flag of `commit` took from there to its acknowledgement."""
        return [(self.outbox.acked_s[at] - came) * 1000 for at, came in self.committed_s.items()]

    def wait_until_sent(self) -> None:
        """Wait until nothing waits.

        Raises:
            ProgramUnavailable: that takes far too long.
        """
        deadline_s = time.monotonic() + PATIENCE_S
        while self.outbox.backlog(Topic.FLAGS):
            if time.monotonic() > deadline_s:
                raise ProgramUnavailable(f"nothing is delivered: {self.publisher.problem()}")
            time.sleep(0.02)

    def close(self) -> None:
        """Stop publishing and release the files."""
        self.publisher.stop(5.0)
        self._beside.close()
        self.log.close()
        self.outbox.close()


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest outbox", description=__doc__)
    parser.add_argument("--flags", type=int, default=1_000, help="one by one, 50 a second")
    parser.add_argument("--waiting", type=int, default=100_000, help="flags of the backlog")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="on the disk of the log")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:  # a disk, which /tmp need not be
        folder = Path(name)
        with ApacheKafka(folder) as broker:
            figures = {
                "steady": _steady(folder / "steady.db", broker, options.flags),
                "replay": _replay(folder / "replay.db", broker, options.waiting),
            }
    is_good = all(part["pass"] for part in figures.values())
    load = [round(load, 2) for load in os.getloadavg()]
    kind = file_system(options.folder, MOUNTS.read_text())
    print(json.dumps({**figures, "disk": kind, "load": load, "pass": is_good}))
    return 0 if is_good else 1


def _steady(path: Path, broker: ApacheKafka, n_flags: int) -> dict[str, Any]:
    """Commit flags at an even pace, each by itself."""
    site = Site(path, broker)
    site.publisher.start()
    _say_hello(site)
    print(f"{n_flags} flags one by one", file=sys.stderr)
    for number in range(n_flags):
        site.commit(opened(number, f"steady-{number % N_STREAMS}"))
        time.sleep(0.02)
    site.wait_until_sent()
    ack_ms, append_ms = site.ack_ms(), site.append_ms
    site.close()
    return {
        "flags": n_flags,
        "append_ms": quantiles(append_ms),
        "commit_to_ack_ms": quantiles(ack_ms),
        "pass": quantile(append_ms, 0.99) <= MAX_APPEND_P99_MS
        and quantile(ack_ms, 0.95) <= MAX_ACK_P95_MS,
    }


def _replay(path: Path, broker: ApacheKafka, n_waiting: int) -> dict[str, Any]:
    """Replay a backlog, a quarter of which is P0, while new P0 flags come of other streams."""
    site = Site(path, broker)
    print(f"{n_waiting} flags wait", file=sys.stderr)
    for first in range(0, n_waiting, BATCH):
        numbers = range(first, min(first + BATCH, n_waiting))
        site.log.append(
            [opened(n, f"late-{n % N_STREAMS}", severity=f"P{n // N_STREAMS % 4}") for n in numbers]
        )
    has_ended = threading.Event()
    coming = threading.Thread(target=_commit_urgent, args=(site, has_ended))
    start_s = time.monotonic()
    site.publisher.start()
    while site.publisher.problem():
        time.sleep(0.001)
    coming.start()
    site.wait_until_sent()
    took_s = time.monotonic() - start_s
    has_ended.set()
    coming.join()
    site.wait_until_sent()
    ack_ms, append_ms, scrape_ms = site.ack_ms(), site.append_ms, site.scrape_ms
    site.close()
    committed = {key: ids for key, ids in committed_in(path).items() if key[0] == Topic.FLAGS}
    arrived = arrived_at(broker.bootstrap, [Topic.FLAGS], N_PARTITIONS)
    ours = {key: ids for key, ids in arrived.items() if key in committed}
    judgement = judged(committed, ours)
    per_s = n_waiting / took_s
    return {
        "waiting": n_waiting,
        "took_s": round(took_s, 2),
        "per_s": round(per_s),
        "urgent": len(ack_ms),
        "urgent_commit_to_ack_ms": quantiles(ack_ms),
        "append_ms": quantiles(append_ms),
        "scrape_ms": quantiles(scrape_ms),
        **asdict(judgement),
        "pass": per_s >= MIN_REPLAY_PER_S
        and quantile(append_ms, 0.99) <= MAX_APPEND_P99_MS
        and quantile(ack_ms, 0.95) <= MAX_URGENT_P95_MS
        and judgement.is_good,
    }


def _say_hello(site: Site) -> None:
    """Have the connection made and the topic found before anything is timed."""
    site.log.append([opened(-1, "hello")])
    site.publisher.wake()
    site.wait_until_sent()


def _commit_urgent(site: Site, has_ended: threading.Event) -> None:
    number = 0
    while not has_ended.wait(URGENT_EVERY_S):
        site.commit(opened(number, f"urgent-{number}", severity="P0"))
        number += 1
