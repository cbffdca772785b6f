"""A streamguard that exports all it can, and Prometheus asked about it.

Rule: as in `processes`: nothing outlives its `with`, and nothing is waited for without a deadline.
"""

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi

from tests.made_keys import made_key
from tests.processes import ROOT, Running
from tests.servers import HOST, refusing_port

PROMETHEUS_CONFIGS = ROOT / "configs" / "prometheus"
DEADLINE_S = 30.0
EVERY_S = 0.2

_TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
_SERIES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


@contextmanager
def exporting(directory: Path) -> Iterator[Running]:
    """Run streamguard with a stream and a broker that refuse, a model, and a store of evidence."""
    config = directory / "streamguard.toml"
    config.write_text(
        f'[[streams]]\nid = "s"\nurl = "rtmp://{HOST}:{refusing_port()}/live/x"\n'
        f"[http]\nport = 0\n[model]\npack = '{ROOT / 'models' / 'opennsfw'}'\n"
        f"[kafka]\nbootstrap_servers = '{HOST}:{refusing_port()}'\n"
        'take = ["streamguard.decisions.v1"]\n'
        f"[decisions]\ntrusted_keys = ['{made_key(directory, 'console').public}']\n"
        f"[log]\nfile = '{directory / 'events.db'}'\n"
        f"[evidence]\ndirectory = '{directory / 'evidence'}'\n"
        f"store = '{(directory / 'elsewhere').as_uri()}'\n"
        f"timestamp_url = 'http://{HOST}:{refusing_port()}'\n"
        f"timestamp_roots_file = '{certifi.where()}'\n"
    )
    with Running("run", "--config", config, cwd=directory) as running:
        running.wait_for(running.log, event="source_lost")
        yield running
        running.stop()


@contextmanager
def exporting_forward(directory: Path) -> Iterator[tuple[int, str]]:
    """Run `forward` beside it, to a webhook that refuses; give its port and what it exports."""
    (directory / "secret").write_text("c3RyZWFtZ3VhcmQgc2VuZHMgbm90aGluZyBzZWNyZXQ=")
    config = directory / "forward.toml"
    config.write_text(
        f'[webhook]\nurl = "http://{HOST}:{refusing_port()}/"\nsecret_file = "secret"\nport = 0\n'
        f"[log]\nfile = '{directory / 'events.db'}'\n"
    )
    with Running("forward", "--config", config, "--from-start", cwd=directory) as running:
        port = int(running.wait_for(running.log, event="forward_started")["port"])
        with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=DEADLINE_S) as answer:
            yield port, answer.read().decode()
        running.stop()


@contextmanager
def exporting_enforce(directory: Path) -> Iterator[str]:
    """Run `enforce` on a log that is there; give what it exports."""
    (directory / "secret").write_text("c3RyZWFtZ3VhcmQgc2VuZHMgbm90aGluZyBzZWNyZXQ=")
    config = directory / "enforce.toml"
    config.write_text(
        f'[enforce]\nwebhook = "http://{HOST}:{refusing_port()}/"\nport = 0\nadmission_port = 0\n'
        f"webhook_secret_file = \"secret\"\n[log]\nfile = '{directory / 'events.db'}'\n"
    )
    with Running("enforce", "--config", config, cwd=directory) as running:
        started = running.wait_for(running.log, event="enforce_started")
        metrics = f"http://{HOST}:{started['port']}/metrics"
        with urllib.request.urlopen(metrics, timeout=DEADLINE_S) as answer:
            yield answer.read().decode()
        running.stop()


@contextmanager
def exporting_review(directory: Path) -> Iterator[str]:
    """Run `review` on a log that is there; give what it exports."""
    config = directory / "review.toml"
    config.write_text(
        f"[review]\nport = 0\nmetrics_port = 0\n[log]\nfile = '{directory / 'events.db'}'\n"
    )
    with Running("review", "--config", config, cwd=directory) as running:
        started = running.wait_for(running.log, event="review_started")
        metrics = f"http://{HOST}:{started['metrics_port']}/metrics"
        with urllib.request.urlopen(metrics, timeout=DEADLINE_S) as answer:
            yield answer.read().decode()
        running.stop()


def exported(metrics: str) -> set[str]:
    """Give the names of all series that a scrape can hold, from its TYPE lines."""
    return {
        f"{name}{suffix}"
        for name, kind in _TYPE.findall(metrics)
        for suffix in _SERIES.get(kind, ("",))
    }


class Prometheus:
    """A Prometheus server, as one asks it."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, path: str, **parameters: str) -> dict[str, Any]:
        """Give the answer of its API; raises HTTPError where it is no success."""
        query = urllib.parse.urlencode(parameters)
        url = f"http://{HOST}:{self._port}/api/v1/{path}?{query}"
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
            return data

    def problem(self, expression: str) -> str | None:
        """Say what is wrong with a query, if anything."""
        try:
            self.ask("query", query=expression)
        except urllib.error.HTTPError as error:
            with error:
                return str(json.load(error)["error"])
        return None

    def wait_for(self, expression: str) -> list[dict[str, Any]]:
        """Wait until a query has a result."""
        by_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < by_s:
            try:
                result: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
            except (urllib.error.URLError, ConnectionError):
                result = []
            if result:
                return result
            time.sleep(EVERY_S)
        raise TimeoutError(f"no result for {expression}")


@contextmanager
def scraping(
    server: Path, directory: Path, target: int, forward: int | None = None
) -> Iterator[Prometheus]:
    """Run Prometheus with the configuration that is shipped, sped up, on one target.

    forward: port of a `forward`, if there is one.
    """
    for name in ("prometheus.yml", "rules.yml"):
        text = (PROMETHEUS_CONFIGS / name).read_text()
        text = re.sub(
            r"(scrape_interval|scrape_timeout|evaluation_interval): \d+s", r"\1: 1s", text
        )
        (directory / name).write_text(text)
    (directory / "targets.yml").write_text(f'- targets: ["{HOST}:{target}"]\n')
    forwards = f'- targets: ["{HOST}:{forward}"]\n' if forward else "[]"
    (directory / "forward.yml").write_text(forwards)
    port = refusing_port()
    process = subprocess.Popen(
        [
            str(server),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address={HOST}:{port}",
            "--log.level=error",
        ],
        cwd=directory,
        stdin=subprocess.DEVNULL,
    )
    try:
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
