"""Builds from the settings what knows which streams are to be screened.

Rule: whatever could be wrong with it is found before anything starts.
"""

from collections.abc import Iterable
from typing import assert_never

from prometheus_client import CollectorRegistry

from streamguard.adapters.discovery_meter import ServerFigures, show_discovery
from streamguard.core.location import Location
from streamguard.core.policy import Policy
from streamguard.core.ports import Clock
from streamguard.core.published import RenditionRule
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
from streamguard.ingest_section import ServerSection
from streamguard.policy_file import load_policy
from streamguard.runtime.parts import Stream
from streamguard.settings import Settings

SECRET_SUFFIX, ADDED_SUFFIX = ".secret", ".streams.json"
"""What the names of our own files end in; they begin as the event log's, and lie beside it."""


def registry_of(settings: Settings, configured: Iterable[Stream], clock: Clock) -> Registry:
    """Make the registry of a deployment; on the event loop that will run it.

    Raises:
        ConfigError: a file that it needs is missing, damaged or cannot be made.
    """
    log_file = settings.log.file
    added = AddedStreams(log_file.with_name(log_file.name + ADDED_SUFFIX))
    servers = [_watched(server, clock) for server in settings.servers]
    return Registry(configured, servers, _secret(settings), added, clock)


def show(registry: Registry, metrics: CollectorRegistry) -> None:
    """Export how discovery does."""
    show_discovery(metrics, [_figures(watch) for watch in registry.watches])


def _secret(settings: Settings) -> bytes:
    """Give what names the streams that are found; there is need of it only where some may be."""
    given, log_file = settings.deployment.secret_file, settings.log.file
    if given is not None:
        return read_secret(given)
    if not settings.servers:
        return b""
    return kept_secret(log_file.with_name(log_file.name + SECRET_SUFFIX))


def _watched(server: ServerSection, clock: Clock) -> Watched:
    policy = load_policy(server.policy_file) if server.policy_file else None
    return Watched(
        _provider(server, clock),
        _maker(server, policy),
        PathFilter(server.include, server.exclude, server.exclude_reason),
        RenditionRule(server.renditions, server.transcoders),
        server.interval_s,
    )


def _provider(server: ServerSection, clock: Clock) -> Provider:
    service = Service(
        server.name, server.api.rstrip("/"), server.user, server.password, server.timeout_s
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
