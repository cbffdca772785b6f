"""What `streamguard run` does: screens the configured streams until it is told to stop.

Rule: whatever it is told to look at is on record: what is screened, what is not, and why.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from streamguard.adapters.bank_quarantine import BankQuarantine
from streamguard.adapters.http_status import HttpStatus
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.app import assembled, plan_of
from streamguard.core.coverage_data import StreamExcludedData
from streamguard.core.events import stream_excluded_event
from streamguard.core.hubs import HubRule
from streamguard.live_banks import LiveBanks
from streamguard.policy_file import load_policy
from streamguard.pruning import keep_pruned
from streamguard.runtime.health import Health
from streamguard.runtime.hub_keeper import HubKeeper, Told
from streamguard.runtime.parts import Parts, Stream
from streamguard.runtime.worker import keep_screening
from streamguard.settings import Settings
from streamguard.upkeep import keep_compact

log = structlog.get_logger()


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Screen the configured streams until `stop`; see README for what it serves."""
    streams = streams_of(settings)
    banks = LiveBanks(settings.bank.paths)
    meter = PrometheusMeter()
    policy = load_policy(settings.policy.file)
    with SqliteLog(settings.log.file) as event_log, banks.watched(meter):
        directory = settings.evidence.directory
        plan = plan_of(settings, banks, policy, event_log, directory, settings.model.pack)
        n_streams = len(streams)
        n_excluded = len(settings.streams) - n_streams
        meter.watch("streams_configured", "Streams to be screened.", lambda: n_streams)
        meter.watch("streams_excluded", "Streams not to be screened.", lambda: n_excluded)
        health = Health(stop, banks.problem)
        with HttpStatus(
            settings.http.host,
            settings.http.port,
            meter.registry,
            live=health.live,
            ready=health.ready,
            kafka=health.kafka,
        ) as status:
            log.info("run_started", port=status.port, n_streams=n_streams)
            async with _publishing(settings, meter, health) as wake:
                plan = replace(plan, on_commit=lambda _: wake())
                async with assembled(plan, meter) as parts:
                    health.writer = parts.writer
                    watched = replace(parts, hubs=_hub_keeper(settings, parts, meter))
                    await _screen_all(settings, streams, watched, health, stop)
            log.info("run_stopped")


@asynccontextmanager
async def _publishing(
    settings: Settings, meter: PrometheusMeter, health: Health
) -> AsyncIterator[Callable[[], None]]:
    """Publish to Kafka, if it is configured; give what to call after each commit."""
    if not settings.kafka.bootstrap_servers:
        yield lambda: None
        return
    from streamguard.kafka_parts import publishing  # noqa: PLC0415  # needs the extra `kafka`

    async with publishing(settings, meter) as publisher:
        health.publisher = publisher
        yield publisher.wake


async def _screen_all(
    settings: Settings,
    streams: Sequence[Stream],
    parts: Parts,
    health: Health,
    stop: asyncio.Event,
) -> None:
    async with asyncio.TaskGroup() as tasks:
        beating = tasks.create_task(health.beat())
        has_broker = bool(settings.kafka.bootstrap_servers)
        pruning = tasks.create_task(keep_pruned(settings.log.file, has_broker=has_broker))
        compacting = tasks.create_task(keep_compact(settings.bank.paths, parts.banks))
        keeping = tasks.create_task(parts.hubs.run()) if parts.hubs else None
        await _put_on_record(settings, parts)
        screening = [tasks.create_task(keep_screening(stream, parts, stop)) for stream in streams]
        await stop.wait()
        log.info("stop_begun", n_streams=len(screening))
        await asyncio.wait(screening) if screening else None
        log.info("streams_closed")
        for task in (keeping, compacting, pruning, beating):
            if task:
                task.cancel()


def _hub_keeper(settings: Settings, parts: Parts, meter: PrometheusMeter) -> HubKeeper:
    """Watch for entries that match too many streams."""
    section = settings.hygiene
    keeper = HubKeeper(
        HubRule(section.hub_max_share, section.hub_min_streams),
        section.hub_hold_s,
        parts.banks,
        BankQuarantine(settings.bank.paths),
        Told(parts.source, parts.writer.put),
        parts.clock,
    )
    text = "Bank entries that match nothing because they matched too many streams."
    meter.watch("hubs_set_aside", text, keeper.n_aside)
    return keeper


def streams_of(settings: Settings) -> list[Stream]:
    """Give the streams to be screened, with the policies that are their own.

    Raises:
        ConfigError: a policy file is wrong.
    """
    return [
        Stream(
            section.id,
            section.location,
            section.sampling,
            section.banks,
            load_policy(section.policy_file) if section.policy_file else None,
        )
        for section in settings.streams
        if section.not_screened is None
    ]


async def _put_on_record(settings: Settings, parts: Parts) -> None:
    """Publish which streams are not screened, and why."""
    now_s = parts.clock.wall()
    for section in settings.streams:
        if section.not_screened is not None:
            data = StreamExcludedData(stream_id=section.id, reason=section.not_screened)
            event = stream_excluded_event(parts.source, data, recorded_s=now_s)
            await parts.writer.put([event], parts.clock.monotonic())
