"""Metrics of delivery to Kafka, on prometheus_client.

Rule: as in `prometheus_meter`; bucket edges include the promise, 0.25 s at p95.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

from streamguard.core.delivery_ports import Outcome

ACK_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0)


class KafkaMeter:
    """The DeliveryMeter."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._flag = Histogram(
            "streamguard_ingest_to_ack_seconds",
            "Seconds from the ingest instant of a flag that opened to the broker's acknowledgement,"
            " by the wall clock.",
            buckets=ACK_BUCKETS_S,
            registry=registry,
        )
        self._records = Counter(
            "streamguard_kafka_records",
            "Records of the log by what became of them at the broker.",
            ["outcome"],
            registry=registry,
        )
        for outcome in Outcome:
            self._records.labels(outcome)  # at 0: a first one, too, is an increase to Prometheus
        self._retries = Counter(
            "streamguard_kafka_retries",
            "Tries at the broker that failed and are repeated.",
            ["reason"],
            registry=registry,
        )

    def sent(self, outcome: Outcome) -> None:
        """Count a record by what became of it."""
        self._records.labels(outcome).inc()

    def failed(self, reason: str) -> None:
        """Count a try that is repeated."""
        self._retries.labels(reason).inc()

    def flag_acknowledged(self, ingest_to_ack_s: float) -> None:
        """Time a flag; a clock that was set back counts as no time."""
        self._flag.observe(max(0.0, ingest_to_ack_s))
