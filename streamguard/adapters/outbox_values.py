"""Shows how many records came into the log, and what became of them, as metrics.

Rule: the four numbers of a topic are of one moment, and the first is the sum of the others, or
something was lost. They are counted beside: a scrape reads what was counted last.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from streamguard.core.delivery_ports import Tally
from streamguard.core.errors import LogUnavailable

COUNT_EVERY_S = 2.0
"""More often than anybody scrapes, where little waits."""

SHARE = 20
"""What waits is counted one by one, 0.5 s a million: one part in so many of the time goes there."""

log = structlog.get_logger()


class OutboxValues(Collector):
    """The account of all topics; any thread may read it."""

    def __init__(
        self, registry: CollectorRegistry, topics: Sequence[str], tally: Callable[[str], Tally]
    ) -> None:
        """tally: counts the records of a topic; it may take seconds."""
        self._topics = topics
        self._tally = tally
        self._counted: dict[str, Tally] = {}
        registry.register(self)

    def count(self) -> None:
        """Count anew; a topic is left out while its log cannot be read."""
        for topic in self._topics:
            try:
                self._counted[topic] = self._tally(topic)
            except LogUnavailable:
                self._counted.pop(topic, None)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count now and then, in a thread of its own, as long as this lasts."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,), name="outbox", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, stop: threading.Event) -> None:
        pause_s = 0.0
        while not stop.wait(pause_s):
            start_s = time.monotonic()
            try:
                self.count()
            except Exception:  # a thread that ends is never seen again
                log.exception("outbox_count_failed")
            pause_s = max(COUNT_EVERY_S, SHARE * (time.monotonic() - start_s))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Tell what was counted last; nothing of a topic whose log could not be read."""
        family = GaugeMetricFamily(
            "streamguard_outbox_records",
            "Records of a topic since the log was made: all that were committed, and of these those"
            " that Kafka acknowledged, that wait, and that it refused for good.",
            labels=["topic", "state"],
        )
        for topic, tally in tuple(self._counted.items()):
            for state, count in asdict(tally).items():
                family.add_metric([topic, state], count)
        yield family
