"""What the verb `enforce` does: a process of its own, the only one that may act on ingest servers.

Rule: it decides nothing: a person did, or a rule that an operator wrote; and it reads what is done
from the event log and from Kafka alone.
"""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import structlog

from streamguard import process
from streamguard.adapters.http_status import Check, HttpStatus
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import ConfigError
from streamguard.core.events import Topic
from streamguard.core.record import row_of
from streamguard.discovery import secret_of
from streamguard.enforce.acting import Means
from streamguard.enforce.actions import Actions
from streamguard.enforce.admission_server import AdmissionServer
from streamguard.enforce.book import Book
from streamguard.enforce.brake import Brake, BrakeRule
from streamguard.enforce.hold_rules import HoldRules
from streamguard.enforce.intake import Intake, Taking
from streamguard.enforce.reader import Readers
from streamguard.enforce.site import Site
from streamguard.enforce.sweep import Sweep
from streamguard.enforce.telling import Telling
from streamguard.enforce.trying import ActionParts
from streamguard.parts.decision_keys import signer_of, takes_from_kafka
from streamguard.parts.enforce_parts import (
    EnforceMeter,
    Files,
    admission_of,
    breaker,
    opened,
    platform_of,
    rules_of,
    sites_of,
    webhook_of,
)
from streamguard.runtime.stop import Stop
from streamguard.settings import Settings, load_settings

log = structlog.get_logger()


def enforce(arguments: argparse.Namespace) -> int:
    """Carry decisions out until told to stop."""
    process.configure_logging()
    settings = load_settings(arguments.config)
    if not settings.controls and not settings.enforce.webhook:
        raise ConfigError(
            f"{arguments.config} has neither [[controls]] nor [enforce] webhook: there is nothing"
            " to act on"
        )
    if settings.enforce.kafka and not settings.kafka.bootstrap_servers:
        raise ConfigError(f"{arguments.config}: [enforce] kafka needs [kafka] bootstrap_servers")
    if (
        settings.enforce.kafka
        and settings.hold_rules
        and Topic.DECISIONS not in settings.kafka.take
    ):
        raise ConfigError(
            f"{arguments.config}: [[hold_rules]] beside [enforce] kafka need"
            f' take = ["{Topic.DECISIONS}"] in [kafka]: rules have to know what people decided'
        )
    secret = secret_of(settings) if settings.servers else b""
    sign = signer_of(settings, is_needed=takes_from_kafka(settings))
    with opened(settings, sign.row if sign else row_of) as files:
        return process.run_until_signal(partial(_enforced, settings, secret, files))


async def _enforced(settings: Settings, secret: bytes, files: Files, stop: Stop) -> int:
    """Build the parts, and run them until `stop`."""
    clock, meter, book = SystemClock(), EnforceMeter(), Book(files.store)
    webhook = webhook_of(settings.enforce, clock)
    sites = sites_of(settings, secret, clock)
    readers = Readers(clock)
    section = settings.enforce
    brake = Brake(BrakeRule(section.holds_per_minute), files.store)
    means = Means(book, clock, readers.open, section.cut_s, section.admission == "enforce")
    actions = Actions(
        ActionParts(
            files.store,
            sites,
            means,
            Telling(f"/streamguard/{settings.deployment.name}", files.event_log, clock),
            clock,
            meter,
            brake,
            platform_of(webhook, clock),
        )
    )
    sweeps = [Sweep(site, book, actions.is_busy, clock) for site in sites]
    taking = Taking(actions, files.publishes, clock, section.max_age_s)
    rules = rules_of(settings, files, clock)
    from_kafka = _from_kafka(settings, meter) if section.kafka else None
    _show(meter, actions, book, sweeps)
    opened_breaker = "1 while no rule may hold anything: too many asked, or people took holds back."
    meter.show("breaker_open", opened_breaker, partial(breaker, brake, clock))
    broken = [actions.broken, taking.broken, rules.broken, *(one.broken for one in sweeps)]
    meter.show("broke", "Errors that nobody foresaw.", lambda: sum(one.count for one in broken))
    told = partial(_heard, meter, {one.name: one for one in sweeps}, asyncio.get_running_loop())
    server = AdmissionServer(
        settings.http.host,
        section.admission_port,
        admission_of(settings, secret, book, clock, told),
    )
    try:
        intake = Intake(files.event_log, taking, clock, section.group)
        ready = partial(_problem, [intake, *sweeps])
        with server, _status(settings, meter, ready) as status:
            actions.resume()
            await readers.fill()
            log.info("enforce_started", port=status.port, admission_port=server.port)
            keepers = [*_keepers(settings, rules, sweeps, stop), book.follow(stop)]
            if from_kafka is not None:
                keepers.append(from_kafka(taking, stop))
            await _work([intake.run(stop), actions.run(stop)], keepers, stop)
    finally:
        await readers.close()
        await _closed(sites)
        if webhook is not None:
            await webhook.close()
    log.info("enforce_stopped", n_open=actions.n_open)
    return 0


