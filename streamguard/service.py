"""What `streamguard run` does: screens the configured streams until it is told to stop.

Rule: whatever it is told to look at is on record: what is screened, what is not, and why.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from prometheus_client import CollectorRegistry

from streamguard.adapters.bank_quarantine import BankQuarantine
from streamguard.adapters.http_status import HttpStatus
from streamguard.adapters.meter_values import FleetValues
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.app import writing
from streamguard.core.banks import Banks
from streamguard.core.coverage_data import StreamExcludedData
from streamguard.core.crew import CrewRules
from streamguard.core.events import stream_excluded_event
from streamguard.core.hubs import HubRule
from streamguard.crew_parts import n_cores, source_of, start_member, worker_plan
from streamguard.live_banks import LiveBanks
from streamguard.policy_file import load_policy
from streamguard.pruning import keep_pruned
from streamguard.runtime.crew_state import Ears, SupervisorParts
from streamguard.runtime.health import Health
from streamguard.runtime.hub_keeper import HubKeeper, Told
from streamguard.runtime.parts import Stream
from streamguard.runtime.settler import Settler
from streamguard.runtime.stop import Stop
from streamguard.runtime.supervisor import Supervisor
from streamguard.runtime.writer import LogWriter, OnCommit
from streamguard.settings import Settings
from streamguard.upkeep import keep_compact

log = structlog.get_logger()


async def run(settings: Settings, stop: Stop) -> None:
    """Screen the configured streams until `stop`; see README for what it serves."""
    streams = streams_of(settings)
    banks = LiveBanks(settings.bank.paths)
    plan = worker_plan(settings)
    meter, clock = PrometheusMeter(), SystemClock()
    fleet = FleetValues(meter.registry)
    shown = CollectorRegistry()
    shown.register(fleet)
    with SqliteLog(settings.log.file) as event_log, banks.watched(meter):
        n_streams = len(streams)
        n_excluded = len(settings.streams) - n_streams
        meter.watch("streams_configured", "Streams to be screened.", lambda: n_streams)
        meter.watch("streams_excluded", "Streams not to be screened.", lambda: n_excluded)
        health = Health(stop, banks.problem)
        with HttpStatus(
            settings.http.host,
            settings.http.port,
            shown,
            live=health.live,
            ready=health.ready,
            kafka=health.kafka,
        ) as status:
            log.info("run_started", port=status.port, n_streams=n_streams)
            async with (
                _publishing(settings, meter, health) as on_commit,
                writing(
                    event_log, clock, meter, settings.worker.stop_timeout_s, on_commit
                ) as writer,
            ):
                hubs = _hub_keeper(settings, Told(source_of(settings), writer.put), banks, meter)
                crew = Supervisor(
                    plan,
                    start_member,
                    settings.worker.count or n_cores(),
                    SupervisorParts(
                        writer,
                        Settler(event_log, writer, source_of(settings), clock, meter),
                        clock,
                        Ears(hubs.heard, fleet.heard, fleet.left, meter.lost_worker),
                    ),
                    CrewRules(max_rss_bytes=settings.worker.max_rss_mb << 20),
                )
                crew.want({stream.stream_id: stream for stream in streams})
                health.writer, health.crew = writer, crew
                await _keep(settings, banks, crew, hubs, health, stop)
            log.info("run_stopped")


@asynccontextmanager
async def _publishing(
    settings: Settings, meter: PrometheusMeter, health: Health
) -> AsyncIterator[OnCommit]:
    """Publish to Kafka, if it is configured; give what is told of each commit."""
    if not settings.kafka.bootstrap_servers:
        yield lambda _: None
        return
    from streamguard.kafka_parts import publishing  # noqa: PLC0415  # needs the extra `kafka`

    async with publishing(settings, meter) as publisher:
        health.publisher = publisher
        yield lambda _: publisher.wake()


async def _keep(
    settings: Settings,
    banks: LiveBanks,
    crew: Supervisor,
    hubs: HubKeeper,
    health: Health,
    stop: Stop,
) -> None:
    """Run the crew until `stop`, and what looks after the house meanwhile."""
    async with asyncio.TaskGroup() as tasks:
        has_broker = bool(settings.kafka.bootstrap_servers)
        keepers = [
            tasks.create_task(health.beat()),
            tasks.create_task(keep_pruned(settings.log.file, has_broker=has_broker)),
            tasks.create_task(keep_compact(settings.bank.paths, banks)),
            tasks.create_task(hubs.run()),
        ]
        assert health.writer is not None  # noqa: S101  # set by the caller
        await _put_on_record(settings, health.writer)
        await crew.run(stop)
        for keeper in keepers:
            keeper.cancel()


def _hub_keeper(
    settings: Settings, told: Told, banks: Callable[[], Banks], meter: PrometheusMeter
) -> HubKeeper:
    """Watch for entries that match too many streams."""
    section = settings.hygiene
    keeper = HubKeeper(
        HubRule(section.hub_max_share, section.hub_min_streams),
        section.hub_hold_s,
        banks,
        BankQuarantine(settings.bank.paths),
        told,
        SystemClock(),
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


async def _put_on_record(settings: Settings, writer: LogWriter) -> None:
    """Publish which streams are not screened, and why."""
    clock = SystemClock()
    for section in settings.streams:
        if section.not_screened is not None:
            data = StreamExcludedData(stream_id=section.id, reason=section.not_screened)
            event = stream_excluded_event(source_of(settings), data, recorded_s=clock.wall())
            await writer.put([event], clock.monotonic())
