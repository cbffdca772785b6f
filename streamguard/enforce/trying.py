"""Tries one action again and again, until it is done or cannot be.

Rule: what takes a stream from its viewers is not done once it is too old; to give one back is tried
for as long as it takes.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from streamguard.adapters.sqlite_actions import ActionStore, Kept
from streamguard.core.action_data import Act, FailureReason
from streamguard.core.backoff import delay_s
from streamguard.core.errors import DiscoveryUnavailable, LogUnavailable
from streamguard.core.ports import Clock
from streamguard.enforce.acting import Acting, Done, Failed, Means
from streamguard.enforce.brake import Brake
from streamguard.enforce.broken import TRIES, Broken
from streamguard.enforce.platform import Platform
from streamguard.enforce.site import Site
from streamguard.enforce.telling import Telling, Tried
from streamguard.ingest.control import OrderRefused

MAX_DELAY_S = 1.0
"""Longest pause between two tries: seconds count."""

log = structlog.get_logger()


class ActionMeter(Protocol):
    """Counts what becomes of actions."""

    def ended(self, act: Act, reason: str, took_s: float) -> None:
        """Count an action that ended; `done`, why not, or `broke`; seconds until then."""
        ...


@dataclass(frozen=True, slots=True)
class ActionParts:
    """What actions are carried out with.

    platform: acts where no server takes orders; None where there is none.
    """

    store: ActionStore
    sites: Sequence[Site]
    means: Means
    telling: Telling
    clock: Clock
    meter: ActionMeter
    brake: Brake
    platform: Platform | None = None


class Trying:
    """One action."""

    def __init__(self, kept: Kept, site: Site | None, parts: ActionParts, broken: Broken) -> None:
        self._order = kept.order
        self._parts = parts
        self._broken = broken
        self._n_broken = 0
        self._acting: Acting | None = None
        if site is not None and kept.order.scope == "live":
            self._acting = Acting(kept, site, parts.means)
        self._first = kept
        self._server = site.name if site else None
        self.n_tries = kept.n_attempts

    @property
    def tried(self) -> Tried:
        """Give how it was tried."""
        is_against_it = self._acting is not None and self._order.act != "restore"
        n_returned = self._acting.n_returned if self._acting and is_against_it else None
        return Tried(self.n_tries, self._server, n_returned)

    async def run(self) -> Done | Failed:
        """Give how it ended."""
        last: FailureReason = "expired"
        n_failures, is_admitted = 0, False
        while True:
            try:
                refusal = None if is_admitted else await asyncio.to_thread(self._refusal)
                is_admitted = True
                refusal = refusal or await self._end(last)
                if refusal is not None:
                    return Failed(refusal)
                self.n_tries += 1
                outcome = await self._attempt()
            except DiscoveryUnavailable:
                last = "server_unavailable"
            except OrderRefused:
                last = "refused"
            except LogUnavailable as error:
                log.warning("action_not_kept", problem=str(error))
            except Exception as error:  # noqa: BLE001  # ends this action, and no other's
                if self._gives_up(error):
                    return Failed("not_supported", is_broken=True)
            else:
                if outcome is not None:
                    return outcome
                last = "still_live" if self._acting else "server_unavailable"
            n_failures += 1
            await self._note_try()
            pause_s = min(MAX_DELAY_S, delay_s(n_failures, random.random()))  # noqa: S311  # spreads, hides nothing
            await asyncio.sleep(pause_s)

    def _gives_up(self, error: Exception) -> bool:
        """Note an error that nobody foresaw; say whether there were too many."""
        self._n_broken += 1
        order = self._order
        about = {"action_id": order.action_id, "stream_id": order.stream_id}
        self._broken.note("action_broke", error, **about)
        return self._n_broken >= TRIES

    async def _end(self, last: FailureReason) -> FailureReason | None:
        """Say why it is not tried again, if so; last: what came of the last try."""
        order, parts = self._order, self._parts
        # what a restore has to write down first is done whatever is decided elsewhere
        by_others = order.act != "restore" or self._kept.stage != "taken"
        is_superseded = parts.store.is_superseded
        if await asyncio.to_thread(is_superseded, order, by_others=by_others):
            return "superseded"
        if order.act != "restore" and parts.clock.wall() >= order.expires_s:
            return last
        return None

    def _refusal(self) -> FailureReason | None:
        """Say why it is not even tried, if so."""
        order, parts = self._order, self._parts
        if not order.is_allowed:
            return "not_allowed"
        if self._acting is None and parts.platform is None:
            return "no_control"
        if order.is_automatic and order.act == "hold" and self._first.stage == "taken":
            return parts.brake.refusal(order, parts.clock.wall())
        return None

    async def _attempt(self) -> Done | Failed | None:
        parts, outcome = self._parts, None
        if self._acting is not None:
            outcome = await self._acting.attempt()
            if outcome is None or not await self._is_for_platform(outcome):
                return outcome
        if parts.platform is None:
            return outcome
        return await parts.platform.attempt(parts.telling.requested(self._order))

    async def _is_for_platform(self, outcome: Done | Failed) -> bool:
        """Say whether no server can do it, or the platform did what is to be taken back."""
        if isinstance(outcome, Failed):
            return outcome.reason == "not_supported"
        order = self._order
        is_platforms = self._parts.store.is_platforms
        return order.act == "restore" and await asyncio.to_thread(is_platforms, order)

    @property
    def _kept(self) -> Kept:
        return self._acting.kept if self._acting else self._first

    async def _note_try(self) -> None:
        """Keep how often it was tried; where that cannot be, the count begins anew."""
        kept = replace(self._kept, n_attempts=self.n_tries)
        if self._acting is not None:
            self._acting.kept = kept
        try:
            await asyncio.to_thread(self._parts.store.note, kept)
        except LogUnavailable as error:
            log.warning("action_not_kept", problem=str(error))
