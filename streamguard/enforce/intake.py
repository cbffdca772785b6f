"""Reads decisions from the event log, with a place in it of its own.

Rule: the place moves on only once what was read is on disk here; what is read twice is taken once.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.told import event_of
from streamguard.core.decision_data import DecisionData
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import Topic
from streamguard.core.orders import Order, orders_of
from streamguard.core.ports import Clock
from streamguard.core.record import Record
from streamguard.enforce.actions import Actions
from streamguard.enforce.broken import Broken
from streamguard.runtime.stop import Stop

POLL_S = 0.05
"""How often the log is looked at while there is nothing new, seconds."""

AGAIN_S = 0.5
"""After the log could not be read."""

NOTE_EVERY_S = 3600.0
"""A group that has not noted its place for a day is forgotten: it does so each hour."""


class Before(Protocol):
    """What was told before a decision; methods may raise LogUnavailable."""

    def publish_of(self, stream_id: str, session_id: str) -> str | None:
        """Name the publish of a stream's session; None where nothing says so."""
        ...

    def flagged_s(self, flag_ids: Sequence[str]) -> float | None:
        """Say when the first of these flags was put on record; None where nothing says so."""
        ...


log = structlog.get_logger()


class Taking:
    """Has done what is ordered, from wherever decisions come."""

    def __init__(self, actions: Actions, before: Before, clock: Clock, max_age_s: float) -> None:
        """max_age_s: how long after a decision it may be carried out."""
        self._actions = actions
        self._before = before
        self._clock = clock
        self._max_age_s = max_age_s
        self.broken = Broken()

    async def take(self, record: Record, *, is_old: bool) -> None:
        """Take up what a record orders; once this returns it is on disk.

        One that breaks us is passed over, so that those behind it are taken up: the console misses
        its `action.requested`.

        is_old: it was there before we ever read: where it has expired, it was never ours to do.
        """
        try:
            await self._take(record, is_old=is_old)
        except LogUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            self.broken.note("decision_not_taken", error, event_id=record.id)

    async def _take(self, record: Record, *, is_old: bool) -> None:
        decision = decision_in(record)
        if decision is None:
            return
        now_s = self._clock.wall()
        orders = orders_of(decision, now_s, self._max_age_s)
        orders = [one for one in orders if not is_old or now_s < one.expires_s]
        if orders:
            named = await asyncio.to_thread(self._named, orders, decision.flag_ids)
            await self._actions.take(named, decision.model_dump_json(exclude_none=True))

    def _named(self, orders: list[Order], flag_ids: Sequence[str]) -> list[Order]:
        publish = self._before.publish_of(orders[0].stream_id, orders[0].session_id)
        flagged_s = self._before.flagged_s(flag_ids)
        return [replace(one, publish=publish, flagged_s=flagged_s) for one in orders]


class Intake:
    """The consumer; on the event loop of what it hands orders to."""

    def __init__(self, event_log: SqliteLog, taking: Taking, clock: Clock, group: str) -> None:
        self._log = event_log
        self._taking = taking
        self._clock = clock
        self._group = group
        self._noted = (-1, 0.0)
        self.problem: str | None = None
        """What keeps it from reading; None while it works."""

    async def run(self, stop: Stop) -> None:
        """Take decisions up until `stop`; at the first start of all none that is too old."""
        offset, old_before = await asyncio.to_thread(self._start)
        while not stop.is_set():
            try:
                end, records = await asyncio.to_thread(self._read, offset)
                for record in records:
                    await self._taking.take(record, is_old=record.offset < old_before)
                offset = records[-1].offset + 1 if records else max(offset, end)
                await asyncio.to_thread(self._note, offset)
            except LogUnavailable as error:
                if self.problem is None:
                    log.warning("decisions_not_read", problem=str(error))
                self.problem = str(error)
                await asyncio.sleep(AGAIN_S)
                continue
            self.problem = None
            if not records:
                await asyncio.sleep(POLL_S)

    def _start(self) -> tuple[int, int]:
        """Give where to begin, and before which place what is too old was never ours to do."""
        known = self._log.position(self._group)
        return (1, self._log.end_offset()) if known is None else (known, 0)

    def _read(self, offset: int) -> tuple[int, list[Record]]:
        end = self._log.end_offset()
        return end, self._log.read(offset, Topic.DECISIONS)

    def _note(self, offset: int) -> None:
        now_s = self._clock.monotonic()
        if offset != self._noted[0] or now_s - self._noted[1] > NOTE_EVERY_S:
            self._log.commit(self._group, offset, self._clock.wall())
            self._noted = (offset, now_s)


def decision_in(record: Record) -> DecisionData | None:
    """Read a decision; None where the record tells of something else, or cannot be read."""
    event = event_of(record)
    return event.data if event and isinstance(event.data, DecisionData) else None
