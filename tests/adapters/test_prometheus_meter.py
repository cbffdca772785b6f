from typing import get_args

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streamguard.adapters.kafka_meter import KafkaMeter
from streamguard.adapters.prometheus_meter import FLAG_BUCKETS_S, PrometheusMeter
from streamguard.core.delivery_ports import Outcome
from streamguard.core.ports import DropReason, Stage
from streamguard.core.types import Detector, GapReason, Severity

P95_S, P99_S = 0.25, 0.5
"""The promises of ingest-to-flag."""


def value(meter: PrometheusMeter, name: str, /, **labels: str) -> float | None:
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
    assert value(meter, "vetoes_total") == 0
    assert value(meter, "shadow_matches_total") == 0


def test_what_happens_is_counted_under_its_label() -> None:
    meter = PrometheusMeter()

    meter.sampled(is_judged=True)
    meter.sampled(is_judged=True)
    meter.sampled(is_judged=False)
    meter.scored(is_scored=True)
    meter.scored(is_scored=False)
    meter.dropped("lane_full", 5)
    meter.dropped("lane_full")
    meter.gap("hash", GapReason.OVERLOAD, 2.5)
    meter.gap("hash", GapReason.OVERLOAD, 0.5)
    meter.screened(7.25)
    meter.evidence(is_stored=True)
    meter.evidence(is_stored=False)
    meter.reconnected("source_corrupt")
    meter.vetoed(0)
    meter.vetoed(2)
    meter.shadow_matched()

    assert value(meter, "samples_total", outcome="judged") == 2
    assert value(meter, "samples_total", outcome="low_quality") == 1
    assert value(meter, "scores_total", outcome="scored") == 1
    assert value(meter, "scores_total", outcome="not_scored") == 1
    assert value(meter, "samples_dropped_total", reason="lane_full") == 6
    assert value(meter, "gap_seconds_total", detector="hash", reason="overload") == 3.0
    assert value(meter, "screened_seconds_total") == 7.25
    assert value(meter, "evidence_total", outcome="stored") == 1
    assert value(meter, "evidence_total", outcome="failed") == 1
    assert value(meter, "connections_lost_total", reason="source_corrupt") == 1
    assert value(meter, "vetoes_total") == 2
    assert value(meter, "shadow_matches_total") == 1


def test_connections_that_stand_are_a_level() -> None:
    meter = PrometheusMeter()

    for change in (1, 1, -1):
        meter.connected(change)

    assert value(meter, "streams_connected") == 1


@pytest.mark.parametrize("edge_s", [P95_S, P99_S])
def test_a_flag_exactly_at_a_promise_kept_it_and_one_after_broke_it(edge_s: float) -> None:
    meter = PrometheusMeter()

    meter.flagged(Severity.P0, edge_s)
    meter.flagged(Severity.P1, edge_s * 1.001)

    assert edge_s in FLAG_BUCKETS_S
    assert value(meter, "ingest_to_flag_seconds_bucket", le=str(edge_s)) == 1
    assert value(meter, "ingest_to_flag_seconds_count") == 2
    assert value(meter, "flags_total", severity="P0") == 1
    assert value(meter, "flags_total", severity="P1") == 1


@pytest.mark.parametrize("stage", get_args(Stage))
def test_every_stage_is_timed(stage: Stage) -> None:
    meter = PrometheusMeter()

    meter.stage(stage, 0.002)
    meter.stage(stage, -0.001)

    assert value(meter, "stage_seconds_count", stage=stage) == 2
    assert value(meter, "stage_seconds_sum", stage=stage) == 0.002


@pytest.mark.parametrize("reason", get_args(DropReason))
def test_every_loss_has_its_label(reason: DropReason) -> None:
    meter = PrometheusMeter()

    meter.dropped(reason)

    assert value(meter, "samples_dropped_total", reason=reason) == 1


def test_a_time_that_seems_to_run_back_does_not_break_a_counter() -> None:
    meter = PrometheusMeter()

    meter.gap("hash", GapReason.LONG_GOP, -1.0)
    meter.screened(-1.0)

    assert value(meter, "gap_seconds_total", detector="hash", reason="long_gop") == 0
    assert value(meter, "screened_seconds_total") == 0


def test_a_watched_value_is_read_at_each_scrape() -> None:
    meter = PrometheusMeter()
    level = [1.0]

    meter.watch("depth", "How deep.", lambda: level[0])

    assert value(meter, "depth") == 1.0
    level[0] = 4.0
    assert value(meter, "depth") == 4.0


def test_the_model_in_force_is_described() -> None:
    meter = PrometheusMeter()

    meter.describe_model("nsfw", "1.2", "cpu")

    assert value(meter, "model_info", name="nsfw", version="1.2", provider="cpu") == 1


def test_every_metric_has_a_help_text_and_the_prefix() -> None:
    meter = PrometheusMeter()

    text = generate_latest(meter.registry).decode()

    families = list(text_string_to_metric_families(text))
    assert len(families) > 5
    for family in families:
        assert family.name.startswith("streamguard_")
        assert family.documentation.endswith(".")


def test_two_meters_do_not_share_their_counts() -> None:
    one, other = PrometheusMeter(), PrometheusMeter()

    one.screened(1.0)

    assert value(other, "screened_seconds_total") == 0
