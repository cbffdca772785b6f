"""Sets aside bank entries that match too many streams, and lets them in again.

Rule: what is set aside is announced before anything else happens to it, holds for a bounded time,
and can be let in again by a person at any moment. A bank that cannot be written stays as it is, and
that is told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from streamguard.core.bank_data import EntryQuarantinedData, EntryRef, EntryReleasedData
from streamguard.core.errors import BankError
from streamguard.core.event_data import utc_text
from streamguard.core.events import Event, bank_event
from streamguard.core.hubs import HOUR_S, Hub, HubRule, HubWatch, Key
from streamguard.core.ports import Clock

LOOK_EVERY_S = 1.0
"""How often it is looked at whether a person let an entry in, or its time is over, seconds."""

log = structlog.get_logger()


class Quarantine(Protocol):
    """Where entries are set aside; the calls block."""

    def set_aside(self, key: Key, until_s: float) -> None:
        """Let an entry match nothing until an instant, seconds since 1970 UTC.

        Raises:
            BankError: the bank cannot be written, or has no such entry.
        """
        ...

    def is_aside(self, key: Key) -> bool:
        """Say whether an entry is there and set aside."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """Where the keeper's words go.

    source: of the events.
    put:    hands events to the log.
    count:  counts entries set aside (1) and let in again (-1).
    """

    source: str
    put: Callable[[Sequence[Event], float], Awaitable[None]]
    count: Callable[[int], None]


class HubKeeper:
    """Watches the matches of all streams of a process; on the event loop."""

    def __init__(
        self, rule: HubRule, hold_s: float, quarantine: Quarantine, told: Told, clock: Clock
    ) -> None:
        """Keep entries aside for `hold_s` seconds, if nobody lets them in before."""
        self._rule = rule
        self._hold_s = hold_s
        self._quarantine = quarantine
        self._told = told
        self._clock = clock
        self._watch = HubWatch(rule)
        self._hubs: asyncio.Queue[tuple[Hub, str]] = asyncio.Queue()
        self._aside: dict[Key, tuple[str, float]] = {}  # its policy, and until when, wall clock

    def seen(self, stream_id: str) -> None:
        """Take note that a stream is being screened."""
        self._watch.seen(stream_id, self._clock.monotonic())

    def matched(self, stream_id: str, key: Key, policy: str) -> None:
        """Take note that a stream matched an entry."""
        hub = self._watch.matched(stream_id, key, self._clock.monotonic())
        if hub is not None:
            self._watch.forget(key)
            self._hubs.put_nowait((hub, policy))

    async def run(self) -> None:
        """Set aside and let in, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    hub, policy = await self._hubs.get()
            except TimeoutError:
                await self.look_after()
            else:
                await self._set_aside(hub, policy)

    async def look_after(self) -> None:
        """Announce the entries that match again."""
        for key, (policy, until_s) in [*self._aside.items()]:
            if await asyncio.to_thread(self._quarantine.is_aside, key):
                continue
            del self._aside[key]
            is_over = self._clock.wall() >= until_s
            bank, entry = key
            log.info("hub_let_in", bank=bank, entry=entry)
            self._told.count(-1)
            ref = EntryRef(bank=bank, entry=entry, policy=policy)
            await self._tell(
                EntryReleasedData(entry=ref, reason="expired" if is_over else "person")
            )

    async def _set_aside(self, hub: Hub, policy: str) -> None:
        bank, entry = hub.key
        until_s = self._clock.wall() + self._hold_s
        facts = {"bank": bank, "entry": entry, "n_matched": hub.n_matched, "n_streams": hub.n_seen}
        try:
            await asyncio.to_thread(self._quarantine.set_aside, hub.key, until_s)
        except BankError as error:
            log.error("hub_not_set_aside", problem=str(error), **facts)  # noqa: TRY400  # expected
            return
        log.warning("hub_set_aside", until=utc_text(until_s), **facts)
        self._aside[hub.key] = policy, until_s
        self._told.count(1)
        data = EntryQuarantinedData(
            entry=EntryRef(bank=bank, entry=entry, policy=policy),
            reason="hub",
            n_matched=hub.n_matched,
            n_streams=hub.n_seen,
            window_s=int(HOUR_S),
            max_share=self._rule.max_share,
            until_time=utc_text(until_s),
        )
        await self._tell(data)

    async def _tell(self, data: EntryQuarantinedData | EntryReleasedData) -> None:
        event = bank_event(self._told.source, data, recorded_s=self._clock.wall())
        await self._told.put([event], self._clock.monotonic())
