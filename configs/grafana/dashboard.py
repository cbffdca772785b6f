"""Makes dashboards/streamguard.json of panels.toml: `python configs/grafana/dashboard.py`.

Rule: nothing is decided here but where a panel stands and how Grafana spells it.
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OUTPUT = HERE / "dashboards" / "streamguard.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WHOLE, HALF, SIXTH = 24, 12, 4  # Grafana's columns
HIGH, LOW = 8, 4

Row = dict[str, Any]


def text() -> str:
    """Give the dashboard as it is written."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


def dashboard() -> Row:
    """Give the whole dashboard as Grafana imports it."""
    return {
        "uid": "streamguard",
        "title": "streamguard",
        "description": "Screening of livestreams: is it fast, is it whole, does it arrive.",
        "tags": ["streamguard"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_datasource(), _instance()]},
        "annotations": {"list": [_alerts()]},
        "panels": list(_placed()),
    }


def _placed() -> Iterator[Row]:
    """Lay the panels out, section by section: six stats a row, then two graphs a row."""
    number, top = 1, 0
    for section in tomllib.loads((HERE / "panels.toml").read_text())["section"]:
        place = {"x": 0, "y": top, "w": WHOLE, "h": 1}
        title = section["title"]
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place}
        number, top, left, high = number + 1, top + 1, 0, 0
        for panel in section["panel"]:
            if left >= WHOLE:
                top, left = top + high, 0
            wide, high = (SIXTH, LOW) if panel.get("stat") else (HALF, HIGH)
            yield _panel(number, panel, {"x": left, "y": top, "w": wide, "h": high})
            number, left = number + 1, left + wide
        top += high


def _panel(number: int, panel: Row, place: dict[str, int]) -> Row:
    is_stat = panel.get("stat", False)
    limit = {"max": panel["max"]} if "max" in panel else {}
    return {
        "id": number,
        "type": "stat" if is_stat else "timeseries",
        "title": panel["title"],
        "description": panel["advice"],
        "datasource": SOURCE,
        "gridPos": place,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": query["expr"],
                "legendFormat": query["legend"],
                "range": True,
            }
            for index, query in enumerate(panel["queries"])
        ],
        "fieldConfig": {
            "defaults": {
                "unit": panel.get("unit", "short"),
                "min": 0,
                **limit,
                "custom": {} if is_stat else _drawn("red" in panel),
                "thresholds": {"mode": "absolute", "steps": _steps(panel)},
            },
            "overrides": [],
        },
        "options": _stat_options() if is_stat else _graph_options(),
    }


def _drawn(has_bound: bool) -> Row:  # noqa: FBT001  # a private helper with one caller
    bound = {"thresholdsStyle": {"mode": "line"}} if has_bound else {}
    return {"fillOpacity": 8, "showPoints": "never", **bound}


def _stat_options() -> Row:
    return {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "none"}


def _graph_options() -> Row:
    legend = {"displayMode": "list", "placement": "bottom"}
    return {"legend": legend, "tooltip": {"mode": "multi"}}


def _steps(panel: Row) -> list[Row]:
    if "red" not in panel:
        return [{"color": "green", "value": None}]
    first, second = ("red", "green") if panel.get("below") else ("green", "red")
    return [{"color": first, "value": None}, {"color": second, "value": panel["red"]}]


def _datasource() -> Row:
    kind = {"type": "datasource", "query": "prometheus"}
    return {"name": "datasource", "label": "Prometheus", **kind}


def _instance() -> Row:
    query = "label_values(streamguard_streams_connected, instance)"
    return {
        "name": "instance",
        "label": "Instance",
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "instance"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _alerts() -> Row:
    return {
        "name": "Alerts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertname=~"Streamguard.*", alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{instance}}",
        "step": "30s",
    }


if __name__ == "__main__":
    OUTPUT.write_text(text())
