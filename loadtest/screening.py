"""Screens a file as `streamguard screen` does, within this process, and tells whom flags named.

Rule: the way of a frame is the product's own, from the source to the event log; only the log is in
memory, and no evidence is kept.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamguard import app
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.account import Account
from streamguard.core.banks import Banks
from streamguard.core.event_data import FlagData
from streamguard.core.events import Event
from streamguard.core.location import parse_location
from streamguard.core.record import Row
from streamguard.core.sampling import Sampling
from streamguard.policy_file import load_policy
from streamguard.runtime.parts import Stream
from streamguard.runtime.stop import Stop
from streamguard.runtime.worker import screen_once


@dataclass(frozen=True, slots=True)
class Named:
    """An entry that a flag named, and the first time that one did.

    at_s: media time of the newest sample that the flag rested on when it named the entry.
    """

    entry: str
    at_s: float
    distance_bits: int
    region: str
    variant: str


class _MemoryLog:
    """Keeps events in memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:  # noqa: ARG002  # no other process goes on
        self.events += [event for event in events if isinstance(event, Event)]


def screen_file(video: Path, banks: Callable[[], Banks], sampling: Sampling) -> list[Named]:
    """Screen a file to its end; give each entry that flags named, in the order of naming.

    Raises:
        StreamguardError: the file cannot be screened to its end.
    """
    return asyncio.run(_screened(video, banks, sampling))


async def _screened(video: Path, banks: Callable[[], Banks], sampling: Sampling) -> list[Named]:
    log = _MemoryLog()
    plan = app.Plan(
        deployment="loadtest",
        banks=banks,
        policy=load_policy(None),
        event_log=log,
        store=None,
        n_threads=1,
    )
    stream = Stream("loadtest", parse_location(str(video)), sampling)
    async with app.assembled(plan, PrometheusMeter()) as parts:
        error = await screen_once(stream, parts, Stop())
    if error is not None:
        raise error
    return _named(log.events)


def _named(events: Sequence[Event]) -> list[Named]:
    first: dict[str, Named] = {}
    for event in events:
        if not isinstance(event.data, FlagData):
            continue
        for signal in event.data.signals:
            match = signal.match
            if match is not None and match.entry not in first:
                at_s = event.data.window.end_pts_ms / 1000
                first[match.entry] = Named(
                    match.entry, at_s, match.distance_bits, match.region, match.variant or ""
                )
    return list(first.values())
