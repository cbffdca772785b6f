"""Takes up what was decided, and sees to it that each action ends and is told.

Rule: actions for one scope of one stream follow each other in the order of the decisions, others
wait for nobody. An action that was taken up is on disk: a crash loses none.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog

from streamguard.adapters.sqlite_actions import Kept
from streamguard.core.errors import LogUnavailable
from streamguard.core.orders import Order
from streamguard.enforce.acting import Done, Failed
from streamguard.enforce.broken import Broken
from streamguard.enforce.site import site_of
from streamguard.enforce.trying import MAX_DELAY_S, ActionParts, Trying
from streamguard.runtime.stop import Stop

Lane = tuple[str, str]
"""A stream and a scope."""

log = structlog.get_logger()


class Actions:
    """The actions of one enforcer; on its event loop."""

    def __init__(self, parts: ActionParts) -> None:
        self._parts = parts
        self._waiting: dict[Lane, deque[Kept]] = {}
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._new = asyncio.Event()
        self.broken = Broken()

    @property
    def n_open(self) -> int:
        """Count the actions that are not over."""
        return sum(map(len, self._waiting.values()))

    def is_busy(self, stream_id: str) -> bool:
        """Say whether something is being done about a stream that is live."""
        return (stream_id, "live") in self._waiting

    async def take(self, orders: Sequence[Order], decision: str) -> None:
        """Take orders up: once this returns they are on disk and on record."""
        if not orders:
            return
        new = await asyncio.to_thread(self._parts.store.take, orders, decision)
        await self._parts.telling.tell([self._parts.telling.requested(one) for one in orders])
        for order in new:
            self._put(Kept(order))
        if any(one.act == "restore" and not one.is_automatic for one in new):
            await self._look_back()

    async def _look_back(self) -> None:
        """See whether people take back what rules do."""
        try:
            await asyncio.to_thread(self._parts.brake.look_back, self._parts.clock.wall())
        except LogUnavailable as error:
            log.warning("brake_not_set", problem=str(error))

    def resume(self) -> None:
        """Take up again what an earlier life left; before anything else is taken."""
        for kept in self._parts.store.open_actions():
            self._put(kept)

    async def run(self, stop: Stop) -> None:
        """Work until `stop`, then leave the rest for the next start: all of it is on disk."""
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                self._new.clear()
                for lane in self._waiting.keys() - self._lanes.keys():
                    self._lanes[lane] = group.create_task(self._follow(lane))
                await _either(stop, self._new)
            for task in self._lanes.values():
                task.cancel()

    def _put(self, kept: Kept) -> None:
        lane = (kept.order.stream_id, kept.order.scope)
        self._waiting.setdefault(lane, deque()).append(kept)
        self._new.set()

    async def _follow(self, lane: Lane) -> None:
        """Carry out what waits in a lane."""
        waiting = self._waiting[lane]
        while waiting:
            order = waiting[0].order
            try:
                await self._perform(waiting[0])
            except Exception as error:  # noqa: BLE001  # it stays on disk, and no other waits for it
                about = {"action_id": order.action_id, "stream_id": order.stream_id}
                self.broken.note("action_not_ended", error, **about)
                self._count(order, "broke")
            waiting.popleft()
        del self._waiting[lane], self._lanes[lane]

    async def _perform(self, kept: Kept) -> None:
        """See one action to its end."""
        order, parts = kept.order, self._parts
        site = site_of(parts.sites, order.stream_id)
        trying = Trying(kept, site, parts, self.broken)
        outcome = await trying.run()
        event = parts.telling.ended(order, outcome, trying.tried)
        await parts.telling.tell([event])
        reason = _word_for(outcome)
        by_platform = isinstance(outcome, Done) and outcome.method == "answer"
        await self._finish(order, "answer" if by_platform else reason)
        took_s = self._count(order, reason)
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

    def _count(self, order: Order, reason: str) -> float:
        """Count how an action ended; give how long that took since the decision, seconds."""
        took_s = max(0.0, self._parts.clock.wall() - order.decided_s)
        self._parts.meter.ended(order.act, reason, took_s)
        return took_s

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


def _word_for(outcome: Done | Failed) -> str:
    """Say in a word how an action ended."""
    if isinstance(outcome, Failed):
        return "broke" if outcome.is_broken else outcome.reason
    return "done"


async def _either(stop: Stop, new: asyncio.Event) -> None:
    """Wait for a stop or for something new."""
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(new.wait())]
    try:
        await asyncio.wait(waits, return_when="FIRST_COMPLETED")
    finally:
        for one in waits:
            one.cancel()
