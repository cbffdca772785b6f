"""What the verb `enforce` does: a process of its own, the only one that may act on ingest servers.

Rule: it decides nothing: a person did, or a rule that an operator wrote; and it reads what is done
from the event log alone.
"""

import argparse
import asyncio
from functools import partial

import structlog

from streamguard import process
from streamguard.adapters.http_status import HttpStatus
from streamguard.adapters.sqlite_actions import ActionStore
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_publishes import SqlitePublishes
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import ConfigError
from streamguard.discovery import secret_of
from streamguard.enforce.acting import Means
from streamguard.enforce.book import Book
from streamguard.enforce.brake import Brake, BrakeRule
from streamguard.enforce.desk import Desk, DeskParts
from streamguard.enforce.door import Door
from streamguard.enforce.intake import Intake, Taking
from streamguard.enforce.reader import Readers
from streamguard.enforce.sweep import Sweep
from streamguard.enforce.telling import Telling
from streamguard.enforce_parts import (
    EnforceMeter,
    admission_of,
    platform_of,
    rules_of,
    sites_of,
    state_file,
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
    secret = secret_of(settings) if settings.servers else b""
    with SqliteLog(settings.log.file, "write") as event_log:
        store = ActionStore(state_file(settings))
        publishes = SqlitePublishes(settings.log.file)
        try:
            return process.run_until_signal(
                lambda stop: _enforced(settings, secret, (event_log, store, publishes), stop)
            )
        finally:
            publishes.close()
            store.close()


async def _enforced(
    settings: Settings,
    secret: bytes,
    files: tuple[SqliteLog, ActionStore, SqlitePublishes],
    stop: Stop,
) -> int:
    event_log, store, publishes = files
    section, clock, meter, book = (
        settings.enforce,
        SystemClock(),
        EnforceMeter(),
        Book(store=files[1]),
    )
    webhook = webhook_of(section, clock)
    sites = sites_of(settings, secret, clock)
    readers = Readers(clock)
    desk = Desk(
        DeskParts(
            store,
            sites,
            Means(
                book,
                clock,
                readers.open,
                section.cut_s,
                refuses_viewers=section.admission == "enforce",
            ),
            Telling(f"/streamguard/{settings.deployment.name}", event_log, clock),
            clock,
            meter,
            Brake(BrakeRule(section.holds_per_minute), store),
            platform_of(webhook, clock),
        )
    )
    sweeps = [Sweep(site, book, desk.is_busy, clock) for site in sites]
    taking = Taking(desk, publishes.publish_of, clock, section.max_age_s)
    intake = Intake(event_log, taking, clock, section.group)
    _show(meter, desk, book, sweeps)
    told = partial(_heard, meter, {one.name: one for one in sweeps}, asyncio.get_running_loop())
    admission = admission_of(settings, secret, book, clock, told)
    with (
        Door(settings.http.host, section.admission_port, admission) as door,
        HttpStatus(
            settings.http.host,
            section.port,
            meter.registry,
            live=lambda: None,
            ready=lambda: None,
        ) as status,
    ):
        desk.resume()
        await readers.fill()
        log.info("enforce_started", port=status.port, admission_port=door.port)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(intake.run(stop))
                if section.kafka:
                    tasks.create_task(_from_kafka(settings, taking, stop))
                tasks.create_task(desk.run(stop))
                rules = rules_of(settings, files, book, clock)
                sweeping = [tasks.create_task(one.run(stop, section.sweep_s)) for one in sweeps]
                sweeping.append(tasks.create_task(rules.hold(stop)))
                sweeping.append(tasks.create_task(rules.lift(stop)))
                await stop.wait()
                for task in sweeping:
                    task.cancel()
        finally:
            await readers.close()
            for site in sites:
                await site.close()
            if webhook is not None:
                await webhook.close()
    log.info("enforce_stopped", n_open=desk.n_open)
    return 0


async def _from_kafka(settings: Settings, taking: Taking, stop: Stop) -> None:
    """Take decisions up that come by Kafka, until `stop`."""
    from streamguard.enforce_kafka import take_from_kafka  # noqa: PLC0415  # needs the extra `kafka`

    await take_from_kafka(settings, taking, stop)


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


def _show(meter: EnforceMeter, desk: Desk, book: Book, sweeps: list[Sweep]) -> None:
    """Export how it does."""
    meter.show("open_actions", "Actions that are not over.", lambda: desk.n_open)
    meter.show("denied", "Entries of the deny list.", lambda: len(book.denied))
    meter.show("held", "Streams that are held.", lambda: len(book.held))
    meter.show(
        "returned",
        "Publishers that came back against the deny list and were ended.",
        lambda: sum(one.n_returned for one in sweeps),
    )
