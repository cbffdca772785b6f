"""Builds from the settings what knows which streams are to be screened.

Rule: whatever could be wrong with it is found before anything starts.
"""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import assert_never

from prometheus_client import CollectorRegistry

from streamguard.adapters.discovery_meter import ServerFigures, show_discovery
from streamguard.core.coverage_data import StreamExcludedData
from streamguard.core.events import stream_excluded_event
from streamguard.core.location import Location
from streamguard.core.policy import Policy
from streamguard.core.ports import Clock
from streamguard.core.published import RenditionRule
from streamguard.core.schedule import Risk
from streamguard.ingest.added import AddedStreams
from streamguard.ingest.asking import Service
from streamguard.ingest.mediamtx import MediaMtx, Pull
from streamguard.ingest.nginx_rtmp import NginxRtmp
from streamguard.ingest.paths import PathFilter
from streamguard.ingest.provider import Provider
from streamguard.ingest.registry import Registry
from streamguard.ingest.secret import kept_secret, read_secret
from streamguard.ingest.srs import Srs
from streamguard.ingest.watch import MakeStream, ServerWatch, Watched
from streamguard.policy_file import load_policy
from streamguard.runtime.parts import Stream
from streamguard.runtime.supervisor import Supervisor
from streamguard.runtime.writer import LogWriter
from streamguard.sections.ingest_section import ServerSection
from streamguard.settings import Settings

SECRET_SUFFIX, ADDED_SUFFIX = ".secret", ".streams.json"
"""What the names of our own files end in; they begin as the event log's, and lie beside it."""


LOOK_EVERY_S = 0.25
"""How often it is seen whether a source was lost: workers tell it twice a second."""


def registry_of(settings: Settings, configured: Iterable[Stream], clock: Clock) -> Registry:
    """Make the registry of a deployment; on the event loop that will run it.

    Raises:
        ConfigError: a file that it needs is missing, damaged or cannot be made.
    """
    log_file = settings.log.file
    banks = {path.resolve().name for path in settings.bank.paths}
    added = AddedStreams(log_file.with_name(log_file.name + ADDED_SUFFIX), banks)
    servers = [_watched(server, clock) for server in settings.servers]
    return Registry(configured, servers, _secret(settings), added, clock)


def check(settings: Settings) -> None:
    """Read the files that the settings name for discovery; nothing is made.

    Raises:
        ConfigError: one cannot be read, or is wrong.
    """
    if settings.deployment.secret_file:
        read_secret(settings.deployment.secret_file)
    for server in settings.servers:
        load_policy(server.policy_file)
        server.read_password()


def secret_of(settings: Settings) -> bytes:
    """Read what names the streams that are found; nothing is made.

    Raises:
        ConfigError: it cannot be read.
    """
    return read_secret(settings.deployment.secret_file or _secret_beside(settings.log.file))


def show(registry: Registry, metrics: CollectorRegistry) -> None:
    """Export how discovery does."""
    show_discovery(metrics, [_figures(watch) for watch in registry.watches])


class Record:
    """Puts on record what is not screened, once, and again when it is there anew."""

    def __init__(self, source: str, writer: LogWriter, clock: Clock) -> None:
        self._source = source
        self._writer = writer
        self._clock = clock
        self._told: Mapping[str, str] = {}

    async def tell(self, excluded: Mapping[str, str]) -> None:
        """Publish what is new among what is not screened: reasons by stream id."""
        now_s = self._clock.wall()
        events = [
            stream_excluded_event(
                self._source,
                StreamExcludedData(stream_id=stream_id, reason=reason),
                recorded_s=now_s,
            )
            for stream_id, reason in excluded.items()
            if self._told.get(stream_id) != reason
        ]
        self._told = excluded
        if events:
            await self._writer.put(events, self._clock.monotonic())


async def keep_wanted(
    registry: Registry, crew: Supervisor, record: Record, named: Mapping[str, str]
) -> None:
    """Tell the crew what is wanted, and the record what is not, whenever that changes.

    named: why streams of the configuration are not screened, by id.
    """
    while True:
        registry.changed.clear()
        all_wanted = registry.wanted()
        streams = {one: wanted.stream for one, wanted in all_wanted.items()}
        crew.want(streams, registry.may_be_late)
        crew.know({one: Risk(n_viewers=wanted.n_viewers) for one, wanted in all_wanted.items()})
        await record.tell({**registry.excluded(), **named})
        await registry.changed.wait()


async def ask_about_lost(registry: Registry, crew: Supervisor) -> None:
    """Ask the server of each stream whose source is lost, once, whether its publish has ended."""
    known: set[str] = set()
    while True:
        beats = [beat for member in crew.members for beat in member.beats().values()]
        lost = {beat.stream_id for beat in beats if beat.state == "away"}
        for stream_id in lost - known:
            registry.look_for(stream_id)
        known = lost
        await asyncio.sleep(LOOK_EVERY_S)


def _secret(settings: Settings) -> bytes:
    """Give what names the streams that are found; there is need of it only where some may be."""
    if settings.deployment.secret_file is not None:
        return read_secret(settings.deployment.secret_file)
    if not settings.servers:
        return b""
    return kept_secret(_secret_beside(settings.log.file))


def _secret_beside(log_file: Path) -> Path:
    return log_file.with_name(log_file.name + SECRET_SUFFIX)


def _watched(server: ServerSection, clock: Clock) -> Watched:
    policy = load_policy(server.policy_file) if server.policy_file else None
    return Watched(
        provider_of(server, clock),
        _maker(server, policy),
        PathFilter(server.include, server.exclude, server.exclude_reason),
        RenditionRule(server.renditions, server.transcoders),
        server.interval_s,
    )


def provider_of(server: ServerSection, clock: Clock) -> Provider:
    """Make what asks a server; on the event loop that will run it.

    Raises:
        ConfigError: the password cannot be read.
    """
    service = Service(
        server.name, server.api.rstrip("/"), server.user, server.read_password(), server.timeout_s
    )
    match server.kind:
        case "nginx_rtmp":
            return NginxRtmp(service, server.pull, clock)
        case "mediamtx":
            return MediaMtx(service, Pull(server.pull, server.pulled, bool(server.renditions)))
        case "srs":
            return Srs(service, server.pull, needs_addresses=bool(server.renditions))
        case _:
            assert_never(server.kind)


def _maker(server: ServerSection, policy: Policy | None) -> MakeStream:
    def make(stream_id: str, location: Location, session_key: str) -> Stream:
        return Stream(
            stream_id, location, server.sampling, server.banks, policy, session_key=session_key
        )

    return make


def _figures(watch: ServerWatch) -> ServerFigures:
    return ServerFigures(
        watch.name,
        lambda: watch.is_up,
        lambda: len(watch.listed.broadcasts),
        lambda: len(watch.listed.left_out),
    )
