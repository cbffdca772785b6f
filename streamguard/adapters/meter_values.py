"""What a worker's metrics say, on their way to the supervisor, and all workers' together.

Rule: counters and histograms of workers that are gone go on counting; of what is measured now, the
sum, the worst or the best is shown, by what the name says.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from streamguard.core.measured import Family, Value

Way = Literal["sum", "max", "min"]

Key = tuple[str, tuple[tuple[str, str], ...]]

ADD_UP = ("_connected", "_backlog", "_sampled", "_shed")
"""Endings of gauges of which each process has a share; of others the largest counts."""

ALL_MUST = ("_healthy", "_writable")
"""Endings of gauges of which the smallest counts."""


def families_of(registry: CollectorRegistry) -> tuple[Family, ...]:
    """Read all metrics of a registry; times of creation are left out."""
    return tuple(
        Family(
            metric.name,
            metric.documentation,
            metric.type,
            tuple(
                Value(sample.name, dict(sample.labels), sample.value)
                for sample in metric.samples
                if not sample.name.endswith("_created")
            ),
        )
        for metric in registry.collect()
    )


class FleetValues(Collector):
    """Shows the metrics of a process and its workers as if they were one; any thread may read."""

    def __init__(self, own: CollectorRegistry) -> None:
        """own: of the process that shows them."""
        self._own = own
        self._now: dict[int, tuple[Family, ...]] = {}
        self._gone: dict[Key, float] = {}

    def heard(self, number: int, families: tuple[Family, ...]) -> None:
        """Take what a worker's metrics now are."""
        self._now[number] = families

    def left(self, number: int) -> None:
        """Keep the counts of a worker that is gone: those of its last 2 s, it never told."""
        gone = dict(self._gone)
        for family in self._now.pop(number, ()):
            if family.kind != "gauge":
                _add(gone, family.values, "sum")
        self._gone = gone

    def collect(self) -> Iterator[Metric]:
        """Give all metrics, for a scrape."""
        workers = (families_of(self._own), *self._now.values())
        heads = {family.name: family for families in workers for family in families}
        for name, head in sorted(heads.items()):
            is_gauge = head.kind == "gauge"
            values: dict[Key, float] = {}
            for families in workers:
                for family in families:
                    if family.name == name:
                        _add(values, family.values, _way(name) if is_gauge else "sum")
            metric = Metric(name, head.text, head.kind)
            for (sample_name, labels), value in values.items():
                total = value if is_gauge else value + self._gone.get((sample_name, labels), 0.0)
                metric.add_sample(sample_name, dict(labels), total)
            yield metric


def _way(name: str) -> Way:
    if name.endswith(ADD_UP):
        return "sum"
    return "min" if name.endswith(ALL_MUST) else "max"


def _add(values: dict[Key, float], samples: Iterable[Value], way: Way) -> None:
    for sample in samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        before = values.get(key)
        if before is None or math.isnan(before):
            values[key] = sample.value
        elif way == "sum":
            values[key] = before + sample.value
        else:
            values[key] = max(before, sample.value) if way == "max" else min(before, sample.value)
