"""The metrics of several processes, shown as one."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from streamguard.adapters.meter_values import FleetValues, families_of
from streamguard.core.measured import Family


def measured(count: float, gauges: dict[str, float]) -> tuple[CollectorRegistry, Counter]:
    registry = CollectorRegistry()
    counter = Counter("x_flags", "Flags.", ["severity"], registry=registry)
    counter.labels("P0").inc(count)
    Histogram("x_took", "Took.", buckets=(1, 2), registry=registry).observe(count)
    for name, value in gauges.items():
        Gauge(name, "Now.", registry=registry).set(value)
    return registry, counter


def shown(fleet: FleetValues) -> list[str]:
    registry = CollectorRegistry()
    registry.register(fleet)
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


def families(count: float, **gauges: float) -> tuple[Family, ...]:
    return families_of(measured(count, gauges)[0])


def test_counters_and_histograms_add_up_over_processes() -> None:
    fleet = FleetValues(measured(1, {})[0])
    fleet.heard(1, families(2))
    fleet.heard(2, families(4))

    assert 'x_flags_total{severity="P0"} 7.0' in shown(fleet)
    assert 'x_took_bucket{le="1.0"} 1.0' in shown(fleet)
    assert 'x_took_bucket{le="+Inf"} 3.0' in shown(fleet)
    assert "x_took_sum 7.0" in shown(fleet)


def test_what_a_worker_counted_stays_counted_when_it_is_gone() -> None:
    fleet = FleetValues(measured(1, {})[0])
    fleet.heard(1, families(2, x_connected=5))
    fleet.left(1)
    fleet.left(1)
    fleet.heard(2, families(4, x_connected=1))

    assert 'x_flags_total{severity="P0"} 7.0' in shown(fleet)
    assert "x_connected 1.0" in shown(fleet)


def test_the_newest_word_of_a_worker_counts_once() -> None:
    fleet = FleetValues(measured(0, {})[0])
    fleet.heard(1, families(2))
    fleet.heard(1, families(3))

    assert 'x_flags_total{severity="P0"} 3.0' in shown(fleet)


def test_gauges_are_added_or_the_worst_or_the_best_is_shown_by_their_names() -> None:
    fleet = FleetValues(measured(0, {"x_backlog": 1, "x_queue_age_seconds": 2, "x_healthy": 1})[0])
    fleet.heard(1, families(0, x_backlog=3, x_queue_age_seconds=7, x_healthy=0))

    assert {"x_backlog 4.0", "x_queue_age_seconds 7.0", "x_healthy 0.0"} <= set(shown(fleet))
