"""What the verbs of the command line do that have no module of their own.

Rule: a verb validates, builds and runs; it decides nothing about video.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any, Literal

from streamguard import app, discovery, process, service
from streamguard.adapters.pyav_hasher import hash_source
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.admin.token import read_token
from streamguard.checks.control_check import checked_credentials
from streamguard.checks.decision_check import checked_decisions
from streamguard.checks.sending_check import checked_login, checked_page, checked_webhook
from streamguard.core.check import State
from streamguard.core.errors import ConfigError
from streamguard.core.location import parse_location
from streamguard.live_banks import LiveBanks
from streamguard.policy_file import load_policy
from streamguard.runtime.stop import Stop
from streamguard.settings import load_settings, shown

POLL_S = 0.1
"""How often `events --follow` looks for new records, seconds."""

NOTE_EVERY_S = 3600.0
"""How often a consumer group notes its place where nothing came for it, so that it is known, and
holds back no records of other topics, seconds."""


def run(arguments: argparse.Namespace) -> int:
    """Screen the configured streams until told to stop."""
    process.configure_logging()
    settings = load_settings(arguments.config)

    async def watched(stop: Stop) -> int:
        await service.run(settings, stop)
        return 0

    return process.run_until_signal(watched)


def check_config(arguments: argparse.Namespace) -> int:
    """Print the effective settings, secrets masked, after reading all that they name."""
    settings = load_settings(arguments.file)
    load_policy(settings.policy.file)
    service.streams_of(settings)
    discovery.check(settings)
    if settings.admin.token_file:
        read_token(settings.admin.token_file)
    LiveBanks(settings.bank.paths)
    if settings.model.pack:
        app.open_model(settings.model.pack, settings.model)
    if settings.evidence.directory:
        from streamguard.checks.evidence_check import proven  # noqa: PLC0415  # only who keeps evidence

        proven(settings.evidence, settings.deployment.name)
    if settings.kafka.bootstrap_servers:
        from streamguard.parts.kafka_parts import kafka_options  # noqa: PLC0415  # needs the extra `kafka`

        kafka_options(settings.kafka).arguments()
    for check in (
        *checked_login(settings.kafka),
        *checked_webhook(settings.webhook),
        *checked_page(settings.review),
        *checked_credentials(settings),
        *checked_decisions(settings),
    ):
        if check.state is State.FAIL:
            raise ConfigError(check.what)
        if check.state is State.WARN:
            print(f"streamguard: {check.what}: {check.remedy}", file=sys.stderr)
    _print(shown(settings), indent=2)
    return 0


def events(arguments: argparse.Namespace) -> int:
    """Print the event log as JSON Lines."""
    file = arguments.log or load_settings(arguments.config).log.file
    access: Literal["write", "read"] = "write" if arguments.group else "read"
    if arguments.forget:
        return _forget(file, arguments.group)
    with SqliteLog(file, access) as event_log, process.Interrupt() as interrupt:
        offset = (event_log.position(arguments.group) if arguments.group else None) or 0
        noted_s = -math.inf
        while not interrupt.wait(0):
            end = event_log.end_offset()
            records = event_log.read(offset, arguments.topic)
            for record in records:
                print(record.body)
            sys.stdout.flush()
            offset = records[-1].offset + 1 if records else max(offset, end)
            if arguments.group and (records or time.monotonic() - noted_s > NOTE_EVERY_S):
                event_log.commit(arguments.group, offset, time.time())
                noted_s = time.monotonic()
            if not records:
                if not arguments.follow:
                    return 0
                interrupt.wait(POLL_S)
        return interrupt.code


def _forget(file: Path, group: str | None) -> int:
    """Let a consumer group go for good."""
    if not group:
        raise ConfigError("say which group is to be forgotten: --group NAME")
    with SqliteLog(file, "write") as event_log:
        if not event_log.forget(group):
            raise ConfigError(f"the log knows no consumer group {group}")
    return 0


def hash_frames(arguments: argparse.Namespace) -> int:
    """Print the hash of keyframes, or of every frame, as JSON Lines."""
    location = parse_location(arguments.source)
    for hashed in hash_source(location, SystemClock(), every_frame=arguments.every_frame):
        view = hashed.views[0]
        _print(
            {
                "pts_ms": hashed.offset_us // 1000,
                "pdq": view.pdq.tobytes().hex(),
                "quality": view.quality,
            }
        )
    return 0


def _print(value: Any, indent: int | None = None) -> None:
    print(json.dumps(value, indent=indent, ensure_ascii=False))
