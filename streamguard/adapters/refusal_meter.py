"""Counts what came by Kafka to decide something, and was not believed.

Rule: as in `prometheus_meter`.
"""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter

from streamguard.core.signed import Refusal


class RefusalMeter:
    """Counts by reason."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._refused = Counter(
            "streamguard_decisions_refused",
            "Decisions and appeals that came by Kafka and were not taken: nobody signed them,"
            " nobody whom we trust did, or they are not what was signed.",
            ["reason"],
            registry=registry,
        )
        for reason in get_args(Refusal):
            self._refused.labels(reason)  # at 0: a first one, too, is an increase to Prometheus

    def refused(self, reason: Refusal) -> None:
        """Count one."""
        self._refused.labels(reason).inc()
