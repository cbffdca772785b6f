"""Looks at what the enforcer needs to act: its credentials, and whether servers take its orders.

Rule: nobody is touched: the order that is given as a trial names a publish that there cannot be.
"""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

from streamguard.core.check import Check, fail_by, ok, warn
from streamguard.core.errors import ConfigError, DiscoveryUnavailable
from streamguard.core.location import Location
from streamguard.core.published import Published, SessionKey
from streamguard.ingest.control import OrderRefused
from streamguard.sections.enforce_section import ControlSection
from streamguard.sections.ingest_section import ServerSection
from streamguard.settings import Settings

NOBODY = "0-0-0"
"""A publisher that there is not: the first connection of a server is number 1."""


def checked_credentials(settings: Settings) -> Iterator[Check]:
    """Read what the enforcer signs in and signs with; nobody is asked."""
    for control in settings.controls:
        try:
            control.read_password()
        except ConfigError as error:
            yield fail_by("control", error, "put the file there, or correct its name")
        else:
            yield from _private("control", control.password_file)
    section = settings.enforce
    if section.webhook:
        from streamguard.adapters.webhook import read_secret  # noqa: PLC0415  # only who has one

        file = section.webhook_secret_file or Path()
        try:
            read_secret(file, "[enforce] webhook")
        except ConfigError as error:
            yield fail_by("control", error, "make one: `openssl rand -base64 32`")
        else:
            yield from _private("control", file)


def checked_controls(settings: Settings) -> Iterator[Check]:
    """Give each server an order about nobody, as `enforce` would give one."""
    servers = {one.name: one for one in settings.servers}
    for section in settings.controls:
        server = servers[section.server]
        try:
            asyncio.run(_tried(server, section))
        except ConfigError:
            pass  # told with the credentials
        except (DiscoveryUnavailable, OrderRefused) as error:
            remedy = "see Carrying decisions out in the README; till then nothing can be cut there"
            yield fail_by("control", error, remedy)
        else:
            yield ok("control", f"{server.name} takes orders")


async def _tried(server: ServerSection, section: ControlSection) -> None:
    from streamguard.parts.enforce_parts import control_of  # noqa: PLC0415  # only who has [[controls]]

    control = control_of(server, section)
    key = SessionKey(server.name, f"sg-doctor/{secrets.token_hex(16)}", NOBODY)
    try:
        await control.kick(Published(key, Location("rtmp", server.pull, "nobody")))
    finally:
        await control.close()


def _private(name: str, file: Path | None) -> Iterator[Check]:
    if file is not None and file.stat().st_mode & 0o077:
        what = f"{file}: others of this machine can read it"
        yield warn(name, what, "make it readable for its owner alone (chmod 600)")
