"""Takes up what was decided, and sees to it that each action ends and is told.

Rule: actions of one stream follow each other in the order of the decisions, those of different
streams wait for nobody. An action that was taken up is on disk: a crash loses none.
"""

import asyncio
import json
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from streamguard.adapters.sqlite_actions import ActionStore, Kept
from streamguard.core.action_data import Act, FailureReason
from streamguard.core.backoff import delay_s
from streamguard.core.errors import DiscoveryUnavailable, LogUnavailable
from streamguard.core.orders import BY_RULE, Order
from streamguard.core.ports import Clock
from streamguard.enforce.acting import Acting, Done, Failed, Means
from streamguard.enforce.brake import Brake
from streamguard.enforce.platform import Platform
from streamguard.enforce.site import Site, site_of
from streamguard.enforce.telling import Telling
from streamguard.ingest.control import OrderRefused
from streamguard.runtime.stop import Stop

MAX_DELAY_S = 1.0
"""Longest pause between two tries: seconds count."""

AT_ONCE = 16
"""Streams that are acted on at the same time, each with a viewer of ours (our choice: a
gigabyte at most)."""

log = structlog.get_logger()


class DeskMeter(Protocol):
    """Counts what becomes of actions."""

    def ended(self, act: Act, reason: str, took_s: float) -> None:
        """Count an action that ended; `done` or why not; seconds from the decision to its end."""
        ...


@dataclass(frozen=True, slots=True)
class DeskParts:
    """What the desk works with.

    platform: acts where no server takes orders; None where there is none.
    """

    store: ActionStore
    sites: Sequence[Site]
    means: Means
    telling: Telling
    clock: Clock
    meter: DeskMeter
    brake: Brake
    platform: Platform | None = None


class Desk:
    """The actions of one enforcer; on its event loop."""

    def __init__(self, parts: DeskParts) -> None:
        self._parts = parts
        self._waiting: dict[str, deque[Kept]] = {}
        self._lanes: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._new = asyncio.Event()

    @property
    def n_open(self) -> int:
        """Count the actions that are not over."""
        return sum(map(len, self._waiting.values()))

    def is_busy(self, stream_id: str) -> bool:
        """Say whether something is being done about a stream."""
        return stream_id in self._waiting

    async def take(self, orders: Sequence[Order], decision: str) -> None:
        """Take orders up: once this returns they are on disk and on record."""
        if not orders:
            return
        new = await asyncio.to_thread(self._parts.store.take, orders, decision)
        await self._parts.telling.tell([self._parts.telling.requested(one) for one in orders])
        for order in new:
            if self._takes_back_a_rule(order):
                self._parts.brake.overturned(self._parts.clock.wall())
            self._put(Kept(order))

    def _takes_back_a_rule(self, order: Order) -> bool:
        """Say whether a person ends what a rule holds."""
        hold = self._parts.means.book.held.get(order.stream_id)
        if hold is None or order.act != "restore" or order.is_automatic:
            return False
        text = self._parts.store.decision(hold.decision_id) or "{}"
        return str(json.loads(text).get("actor", "")).startswith(BY_RULE)

    def resume(self) -> None:
        """Take up again what an earlier life left; before anything else is taken."""
        for kept in self._parts.store.open_actions():
            self._put(kept)

    async def run(self, stop: Stop) -> None:
        """Work until `stop`, then leave the rest for the next start: all of it is on disk."""
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                self._new.clear()
                for stream_id, waiting in self._waiting.items():
                    if waiting and not any(t.get_name() == stream_id for t in self._lanes):
                        task = group.create_task(self._lane(stream_id), name=stream_id)
                        self._lanes.add(task)
                        task.add_done_callback(self._lane_over)
                await _either(stop, self._new)
            for task in self._lanes:
                task.cancel()

    def _put(self, kept: Kept) -> None:
        self._waiting.setdefault(kept.order.stream_id, deque()).append(kept)
        self._new.set()

    def _lane_over(self, task: asyncio.Task[None]) -> None:
        self._lanes.discard(task)
        self._new.set()

    async def _lane(self, stream_id: str) -> None:
        """Carry out what waits for one stream."""
        waiting = self._waiting[stream_id]
        while waiting:
            async with self._room:
                await self._perform(waiting[0])
            waiting.popleft()
        del self._waiting[stream_id]

    async def _perform(self, kept: Kept) -> None:
        """See one action to its end."""
        order, parts = kept.order, self._parts
        site = site_of(parts.sites, order.stream_id)
        runner = _Runner(kept, site, parts)
        outcome = await runner.run()
        name = site.name if site else None
        event = parts.telling.ended(order, outcome, runner.n_tries, name)
        await parts.telling.tell([event])
        reason = outcome.reason if isinstance(outcome, Failed) else "done"
        await self._finish(order, reason)
        took_s = max(0.0, parts.clock.wall() - order.decided_s)
        parts.meter.ended(order.act, reason, took_s)
        level = log.info if reason == "done" else log.warning
        level(
            "action_ended",
            action_id=order.action_id,
            stream_id=order.stream_id,
            act=order.act,
            scope=order.scope,
            outcome=reason,
            took_s=round(took_s, 3),
        )

    async def _finish(self, order: Order, reason: str) -> None:
        """Keep that an action is over; while the disk takes nothing, again and again."""
        while True:
            try:
                await asyncio.to_thread(self._parts.store.finish, order, reason)
            except LogUnavailable as error:
                log.warning("action_not_kept", problem=str(error))
                await asyncio.sleep(MAX_DELAY_S)
            else:
                return


