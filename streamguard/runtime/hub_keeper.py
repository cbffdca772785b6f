"""Sets aside bank entries that match too many streams, and lets them in again.

Rule: what is set aside is announced, holds for a bounded time, and can be let in by a person at any
moment. What an earlier process set aside is looked after as well: the bank says until when. A bank
that cannot be written stays as it is, and that is logged.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from streamguard.core.bank_data import EntryQuarantinedData, EntryRef, EntryReleasedData
from streamguard.core.banks import Banks
from streamguard.core.errors import BankError
from streamguard.core.event_data import utc_text
from streamguard.core.events import Event, bank_event
from streamguard.core.hubs import HOUR_S, Hub, HubRule, HubWatch, Key, until_of
from streamguard.core.ports import Clock
from streamguard.runtime.hub_scout import Found

LOOK_EVERY_S = 1.0
"""How often it is looked at whether a person let an entry in, or its time is over, seconds."""

log = structlog.get_logger()


class Quarantine(Protocol):
    """Where entries are set aside; the calls block, and raise BankError where that fails."""

    def set_aside(self, key: Key, until_s: float) -> None:
        """Let an entry match nothing until an instant, seconds since 1970 UTC."""
        ...

    def let_in(self, key: Key) -> None:
        """Let an entry match again."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """Where the keeper's words go.

    source: of the events.
    put:    hands events to the log.
    """

    source: str
    put: Callable[[Sequence[Event], float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Held:
    policy: str
    until_s: float


class HubKeeper:
    """Watches the matches of all streams of a process; on the event loop."""

    def __init__(
        self,
        rule: HubRule,
        hold_s: float,
        banks: Callable[[], Banks],
        quarantine: Quarantine,
        told: Told,
        clock: Clock,
    ) -> None:
        """Keep entries aside for `hold_s` seconds, if nobody lets them in before."""
        self._rule = rule
        self._hold_s = hold_s
        self._banks = banks
        self._quarantine = quarantine
        self._told = told
        self._clock = clock
        self._watch = HubWatch(rule)
        self._hubs: asyncio.Queue[tuple[Hub, str]] = asyncio.Queue()
        self._aside = self._held()

    def heard(self, seen: Iterable[str], found: Iterable[Found]) -> None:
        """Take note of the streams that were judged, and of what was found on them."""
        now_s = self._clock.monotonic()
        for stream_id in seen:
            self._watch.seen(stream_id, now_s)
        for stream_id, key, category in found:
            hub = self._watch.matched(stream_id, key, now_s)
            if hub is not None:
                self._watch.forget(hub.key)
                self._hubs.put_nowait((hub, category))

    def n_aside(self) -> int:
        """Count the entries that are set aside as hubs."""
        return len(self._aside)

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
        """Let in what has been aside long enough, and announce what matches again."""
        held = self._held()
        for key, was in [*self._aside.items()]:
            is_over = key in held and self._clock.wall() >= held[key].until_s
            if is_over and await self._edited(self._quarantine.let_in, key):
                held.pop(key)
            if key not in held:
                bank, entry = key
                data = EntryReleasedData(
                    entry=EntryRef(bank=bank, entry=entry, policy=was.policy),
                    reason="expired" if is_over else "person",
                )
                log.info("hub_let_in", bank=bank, entry=entry, reason=data.reason)
                await self._tell(data)
        self._aside = held

    async def _set_aside(self, hub: Hub, policy: str) -> None:
        until_s = self._clock.wall() + self._hold_s
        if not await self._edited(self._quarantine.set_aside, hub.key, until_s):
            return
        bank, entry = hub.key
        log.warning(
            "hub_set_aside",
            bank=bank,
            entry=entry,
            n_matched=hub.n_matched,
            n_streams=hub.n_seen,
            until=utc_text(until_s),
        )
        self._aside[hub.key] = _Held(policy, until_s)
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

    async def _edited(self, edit: Callable[..., None], key: Key, *more: float) -> bool:
        """Edit a bank; where that cannot be done, say so and leave it."""
        try:
            await asyncio.to_thread(edit, key, *more)
        except BankError as error:
            log.error("hub_not_edited", bank=key[0], entry=key[1], problem=str(error))  # noqa: TRY400  # expected: the message says it all
            return False
        return True

    def _held(self) -> dict[Key, _Held]:
        """Ask the banks which entries are aside as hubs."""
        return {
            (bank.name, name): _Held(facts.policy, until_s)
            for bank in self._banks().banks
            for name, facts in bank.quarantined()
            if (until_s := until_of(facts.quarantine or "")) is not None
        }

    async def _tell(self, data: EntryQuarantinedData | EntryReleasedData) -> None:
        event = bank_event(self._told.source, data, recorded_s=self._clock.wall())
        await self._told.put([event], self._clock.monotonic())
