"""What `streamguard run` does: screens the configured streams until it is told to stop.

Rule: whatever it is told to look at is on record: what is screened, what is not, and why.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from streamguard.adapters.bank_quarantine import BankQuarantine
from streamguard.adapters.disk_probe import room
from streamguard.adapters.http_status import HttpStatus
from streamguard.adapters.meter_values import FleetValues
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.admin.api import AdminApi
from streamguard.admin.token import ensure_token
from streamguard.app import writing
from streamguard.core.banks import Banks
from streamguard.core.crew import CrewRules
from streamguard.core.hubs import HubRule
from streamguard.discovery import Record, ask_about_lost, keep_wanted, registry_of, show
from streamguard.ingest.registry import Registry
from streamguard.live_banks import LiveBanks
from streamguard.parts.crew_parts import crew_of, kept_in, source_of, starter, told_by, worker_plan
from streamguard.policy_file import load_policy
from streamguard.runtime.crew_state import Ears, SupervisorParts
from streamguard.runtime.health import Health
from streamguard.runtime.hub_keeper import HubKeeper, Told
from streamguard.runtime.parts import Stream
from streamguard.runtime.settler import Settler
from streamguard.runtime.shedder import Shedder
from streamguard.runtime.stop import Stop
from streamguard.runtime.supervisor import Supervisor
from streamguard.runtime.writer import OnCommit
from streamguard.settings import Settings
from streamguard.upkeep.checkpoints import checkpointing
from streamguard.upkeep.compacting import keep_compact
from streamguard.upkeep.evidence_follow import following
from streamguard.upkeep.evidence_purge import purging
from streamguard.upkeep.evidence_stamp import stamping
from streamguard.upkeep.evidence_upload import uploading
from streamguard.upkeep.pruning import keep_pruned, watch_groups

Keeper = Callable[[], Coroutine[Any, Any, None]]
"""Looks after something until it is cut off."""

log = structlog.get_logger()


async def run(settings: Settings, stop: Stop) -> None:
    """Screen what is configured, added and found until `stop`; see README for what it serves."""
    banks = LiveBanks(settings.bank.paths)
    plan, vault = worker_plan(settings), kept_in(settings)
    meter, clock = PrometheusMeter(), SystemClock()
    registry = registry_of(settings, streams_of(settings), clock)
    token_file = ensure_token(settings.admin.token_file, settings.log.file)
    taking = _taking(settings, meter, stop)
    fleet = FleetValues(meter.registry)
    shown = CollectorRegistry()
    shown.register(fleet)
    show(registry, meter.registry)
    meter.watch("streams_configured", "Streams to be screened.", lambda: len(registry.wanted()))
    with (
        SqliteLog(settings.log.file) as event_log,
        checkpointing(settings.log.file),
        banks.watched(meter),
        uploading(vault, meter),
        stamping(vault, meter),
        purging(vault, settings.evidence, meter),
        following(vault, settings.log.file, meter, settings.bank.paths),
    ):
        n_excluded = sum(one.not_screened is not None for one in settings.streams)
        meter.watch(
            "streams_excluded",
            "Streams not to be screened.",
            lambda: n_excluded + len(registry.excluded()),
        )
        watch_groups(event_log, meter, settings.enforce.group)
        folder = settings.log.file.absolute().parent
        shedder = Shedder(event_log, partial(room, folder), clock, meter.shed)
        health = Health(stop, lambda: shedder.problem() or banks.problem())
        with HttpStatus(
            settings.http.host,
            settings.http.port,
            shown,
            live=health.live,
            ready=health.ready,
            kafka=health.kafka,
        ) as status:
            log.info("run_started", port=status.port, n_streams=len(registry.wanted()))
            if settings.looks_for_nothing:
                log.warning("nothing_to_look_for", remedy="name a bank in [bank] paths")
            async with (
                _publishing(settings, meter, health) as on_commit,
                writing(shedder, clock, meter, settings.worker.stop_timeout_s, on_commit) as writer,
            ):
                source = source_of(settings)
                hubs = _hub_keeper(settings, Told(source, writer.put), banks, meter)
                settler = Settler(event_log, writer, source, clock, meter, told_by(vault))
                ears = Ears(
                    hubs.heard, fleet.heard, fleet.left, meter.lost_worker, meter.quarantined
                )
                crew = Supervisor(
                    plan,
                    starter(vault, shedder.is_heard_of, lambda: writer.is_healthy),
                    crew_of(settings.worker)[0],
                    SupervisorParts(writer, settler, clock, ears),
                    CrewRules(max_rss_bytes=settings.worker.max_rss_mb << 20),
                )
                health.writer, health.crew = writer, crew
                _show_crew(crew, meter)
                admin = AdminApi(settings.admin, token_file, crew, registry, clock, stop, vault)
                beside = [admin.run, *taking]
                await _keep(settings, banks, crew, hubs, registry, health, stop, beside)
            log.info("run_stopped")


def _show_crew(crew: Supervisor, meter: PrometheusMeter) -> None:
    """Export how the crew does."""

    def n_active() -> int:
        return sum(member.is_active for member in crew.members)

    def most_rss_bytes() -> int:
        return max((member.beat.rss_bytes for member in crew.members if member.beat), default=0)

    def most_drift_s() -> float:
        beats = [beat for member in crew.members for beat in member.beats().values()]
        return max((beat.drift_s for beat in beats), default=0.0)

    meter.watch(
        "drift_seconds",
        "How far the stream that is read latest has fallen behind since it was connected.",
        most_drift_s,
    )
    meter.watch("workers_active", "Workers that screen; one more stands by.", n_active)
    meter.watch("worker_rss_bytes", "Resident memory of the largest worker.", most_rss_bytes)
    meter.watch(
        "streams_quarantined",
        "Streams held back because workers died of them.",
        lambda: len(crew.quarantined()),
    )


@asynccontextmanager
async def _publishing(
    settings: Settings, meter: PrometheusMeter, health: Health
) -> AsyncIterator[OnCommit]:
    """Publish to Kafka, if it is configured; give what is told of each commit."""
    if not settings.kafka.bootstrap_servers:
        yield lambda _: None
        return
    from streamguard.parts.kafka_parts import publishing  # noqa: PLC0415  # needs the extra `kafka`

    async with publishing(settings, meter) as publisher:
        health.publisher = publisher
        yield lambda _: publisher.wake()


async def _keep(
    settings: Settings,
    banks: LiveBanks,
    crew: Supervisor,
    hubs: HubKeeper,
    registry: Registry,
    health: Health,
    stop: Stop,
    beside: Sequence[Keeper],
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
        record = Record(source_of(settings), health.writer, SystemClock())
        named = {one.id: one.not_screened for one in settings.streams if one.not_screened}
        keepers.append(tasks.create_task(registry.run()))
        keepers.append(tasks.create_task(ask_about_lost(registry, crew)))
        keepers.append(tasks.create_task(keep_wanted(registry, crew, record, named)))
        keepers += [tasks.create_task(keeper()) for keeper in beside]
        await crew.run(stop)
        for keeper in keepers:
            keeper.cancel()


def _taking(settings: Settings, meter: PrometheusMeter, stop: Stop) -> list[Keeper]:
    """Make what takes into the log what others publish to Kafka, where that is wanted.

    Raises:
        ConfigError: a key of those who are trusted cannot be read, or is none.
    """
    if not settings.kafka.bootstrap_servers or not settings.kafka.take:
        return []
    from streamguard.parts.decision_door import door_of  # noqa: PLC0415  # needs the extra `kafka`
    from streamguard.parts.kafka_follow import keep_taking  # noqa: PLC0415  # as above

    return [partial(keep_taking, settings, door_of(settings, meter.registry), stop)]


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
    meter.watch(
        "hubs_set_aside",
        "Bank entries that match nothing because they matched too many streams.",
        keeper.n_aside,
    )
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