class _Runner:
    """Tries one action until it is done or cannot be."""

    def __init__(self, kept: Kept, site: Site | None, parts: DeskParts) -> None:
        self._order = kept.order
        self._parts = parts
        self._acting: Acting | None = None
        if site is not None and kept.order.scope == "live":
            self._acting = Acting(kept, site, parts.means)
        self._kept = kept
        self.n_tries = kept.n_attempts

    async def run(self) -> Done | Failed:
        """Give how it ended."""
        last: FailureReason = "expired"
        n_failures, is_admitted = 0, False
        while True:
            try:
                refusal = None if is_admitted else self._refusal()
                is_admitted = True
                if refusal is not None:
                    return Failed(refusal)
                if self._parts.store.is_superseded(self._order):
                    return Failed("superseded")
                if self._parts.clock.wall() >= self._order.expires_s:
                    return Failed(last)
                self.n_tries += 1
                outcome = await self._attempt()
            except DiscoveryUnavailable:
                last = "server_unavailable"
            except OrderRefused:
                last = "refused"
            except LogUnavailable as error:
                log.warning("action_not_kept", problem=str(error))
            else:
                if outcome is not None:
                    return outcome
                last = "still_live" if self._acting else "server_unavailable"
            n_failures += 1
            self._note_try()
            pause_s = min(MAX_DELAY_S, delay_s(n_failures, random.random()))  # noqa: S311  # spreads, hides nothing
            await asyncio.sleep(pause_s)

    def _refusal(self) -> FailureReason | None:
        """Say why it is not even tried, if so."""
        order, parts = self._order, self._parts
        if not order.is_allowed:
            return "not_allowed"
        if self._acting is None and parts.platform is None:
            return "no_control"
        if order.is_automatic and order.act == "hold" and self._kept.stage == "taken":
            return parts.brake.refusal(order, parts.clock.wall())
        return None

    async def _attempt(self) -> Done | Failed | None:
        parts, outcome = self._parts, None
        if self._acting is not None:
            outcome = await self._acting.attempt()
            if not (isinstance(outcome, Failed) and outcome.reason == "not_supported"):
                return outcome
        if parts.platform is None:
            return outcome
        return await parts.platform.attempt(parts.telling.requested(self._order))

    def _note_try(self) -> None:
        """Keep how often it was tried; where that cannot be, the count begins anew."""
        kept = self._acting.kept if self._acting else self._kept
        kept = replace(kept, n_attempts=self.n_tries)
        if self._acting is not None:
            self._acting.kept = kept
        try:
            self._parts.store.note(kept)
        except LogUnavailable as error:
            log.warning("action_not_kept", problem=str(error))


async def _either(stop: Stop, new: asyncio.Event) -> None:
    """Wait for a stop or for something new."""
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(new.wait())]
    try:
        await asyncio.wait(waits, return_when="FIRST_COMPLETED")
    finally:
        for one in waits:
            one.cancel()
