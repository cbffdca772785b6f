"""What the verb `screen` does.

Rule: as in `verbs`; and what only other verbs need is not imported here, for its files are many and
short.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from streamguard import app, process
from streamguard.adapters.silent_meter import SilentMeter
from streamguard.adapters.stdout_log import StdoutLog, when_reader_leaves
from streamguard.core.errors import ConfigError
from streamguard.core.event_values import Name
from streamguard.core.location import Location, parse_location
from streamguard.core.policy import Policy
from streamguard.core.sampling import Sampling
from streamguard.live_banks import LiveBanks
from streamguard.runtime.parts import Stream
from streamguard.runtime.stop import Stop
from streamguard.runtime.worker import screen_once
from streamguard.sections.small_sections import Screening

if TYPE_CHECKING:
    from streamguard.settings import Settings

_STREAM_ID = TypeAdapter(Name)


def screen(arguments: argparse.Namespace) -> int:
    """Screen one stream or file to its end; events as JSON Lines on stdout."""
    process.configure_logging()
    location = parse_location(arguments.source)
    settings = _settings(arguments.config)
    banks = LiveBanks(arguments.bank or settings.bank.paths)
    policy = _policy(arguments.policy or settings.policy.file)
    evidence = arguments.evidence or settings.evidence.directory
    model = arguments.model or settings.model.pack
    stream = Stream(_stream_id(arguments, location), location, Sampling(arguments.sampling))

    async def watched(stop: Stop) -> int:
        when_reader_leaves(sys.stdout, stop.set)
        plan = app.plan_of(settings, banks, policy, StdoutLog(sys.stdout), evidence, model)
        plan = replace(plan, n_threads=1)  # one stream decodes one packet at a time
        async with app.assembled(plan, SilentMeter()) as parts:
            error = await screen_once(stream, parts, stop)
        if error is not None:
            raise error
        return 0

    return process.run_until_signal(watched)


def _settings(file: Path | None) -> "Screening | Settings":
    """Read the configuration; where there is none, nothing that could read it is loaded."""
    if file is None and not any(name.upper().startswith("STREAMGUARD_") for name in os.environ):
        return Screening()
    from streamguard.settings import load_settings  # noqa: PLC0415  # 35 ms, 1 % of a long file

    return load_settings(file)


def _policy(file: Path | None) -> Policy:
    """Read the policy file; where there is none, nothing that could read it is loaded."""
    if file is None:
        return Policy()
    from streamguard.policy_file import load_policy  # noqa: PLC0415  # 5 ms, as above

    return load_policy(file)


def _stream_id(arguments: argparse.Namespace, location: Location) -> str:
    given: str | None = arguments.stream_id
    stream_id = location.default_stream_id if given is None else given
    if stream_id is None:
        raise ConfigError(
            "give a live stream a name with --stream-id: its own may be a stream key, so it is "
            "never used"
        )
    try:
        return _STREAM_ID.validate_python(stream_id)
    except ValidationError:
        raise ConfigError(
            "a stream id is one line of 1 to 256 characters: give another with --stream-id"
        ) from None
