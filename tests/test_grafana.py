import importlib.util
import json
import re
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.conftest import Prometheus as Programs
from tests.monitoring import (
    exported,
    exporting,
    exporting_enforce,
    exporting_forward,
    exporting_review,
    scraping,
)
from tests.processes import ROOT

GRAFANA = ROOT / "configs" / "grafana"
FILE = GRAFANA / "dashboards" / "streamguard.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in PANELS
    for target in panel["targets"]
}
FILLED = {"$instance": ".*", "$__rate_interval": "1m", "$__range": "1h"}

HAS_TO_SHOW = {
    "streamguard_ingest_to_flag_seconds_bucket",
    "streamguard_stage_seconds_bucket",
    "streamguard_screened_seconds_total",
    "streamguard_gap_seconds_total",
    "streamguard_samples_dropped_total",
    "streamguard_streams_connected",
    "streamguard_flags_total",
    "streamguard_log_backlog",
    "streamguard_decode_queue_age_seconds",
    "streamguard_ingest_to_ack_seconds_bucket",
    "streamguard_kafka_backlog",
    "streamguard_forward_oldest_seconds",
    "streamguard_decisions_refused_total",
    "streamguard_enforce_actions_total",
    "streamguard_enforce_seconds_bucket",
    "streamguard_enforce_breaker_open",
    "streamguard_enforcer_unread_seconds",
    "streamguard_review_untaken_actions",
}


def filled(query: str) -> str:
    """Put something in the place of Grafana's variables, as Grafana does."""
    for variable, value in FILLED.items():
        query = query.replace(variable, value)
    return query


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboard", GRAFANA / "dashboard.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_dashboard_is_what_its_panels_make() -> None:
    assert FILE.read_text() == generator().text(), "run `python configs/grafana/dashboard.py`"


def test_variables_are_those_that_grafana_knows() -> None:
    named = set(re.findall(r"\$\w+", " ".join(QUERIES.values())))

    assert named == set(FILLED)
    assert "$" not in filled(" ".join(QUERIES.values()))


def test_data_source_is_the_viewers_choice() -> None:
    used = [part["datasource"]["uid"] for panel in PANELS for part in (panel, *panel["targets"])]
    offered = DASHBOARD["templating"]["list"][0]

    assert set(used) == {"${datasource}"}
    assert (offered["name"], offered["type"], offered["query"]) == (
        *("datasource", "datasource"),
        "prometheus",
    )


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_panel_says_what_it_shows_and_has_queries(panel: dict[str, Any]) -> None:
    assert len(panel["description"].split()) >= 8
    assert panel["description"].endswith(".")
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_panels_lie_side_by_side_within_24_columns() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]

    for one, other in combinations(places, 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_above
    assert max(place["x"] + place["w"] for place in places) == 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_all_that_an_operator_must_see_is_shown() -> None:
    shown = set(re.findall(r"streamguard_\w+", " ".join(QUERIES.values())))

    assert shown >= HAS_TO_SHOW


def test_provisioning_finds_the_dashboard_and_prometheus() -> None:
    folder = GRAFANA / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "streamguard.yml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((folder / "dashboards" / "streamguard.yml").read_text())[
        "providers"
    ]

    assert (source["type"], source["url"], source["isDefault"]) == (
        "prometheus",
        "$PROMETHEUS_URL",
        True,
    )
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


@pytest.mark.integration
def test_every_query_names_real_metrics_and_runs(
    requires_prometheus: Programs, tmp_path: Path
) -> None:
    with (
        exporting(tmp_path) as running,
        exporting_forward(tmp_path) as (_, forward),
        exporting_enforce(tmp_path) as enforce,
        exporting_review(tmp_path) as review,
    ):
        port = running.wait_for(running.log, event="run_started")["port"]
        _, metrics = running.get("/metrics")
        with scraping(requires_prometheus.server, tmp_path, port) as prometheus:
            prometheus.wait_for("streamguard_streams_configured")
            problems = {name: prometheus.problem(filled(q)) for name, q in QUERIES.items()}
            configured = prometheus.wait_for(filled(QUERIES["Streams configured A"]))
            broken = prometheus.problem("sum(streamguard_flags_total")

    unknown = set(re.findall(r"streamguard_\w+", str(QUERIES))) - exported(
        metrics + forward + enforce + review
    )
    assert unknown == set(), "panels name metrics that nobody exports"
    assert problems == dict.fromkeys(QUERIES)
    assert configured[0]["value"][1] == "1"
    assert broken, "a broken query would be found"
