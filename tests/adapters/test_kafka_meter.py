import pytest
from prometheus_client import CollectorRegistry

from streamguard.adapters.kafka_meter import ACK_BUCKETS_S, KafkaMeter
from streamguard.core.delivery_ports import Outcome


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_records_are_counted_by_what_became_of_them(registry: CollectorRegistry) -> None:
    meter = KafkaMeter(registry)

    for outcome in (Outcome.ACKNOWLEDGED, Outcome.ACKNOWLEDGED, Outcome.DEAD):
        meter.sent(outcome)

    name = "streamguard_kafka_records_total"
    assert registry.get_sample_value(name, {"outcome": "acknowledged"}) == 2
    assert registry.get_sample_value(name, {"outcome": "dead"}) == 1


def test_failures_are_counted_by_reason(registry: CollectorRegistry) -> None:
    KafkaMeter(registry).failed("broker_denied")

    name = "streamguard_kafka_retries_total"
    assert registry.get_sample_value(name, {"reason": "broker_denied"}) == 1


@pytest.mark.parametrize(("took_s", "edge_s"), [(0.25, "0.25"), (0.2501, "0.5"), (-1.0, "0.01")])
def test_the_promise_is_an_edge_and_a_clock_set_back_is_no_time(
    registry: CollectorRegistry, took_s: float, edge_s: str
) -> None:
    KafkaMeter(registry).flag_acknowledged(took_s)

    name = "streamguard_ingest_to_ack_seconds"
    counts = {
        f"{edge}": registry.get_sample_value(f"{name}_bucket", {"le": f"{edge}"})
        for edge in ACK_BUCKETS_S
    }
    assert next(edge for edge, count in counts.items() if count) == edge_s
    assert (registry.get_sample_value(f"{name}_sum") or 0.0) == pytest.approx(max(0.0, took_s))
