"""The Meter on prometheus_client.

Rule: names carry base units, labels are closed sets and never a stream; bucket edges include every
promise, so that "how many kept it" is exact.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streamguard.core.crew import Trouble
from streamguard.core.evasion import Evasion
from streamguard.core.ports import DropReason, Stage
from streamguard.core.sampling import Level
from streamguard.core.schedule import Shed
from streamguard.core.types import Detector, GapReason, Severity

FLAG_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Edges for ingest-to-flag; 0.25 s (p95) and 0.5 s (p99) are the promises."""

COMING_UP_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 15.0, 30.0, 60.0)
"""Edges for listed-to-sample: what is promised of it, less the question a second, is a GOP and one
second; GOPs of 1 to 10 s are common."""

STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class PrometheusMeter:
    """Counts into a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._flag = Histogram(
            "streamguard_ingest_to_flag_seconds",
            "Seconds from the reading of a packet to the commit of the flag that it opened.",
            buckets=FLAG_BUCKETS_S,
            registry=self.registry,
        )
        self._coming_up = Histogram(
            "streamguard_listed_to_sample_seconds",
            "Seconds from when its server listed a publish to its first frame that was looked at.",
            buckets=COMING_UP_BUCKETS_S,
            registry=self.registry,
        )
        self._stage = Histogram(
            "streamguard_stage_seconds",
            "Seconds spent in one stage of the way of a frame.",
            ["stage"],
            buckets=STAGE_BUCKETS_S,
            registry=self.registry,
        )
        # found once: to look a label up took longer than to count
        self._stages = {stage: self._stage.labels(stage) for stage in get_args(Stage)}
        self._samples = self._counter(
            "samples", "Frames sampled, by outcome.", outcome=("judged", "low_quality")
        )
        self._vetoes = self._counter(
            "vetoes", "Views near something known that a negative bank silenced."
        )
        self._shadows = self._counter(
            "shadow_matches", "Matches of entries in shadow: logged, never flagged."
        )
        self._scores = self._counter(
            "scores", "Samples for the model, by outcome.", outcome=("scored", "not_scored")
        )
        self._dropped = self._counter(
            "samples_dropped",
            "Packets and samples lost before judgement.",
            reason=get_args(DropReason),
        )
        self._gaps = self._counter(
            "gap_seconds",
            "Media seconds not screened.",
            detector=get_args(Detector),
            reason=GapReason,
        )
        self._screened = self._counter("screened_seconds", "Media seconds screened.")
        self._flags = self._counter("flags", "Flags committed.", severity=Severity)
        self._evidence = self._counter(
            "evidence", "Clips and stills, by outcome.", outcome=("stored", "failed")
        )
        self._connected = Gauge(
            "streamguard_streams_connected", "Streams being read.", registry=self.registry
        )
        self._shed_flags = self._counter(
            "flags_shed",
            "Flags that were not committed because the event log's disk was nearly full.",
            severity=[one for one in Severity if one is not Severity.P0],
        )
        self._lost_workers = self._counter(
            "workers_lost",
            "Worker processes that died or were given up; the counts of its last second go with "
            "each, events do not.",
            reason=get_args(Trouble),
        )
        self._quarantines = self._counter(
            "quarantines",
            "Times that a stream was held back: workers died of it.",
            trouble=get_args(Trouble),
        )
        self._evasions = self._counter(
            "keyframe_evasion", "Streams whose keyframes began to hide something.", kind=Evasion
        )
        self._levels = Gauge(
            "streamguard_streams_sampled",
            "Streams by how much of them is decoded.",
            ["level"],
            registry=self.registry,
        )
        self._shed = Gauge(
            "streamguard_load_shed",
            "1 for what is left out under overload; each rung is what comes before it, and more.",
            ["rung"],
            registry=self.registry,
        )
        for level in Level:
            self._levels.labels(level)
        for rung in Shed:
            self._shed.labels(rung)
        self._ends = self._counter(
            "connections_lost", "Connections that an error ended.", reason=()
        )

    def stage(self, stage: Stage, seconds: float) -> None:
        """Time one stretch of the way of a frame."""
        self._stages[stage].observe(max(0.0, seconds))

    def sampled(self, *, is_judged: bool) -> None:
        """Count a sample that was held against the banks, or could not be."""
        self._samples.labels("judged" if is_judged else "low_quality").inc()

    def vetoed(self, count: int) -> None:
        """Count views that a negative bank silenced."""
        self._vetoes.inc(count)

    def shadow_matched(self) -> None:
        """Count an entry in shadow that began to match."""
        self._shadows.inc()

    def scored(self, *, is_scored: bool) -> None:
        """Count a sample that the model scored, or did not."""
        self._scores.labels("scored" if is_scored else "not_scored").inc()

    def came_up(self, seconds: float) -> None:
        """Time a publish from when its server listed it to its first frame that was looked at."""
        self._coming_up.observe(max(0.0, seconds))

    def dropped(self, reason: DropReason, count: int = 1) -> None:
        """Count packets or samples that were lost."""
        self._dropped.labels(reason).inc(count)

    def gap(self, detector: Detector, reason: GapReason, seconds: float) -> None:
        """Count media seconds that a detector did not screen."""
        self._gaps.labels(detector, reason).inc(max(0.0, seconds))

    def screened(self, seconds: float) -> None:
        """Count media seconds that were screened."""
        self._screened.inc(max(0.0, seconds))

    def flagged(self, severity: Severity, ingest_to_flag_s: float) -> None:
        """Count a committed flag."""
        self._flags.labels(severity).inc()
        self._flag.observe(ingest_to_flag_s)

    def evidence(self, *, is_stored: bool) -> None:
        """Count a clip and still that were stored, or failed."""
        self._evidence.labels("stored" if is_stored else "failed").inc()

    def connected(self, change: int) -> None:
        """Count a connection that stands (1), or stands no more (-1)."""
        self._connected.inc(change)

    def evaded(self, kind: Evasion) -> None:
        """Count a stream whose keyframes began to hide what lies between them."""
        self._evasions.labels(kind).inc()

    def scheduled(self, n_streams: Mapping[Level, int], shed: Shed) -> None:
        """Show how many streams have each level, and what is left out under overload."""
        for level, count in n_streams.items():
            self._levels.labels(level).set(count)
        for rung in Shed:
            self._shed.labels(rung).set(rung is shed)

    def reconnected(self, reason: str) -> None:
        """Count a connection that an error ended."""
        self._ends.labels(reason).inc()

    def lost_worker(self, trouble: Trouble) -> None:
        """Count a worker process that was given up, or died."""
        self._lost_workers.labels(trouble).inc()

    def quarantined(self, trouble: Trouble) -> None:
        """Count a stream that is held back, by what became of the last worker."""
        self._quarantines.labels(trouble).inc()

    def shed(self, severity: Severity) -> None:
        """Count a flag that was let go, for the log's disk was nearly full."""
        self._shed_flags.labels(severity).inc()

    def describe_model(self, name: str, version: str, provider: str) -> None:
        """Export which model runs, and on what."""
        labels = ["name", "version", "provider"]
        gauge = Gauge(
            "streamguard_model_info", "1 for the model in force.", labels, registry=self.registry
        )
        gauge.labels(name, version, provider).set(1)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Export a value that is read at each scrape, as gauge `streamguard_<name>`."""
        gauge = Gauge(f"streamguard_{name}", text, registry=self.registry)
        gauge.set_function(value)

    def _counter(self, name: str, text: str, **labels: Iterable[str]) -> Counter:
        """Make a counter that stands at 0 for each value of its labels that is known.

        One that first shows up as 1 would not be an increase to Prometheus, and raise no alert.
        """
        counter = Counter(f"streamguard_{name}", text, tuple(labels), registry=self.registry)
        for values in product(*labels.values()) if labels else ():
            counter.labels(*values)
        return counter
