"""Builds from the settings what the enforcer works with.

Rule: only here are the credentials of control read.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import assert_never, get_args
from urllib.parse import quote

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streamguard.adapters.sqlite_actions import ActionStore, Hold
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_publishes import SqlitePublishes
from streamguard.adapters.webhook import Webhook, read_secret
from streamguard.core.action_data import Act, FailureReason
from streamguard.core.denials import DenyList
from streamguard.core.enforcing import Reading
from streamguard.core.errors import LogUnavailable
from streamguard.core.holding import HoldRule, HoldTerms
from streamguard.core.ports import Clock
from streamguard.core.published import RenditionRule
from streamguard.core.reasons import REASONS_VERSION
from streamguard.core.record import RowOf, row_of
from streamguard.discovery import provider_of
from streamguard.enforce.admission import ALLOWED, DENIED, Admission, Gate
from streamguard.enforce.book import Book
from streamguard.enforce.brake import Brake
from streamguard.enforce.hold_rules import HoldRuleParts, HoldRules
from streamguard.enforce.known import KnownCases
from streamguard.enforce.platform import Platform
from streamguard.enforce.site import Site
from streamguard.ingest.asking import Service
from streamguard.ingest.control import Control
from streamguard.ingest.mediamtx_control import MediaMtxControl
from streamguard.ingest.nginx_control import NginxControl
from streamguard.ingest.srs_control import SrsControl
from streamguard.review.trail import Trail
from streamguard.sections.enforce_section import ControlSection, EnforceSection, enforce_file
from streamguard.sections.ingest_section import ServerSection
from streamguard.settings import Settings

TOOK_BUCKETS_S = (1.0, 2.0, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 8.0, 12.0, 30.0, 60.0, 300.0, 900.0)
"""Three seconds are the proof; the promise is two more."""


def sites_of(settings: Settings, secret: bytes, clock: Clock) -> list[Site]:
    """Make what asks servers and gives them orders; on the event loop that will use it.

    Raises:
        ConfigError: a password cannot be read.
    """
    servers = {server.name: server for server in settings.servers}
    return [_site(servers[control.server], control, secret, clock) for control in settings.controls]


def _site(server: ServerSection, section: ControlSection, secret: bytes, clock: Clock) -> Site:
    control = control_of(server, section)
    rule = RenditionRule(server.renditions, server.transcoders)
    return Site(provider_of(server, clock), control, Reading(secret, rule, control.called))


def control_of(server: ServerSection, section: ControlSection) -> Control:
    """Make what gives orders to a server; on the event loop that will use it.

    Raises:
        ConfigError: its password cannot be read.
    """
    service = Service(
        f"{server.name} (control)",
        section.api.rstrip("/"),
        section.user,
        section.read_password(),
        section.timeout_s,
    )
    match server.kind:
        case "nginx_rtmp":
            return NginxControl(service, server.pull)
        case "mediamtx":
            return MediaMtxControl(service, _watched(server))
        case "srs":
            return SrsControl(service, server.pull)
        case _:
            assert_never(server.kind)


def _watched(server: ServerSection) -> str:
    """Say where streams are watched, as whoever screens does it."""
    if server.user is None:
        return server.pull
    scheme, _, where = server.pull.partition("://")
    who = f"{quote(server.user, '')}:{quote(server.read_password() or '', '')}"
    return f"{scheme}://{who}@{where}"


def admission_of(
    settings: Settings,
    secret: bytes,
    book: Book,
    clock: Clock,
    told: Callable[[str, str], None],
) -> Admission:
    """Make what answers servers that ask who may publish."""
    section = settings.enforce
    exempt = frozenset(section.admission_exempt)
    gates = {
        one.name: Gate(one.kind, RenditionRule(one.renditions, one.transcoders), exempt)
        for one in settings.servers
    }
    return Admission(
        gates,
        secret,
        partial(_listed, book),
        clock.wall,
        enforces=section.admission == "enforce",
        on_error=ALLOWED if section.admission_on_error == "allow" else DENIED,
        told=told,
    )


def _listed(book: Book) -> tuple[DenyList, Mapping[str, Hold]]:
    return book.denied, book.held


@dataclass(frozen=True, slots=True)
class Files:
    """What is read and written."""

    event_log: SqliteLog
    store: ActionStore
    publishes: SqlitePublishes


@contextmanager
def opened(settings: Settings, row: RowOf = row_of) -> Iterator[Files]:
    """Open the event log and the enforcer's own file.

    row: writes out what is decided here.

    Raises:
        ConfigError: there is no event log.
        LogUnavailable: one of them cannot be opened.
    """
    with ExitStack() as stack:
        event_log = stack.enter_context(SqliteLog(settings.log.file, "write", row))
        store = ActionStore(enforce_file(settings.enforce, settings.log.file))
        stack.callback(store.close)
        publishes = SqlitePublishes(settings.log.file)
        stack.callback(publishes.close)
        yield Files(event_log, store, publishes)


def rules_of(settings: Settings, files: Files, clock: Clock) -> HoldRules:
    """Make what holds by rule, and lifts what is over."""
    section = settings.enforce
    rules = [
        HoldRule(one.name, frozenset(one.banks), one.max_distance_bits)
        for one in settings.hold_rules
    ]
    source = f"/streamguard/{settings.deployment.name}"
    group = f"{section.group}-rules"
    parts = HoldRuleParts(
        files.event_log,
        Trail(files.event_log, source, clock.wall),
        KnownCases(files.publishes.told_of),
        files.store,
        clock,
        source,
        group,
    )
    policy_version = settings.review.policy_version or REASONS_VERSION
    terms = HoldTerms(section.hold_s, settings.review.appeal_days, policy_version)
    return HoldRules(rules, terms, parts)


def webhook_of(section: EnforceSection, clock: Clock) -> Webhook | None:
    """Make the way to the platform's own software; None where there is none.

    Raises:
        ConfigError: its secret cannot be read, or is none.
    """
    if not section.webhook:
        return None
    secret = read_secret(section.webhook_secret_file or Path(), "[enforce] webhook")
    return Webhook(section.webhook, secret, section.webhook_timeout_s, clock)


def platform_of(webhook: Webhook | None, clock: Clock) -> Platform | None:
    """Make what has the platform act; None where it has no webhook."""
    return None if webhook is None else Platform(webhook.send, clock)


def breaker(brake: Brake, clock: Clock) -> float:
    """Give 1 while no rule may hold anything, else 0; no number while that cannot be known."""
    try:
        return float(brake.is_open(clock.wall()))
    except LogUnavailable:
        return math.nan


class EnforceMeter:
    """Counts into a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._actions = Counter(
            "streamguard_enforce_actions",
            "Actions that ended, by what was done and how it ended: done, or why not;"
            " broke where an error of our own stood in the way.",
            ["act", "outcome"],
            registry=self.registry,
        )
        for act in get_args(Act):
            for outcome in ("done", "broke", *get_args(FailureReason)):
                self._actions.labels(act, outcome)  # so that the first one is an increase
        self._took = Histogram(
            "streamguard_enforce_seconds",
            "Seconds from a decision to the proof that it was carried out.",
            ["act"],
            buckets=TOOK_BUCKETS_S,
            registry=self.registry,
        )
        self._answers = Counter(
            "streamguard_enforce_admissions",
            "Answers to servers that asked who may publish or watch.",
            ["server", "answer"],
            registry=self.registry,
        )

    def ended(self, act: Act, reason: str, took_s: float) -> None:
        """Count an action that ended; `done`, why not, or `broke`; seconds until then."""
        self._actions.labels(act, reason).inc()
        if reason == "done":
            self._took.labels(act).observe(took_s)

    def answered(self, server: str, answer: str) -> None:
        """Count an answer of the admission hook."""
        self._answers.labels(server, answer).inc()

    def show(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Export what is read at each scrape."""
        gauge = Gauge(f"streamguard_enforce_{name}", text, registry=self.registry)
        gauge.set_function(value)
