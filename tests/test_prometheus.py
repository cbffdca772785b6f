import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamguard.settings import load_settings
from tests.conftest import Prometheus as Programs
from tests.monitoring import (
    PROMETHEUS_CONFIGS,
    exported,
    exporting,
    exporting_forward,
    scraping,
)

pytestmark = pytest.mark.integration

RULES = [
    rule
    for group in yaml.safe_load((PROMETHEUS_CONFIGS / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
OF_OTHERS = {
    "streamguard_enforce_actions_total",
    "streamguard_enforce_breaker_open",
    "streamguard_enforce_open_actions",
    "streamguard_review_bankings_total",
    "streamguard_review_untaken_actions",
    "streamguard_review_urgent_cases",
}
"""Other processes export these; tests/integration/test_enforce.py and test_review_paging ask."""

RECORDED = {rule["record"] for rule in RULES if "record" in rule}
TESTS = (PROMETHEUS_CONFIGS / "rules_test.yml").read_text()


def checked(programs: Programs, *arguments: str, stdin: str | None = None) -> str:
    """Run promtool; give what it said. It must be content."""
    done = subprocess.run(
        [str(programs.promtool), *arguments],
        cwd=PROMETHEUS_CONFIGS,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_configuration_and_rules_are_valid(requires_prometheus: Programs) -> None:
    said = checked(requires_prometheus, "check", "config", "--lint-fatal", "prometheus.yml")

    assert f"SUCCESS: {len(RULES)} rules found" in said


def test_targets_are_the_usual_ports_of_all_that_export() -> None:
    usual = load_settings(None)
    ports = (usual.http.port, usual.enforce.port, usual.review.metrics_port)

    [targets] = yaml.safe_load((PROMETHEUS_CONFIGS / "targets.yml").read_text())

    assert targets == {"targets": [f"127.0.0.1:{port}" for port in ports]}


def test_each_alert_fires_and_stays_quiet_where_it_should(requires_prometheus: Programs) -> None:
    said = checked(requires_prometheus, "test", "rules", "rules_test.yml")

    assert "SUCCESS" in said


def test_a_rule_that_is_broken_would_be_found(
    requires_prometheus: Programs, tmp_path: Path
) -> None:
    rules = (PROMETHEUS_CONFIGS / "rules.yml").read_text()
    (tmp_path / "rules.yml").write_text(rules.replace("log_backlog > 500", "log_backlog > 5000"))
    (tmp_path / "rules_test.yml").write_text(TESTS)

    with pytest.raises(AssertionError, match="StreamguardLogBacklog"):
        checked(requires_prometheus, "test", "rules", str(tmp_path / "rules_test.yml"))


@pytest.mark.parametrize("name", ALERTS)
def test_alert_is_seen_firing_by_a_unit_test_and_silent_by_another(name: str) -> None:
    steps = [
        [re.findall(r'alertname="(\w+)"', str(sample)) for sample in check["exp_samples"]]
        for case in yaml.safe_load(TESTS)["tests"]
        for check in case["promql_expr_test"]
        if "ALERTS" in check["expr"]
    ]

    assert any([name] in fired for fired in steps)
    assert any([name] not in fired for fired in steps)


@pytest.mark.parametrize("name", ALERTS)
def test_alert_says_what_happened_and_what_to_do(name: str) -> None:
    rule: dict[str, Any] = ALERTS[name]

    assert name.startswith("Streamguard")
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "description", "action"}
    assert all(text.strip() for text in rule["annotations"].values())


def test_real_prometheus_scrapes_a_real_streamguard(
    requires_prometheus: Programs, tmp_path: Path
) -> None:
    with exporting(tmp_path) as running, exporting_forward(tmp_path) as (forward, more):
        port = running.wait_for(running.log, event="run_started")["port"]
        _, metrics = running.get("/metrics")
        with scraping(requires_prometheus.server, tmp_path, port, forward) as prometheus:
            prometheus.wait_for('up{job="streamguard-forward"} == 1')
            prometheus.wait_for('streamguard_forward_backlog{job="streamguard-forward"}')
            up = prometheus.wait_for('up{job="streamguard"} == 1')
            configured = prometheus.wait_for("streamguard_streams_configured")
            prometheus.wait_for("instance:streamguard_flags:increase1h")
            prometheus.wait_for('ALERTS{alertname="StreamguardNoStreamConnected"}')
            groups = prometheus.ask("rules")["groups"]

    assert checked(requires_prometheus, "check", "metrics", stdin=metrics) == ""
    assert checked(requires_prometheus, "check", "metrics", stdin=more) == ""
    assert up[0]["metric"]["instance"] == f"127.0.0.1:{port}"
    assert configured[0]["value"][1] == "1"
    evaluated = [rule for group in groups for rule in group["rules"]]
    assert len(evaluated) == len(RULES)
    assert {rule["health"] for rule in evaluated} <= {"ok", "unknown"}
    unknown = named(str(RULES)) - exported(metrics + more) - RECORDED - OF_OTHERS
    assert unknown == set(), "rules name metrics that nobody exports"


def named(text: str) -> set[str]:
    """Give the names of metrics, recorded ones included, that expressions hold."""
    return set(re.findall(r"(?:instance:)?\bstreamguard_\w+(?::\w+)?", text))
