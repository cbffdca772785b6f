"""What the verb `forward` does: a process of its own beside `run`, on the same log.

Rule: it only reads the log, but for its own place in it.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from streamguard import process
from streamguard.adapters.put_aside import PutAside
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.adapters.webhook import Webhook, read_secret
from streamguard.core.errors import ConfigError, LogUnavailable
from streamguard.core.webhook import Meaning
from streamguard.runtime.forwarder import Forwarder
from streamguard.runtime.stop import Stop
from streamguard.sections.webhook_section import WebhookSection
from streamguard.settings import Settings, load_settings

LATE_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)

log = structlog.get_logger()


def forward(arguments: argparse.Namespace) -> int:
    """Send events to the configured webhook until told to stop."""
    process.configure_logging()
    settings = load_settings(arguments.config)
    section = settings.webhook
    secret = secret_for(section)
    with SqliteLog(settings.log.file, "write") as event_log:
        known = event_log.position(section.group)
        start = event_log.end_offset() if known is None else known
        offset = 1 if arguments.from_start else start
        if arguments.dry_run:
            return _tell(event_log, section, offset)
        if known is None:  # now: a start that ends before it has noted anything was the first
            event_log.commit(section.group, offset, time.time())
        return process.run_until_signal(
            lambda stop: _forwarded(settings, event_log, secret, offset, stop)
        )


def secret_for(section: WebhookSection) -> bytes:
    """Read what requests are signed with.

    Raises:
        ConfigError: there is no webhook, or the secret cannot be read, or is none.
    """
    if not section.url:
        raise ConfigError("there is no [webhook] with a url: nothing is forwarded")
    return read_secret(section.secret_file or Path(), "the webhook")


def _tell(event_log: SqliteLog, section: WebhookSection, offset: int) -> int:
    """Say what would be sent."""
    n_events = 0
    while records := event_log.read(offset):
        n_events += sum(record.topic in section.topics for record in records)
        offset = records[-1].offset + 1
    print(f"{n_events} events of {', '.join(section.topics)} wait to be sent")
    return 0


async def _forwarded(
    settings: Settings, event_log: SqliteLog, secret: bytes, offset: int, stop: Stop
) -> int:
    section, clock, meter = settings.webhook, SystemClock(), Meter()
    webhook = Webhook(section.url, secret, section.timeout_s, clock)
    forwarder = Forwarder(
        event_log,
        webhook.send,
        clock,
        meter,
        group=section.group,
        topics=frozenset(section.topics),
        at_once=section.at_once,
    )
    aside = PutAside(settings.log.file, section.group)
    meter.watch(
        backlog=lambda: event_log.end_offset() - forwarder.place,
        oldest_s=lambda: _age_s(forwarder.oldest_s, clock),
        aside=aside.count,
    )
    server, _ = start_http_server(section.port, settings.http.host, meter.registry)
    log.info("forward_started", port=server.server_port, offset=offset)
    try:
        await forwarder.run(offset, stop)
    finally:
        server.shutdown()
        server.server_close()
        await webhook.close()
        aside.close()
    log.info("forward_stopped", waiting=forwarder.n_waiting)
    return 0


class Meter:
    """Counts into a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._tries = Counter(
            "streamguard_forward_tries",
            "Requests, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in get_args(Meaning):  # so that the first one is an increase
            self._tries.labels(outcome)
        self._late = Histogram(
            "streamguard_forward_seconds",
            "Seconds from when an event was made to when the receiver had taken it.",
            buckets=LATE_BUCKETS_S,
            registry=self.registry,
        )
        self._backlog = Gauge(
            "streamguard_forward_backlog",
            "Events of the log, those of other topics among them, that are not behind us.",
            registry=self.registry,
        )
        self._oldest = Gauge(
            "streamguard_forward_oldest_seconds",
            "Seconds since the oldest event was made that is not taken yet; 0 where there is none.",
            registry=self.registry,
        )
        self._put_aside = Counter(
            "streamguard_forward_put_aside",
            "Events that were refused for what they are, time and again, and are tried no more.",
            registry=self.registry,
        )
        self._aside = Gauge(
            "streamguard_forward_aside",
            "Events that were put aside, and that nobody has sent or dropped.",
            registry=self.registry,
        )

    def forwarded(self, meaning: Meaning, late_s: float) -> None:
        """Count a try, and how long after its event was made it was."""
        self._tries.labels(meaning).inc()
        if meaning == "done":
            self._late.observe(late_s)

    def put_aside(self) -> None:
        """Count an event that is tried no more."""
        self._put_aside.inc()

    def watch(
        self,
        *,
        backlog: Callable[[], float],
        oldest_s: Callable[[], float],
        aside: Callable[[], float],
    ) -> None:
        """Export what is still to be done, by us and by people."""
        self._backlog.set_function(lambda: _or_nan(backlog))
        self._oldest.set_function(oldest_s)
        self._aside.set_function(lambda: _or_nan(aside))


def _age_s(made_s: float | None, clock: SystemClock) -> float:
    return 0.0 if made_s is None else max(0.0, clock.wall() - made_s)


def _or_nan(look: Callable[[], float]) -> float:
    """Look; a log that cannot be read must not keep all other metrics back."""
    try:
        return look()
    except LogUnavailable:
        return math.nan
