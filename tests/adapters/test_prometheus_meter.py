from typing import get_args

import pytest

from streamguard.adapters.kafka_meter import KafkaMeter
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.delivery_ports import Outcome
from streamguard.core.ports import DropReason
from streamguard.core.types import Detector, GapReason, Severity


def value(meter: PrometheusMeter, name: str, **labels: str) -> float | None:
    return meter.registry.get_sample_value(f"streamguard_{name}", labels)


def test_counters_stand_at_nought_before_anything_happens() -> None:
    meter = PrometheusMeter()
    KafkaMeter(meter.registry)

    for detector in get_args(Detector):
        for reason in GapReason:
            assert value(meter, "gap_seconds_total", detector=detector, reason=reason) == 0
    for reason in get_args(DropReason):
        assert value(meter, "samples_dropped_total", reason=reason) == 0
    for severity in Severity:
        assert value(meter, "flags_total", severity=severity) == 0
    for outcome in get_args(Outcome):
        assert value(meter, "kafka_records_total", outcome=outcome) == 0
    assert value(meter, "evidence_total", outcome="failed") == 0
    assert value(meter, "screened_seconds_total") == 0


def test_counts_land_where_they_were_made_to_stand() -> None:
    meter = PrometheusMeter()

    meter.gap("hash", GapReason.OVERLOAD, 1.5)
    meter.dropped("lane_full", 3)
    meter.flagged(Severity.P0, 0.2)
    meter.evidence(is_stored=False)
    meter.sampled(is_judged=True)
    meter.scored(is_scored=False)

    assert value(meter, "gap_seconds_total", detector="hash", reason="overload") == 1.5
    assert value(meter, "samples_dropped_total", reason="lane_full") == 3
    assert value(meter, "flags_total", severity="P0") == 1
    assert value(meter, "evidence_total", outcome="failed") == 1
    assert value(meter, "samples_total", outcome="judged") == 1
    assert value(meter, "scores_total", outcome="not_scored") == 1


@pytest.mark.parametrize(("seconds", "kept"), [(0.25, 1), (0.251, 0)])
def test_promise_is_an_edge_of_the_histogram(seconds: float, kept: int) -> None:
    meter = PrometheusMeter()

    meter.flagged(Severity.P1, seconds)

    assert value(meter, "ingest_to_flag_seconds_bucket", le="0.25") == kept
    assert value(meter, "ingest_to_flag_seconds_count") == 1