def _keepers(
    settings: Settings, rules: HoldRules, sweeps: list[Sweep], stop: Stop
) -> list[Coroutine[Any, Any, None]]:
    """Give what keeps out, holds and lifts."""
    sweeping = [one.run(stop, settings.enforce.sweep_s) for one in sweeps]
    return [*sweeping, rules.hold(stop), rules.lift(stop)]


async def _work(
    workers: list[Coroutine[Any, Any, None]], keepers: list[Coroutine[Any, Any, None]], stop: Stop
) -> None:
    """Run all until `stop`; keepers may be cut off at any point."""
    async with asyncio.TaskGroup() as tasks:
        for worker in workers:
            tasks.create_task(worker)
        keeping = [tasks.create_task(keeper) for keeper in keepers]
        await stop.wait()
        for task in keeping:
            task.cancel()


def _from_kafka(
    settings: Settings, meter: EnforceMeter
) -> Callable[[Taking, Stop], Coroutine[Any, Any, None]]:
    """Make what takes decisions up that come by Kafka, until a stop.

    Raises:
        ConfigError: a key of those who are trusted cannot be read, or is none.
    """
    from streamguard.parts.decision_door import door_of  # noqa: PLC0415  # needs the extra `kafka`
    from streamguard.parts.enforce_kafka import take_from_kafka  # noqa: PLC0415  # as above

    return partial(take_from_kafka, settings, door_of(settings, meter.registry))


async def _closed(sites: list[Site]) -> None:
    for site in sites:
        await site.close()


def _status(settings: Settings, meter: EnforceMeter, ready: Check) -> HttpStatus:
    """Make what serves metrics and health."""
    return HttpStatus(
        settings.http.host,
        settings.enforce.port,
        meter.registry,
        live=lambda: None,
        ready=ready,
    )


def _problem(parts: Sequence[Intake | Sweep]) -> str | None:
    """Give what is wrong with one of them, if anything is."""
    return next((one.problem for one in parts if one.problem is not None), None)


def _heard(
    meter: EnforceMeter,
    sweeps: dict[str, Sweep],
    loop: asyncio.AbstractEventLoop,
    server: str,
    answer: str,
) -> None:
    """Count an answer of the hook; whom it had to let in, somebody looks after at once."""
    meter.answered(server, answer)
    if answer == "would_deny" and server in sweeps:
        loop.call_soon_threadsafe(sweeps[server].look_now)


def _show(meter: EnforceMeter, actions: Actions, book: Book, sweeps: list[Sweep]) -> None:
    """Export how it does."""
    meter.show("open_actions", "Actions that are not over.", lambda: actions.n_open)
    meter.show("denied", "Entries of the deny list.", lambda: len(book.denied))
    meter.show("held", "Streams that are held.", lambda: len(book.held))
    meter.show(
        "returned",
        "Publishers that came back against the deny list and were ended.",
        lambda: sum(one.n_returned for one in sweeps),
    )
