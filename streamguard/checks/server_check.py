"""Asks the configured ingest servers once, as `run` would ask them each second.

Rule: it only asks; what is published is counted, and not named: a name may be a key.
"""

import asyncio
from collections.abc import Iterable, Iterator

from streamguard.adapters.system_clock import SystemClock
from streamguard.core.check import Check, fail_by, ok
from streamguard.core.errors import ConfigError, DiscoveryUnavailable
from streamguard.discovery import provider_of
from streamguard.sections.ingest_section import ServerSection

N_QUESTIONS = 4
"""Of several processes of nginx another one answers: by four questions two of them are found out
seven times in eight."""


def checked_servers(servers: Iterable[ServerSection]) -> Iterator[tuple[Check, int]]:
    """Give a check of each server, and how much is published there."""
    for server in servers:
        try:
            n_published = asyncio.run(_asked(server))
        except ConfigError as error:
            yield fail_by("server", error, "put the file there, or correct its name"), 0
        except DiscoveryUnavailable as error:
            remedy = "see Discovery in the README; `run` screens all else meanwhile"
            yield fail_by("server", error, remedy), 0
        else:
            yield ok("server", f"{server.name} answers: {n_published} published"), n_published


async def _asked(server: ServerSection) -> int:
    provider = provider_of(server, SystemClock())
    try:
        answers = [await provider.snapshot() for _ in range(N_QUESTIONS)]
    finally:
        await provider.close()
    return len(answers[-1])
