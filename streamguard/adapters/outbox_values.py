"""Shows how many records came into the log, and what became of them, as metrics.

Rule: the four numbers of a topic are read at one moment, at each scrape; the first is the sum of
the others, or something was lost.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from streamguard.core.delivery_ports import Tally
from streamguard.core.errors import LogUnavailable


class OutboxValues(Collector):
    """The account of all topics; any thread may read it."""

    def __init__(
        self, registry: CollectorRegistry, topics: Sequence[str], tally: Callable[[str], Tally]
    ) -> None:
        self._topics = topics
        self._tally = tally
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the log; a topic is left out while that cannot be done."""
        family = GaugeMetricFamily(
            "streamguard_outbox_records",
            "Records of a topic since the log was made: all that were committed, and of these those"
            " that Kafka acknowledged, that wait, and that it refused for good.",
            labels=["topic", "state"],
        )
        for topic in self._topics:
            try:
                tally = self._tally(topic)
            except LogUnavailable:
                continue
            for state, count in asdict(tally).items():
                family.add_metric([topic, state], count)
        yield family
