"""Holds by rule what is an exact match, and lifts holds whose time is over.

Rule: a rule decides as a person does, in the log, and whoever carries decisions out does so; what a
person decided first stands.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from streamguard.adapters.sqlite_actions import ActionStore
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.told import event_of
from streamguard.core.decision_data import DecisionData
from streamguard.core.errors import LogUnavailable
from streamguard.core.event_data import FlagData
from streamguard.core.events import Event, Topic
from streamguard.core.holding import (
    HoldRule,
    cases_of,
    hold_decision,
    lift_decision,
    rule_for,
)
from streamguard.core.ports import Clock
from streamguard.core.record import Record
from streamguard.core.review_events import decision_event
from streamguard.enforce.book import Book
from streamguard.enforce.intake import AGAIN_S, NOTE_EVERY_S, POLL_S
from streamguard.runtime.stop import Stop

LIFT_EVERY_S = 1.0
"""How often it is looked whether a hold is over."""

ToldOf = Callable[[str], Sequence[Record]]
"""Gives the flags and decisions of a stream, in order; may raise LogUnavailable."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Desks:
    """Where rules read and write.

    source: `/streamguard/<deployment>`.
    group:  the consumer group whose place in the flags it is.
    """

    event_log: SqliteLog
    told_of: ToldOf
    store: ActionStore
    book: Book
    clock: Clock
    source: str
    group: str


class Rules:
    """The rules of one enforcer; on its event loop."""

    def __init__(self, rules: Sequence[HoldRule], hold_s: float, desks: Desks) -> None:
        """Make them; hold_s: after which a hold is lifted that nobody has reviewed."""
        self._rules = rules
        self._hold_s = hold_s
        self._desks = desks
        self._noted = (-1, 0.0)

    async def hold(self, stop: Stop) -> None:
        """Decide on flags as they come, until `stop`; flags from before the first start, never."""
        if not self._rules:
            return
        event_log = self._desks.event_log
        known = await asyncio.to_thread(event_log.position, self._desks.group)
        offset = await asyncio.to_thread(event_log.end_offset) if known is None else known
        while not stop.is_set():
            try:
                offset, is_new = await asyncio.to_thread(self._read, offset)
            except LogUnavailable as error:
                log.warning("flags_not_read", problem=str(error))
                await asyncio.sleep(AGAIN_S)
                continue
            if not is_new:
                await asyncio.sleep(POLL_S)

    async def lift(self, stop: Stop) -> None:
        """End what is held for too long, until `stop`."""
        while not stop.is_set():
            try:
                await asyncio.to_thread(self._lift)
            except LogUnavailable as error:
                log.warning("holds_not_lifted", problem=str(error))
            await asyncio.sleep(LIFT_EVERY_S)

    def _read(self, offset: int) -> tuple[int, bool]:
        """Take the next flags; give where to go on, and whether there were any."""
        event_log = self._desks.event_log
        end = event_log.end_offset()
        records = event_log.read(offset, Topic.FLAGS)
        for record in records:
            self._judge(record)
        offset = records[-1].offset + 1 if records else max(offset, end)
        now_s = self._desks.clock.monotonic()
        if offset != self._noted[0] or now_s - self._noted[1] > NOTE_EVERY_S:
            event_log.commit(self._desks.group, offset, self._desks.clock.wall())
            self._noted = (offset, now_s)
        return offset, bool(records)

    def _judge(self, record: Record) -> None:
        """Decide to hold what a flag is about, where a rule says so."""
        events = _events([record])
        flag = events[0].data if events else None
        if not isinstance(flag, FlagData):
            return
        rule = rule_for(flag, self._rules)
        if rule is None:
            return
        cases = cases_of(_events(self._desks.told_of(flag.stream.stream_id)))
        case = next((one for one in cases.values() if flag.flag_id in one.flag_ids), None)
        now_s = self._desks.clock.wall()
        decision = hold_decision(case, flag, rule, now_s, self._hold_s) if case else None
        if decision is not None:
            self._decide(decision)
            stream_id = flag.stream.stream_id
            log.warning("hold_by_rule", rule=rule.name, stream_id=stream_id, flag=flag.flag_id)

    def _lift(self) -> None:
        now_s = self._desks.clock.wall()
        for hold in self._desks.book.holds:
            if hold.is_ending or hold.until_s is None or now_s < hold.until_s:
                continue
            text = self._desks.store.decision(hold.decision_id)
            if text is None:
                continue
            held = DecisionData.model_validate_json(text)
            cases = cases_of(_events(self._desks.told_of(hold.stream_id)))
            decision = lift_decision(held, cases.get(held.case_id), now_s)
            if decision is not None:
                self._decide(decision)
                log.warning("hold_over", stream_id=hold.stream_id, decision_id=hold.decision_id)

    def _decide(self, decision: DecisionData) -> None:
        now_s = self._desks.clock.wall()
        event = decision_event(self._desks.source, decision, recorded_s=now_s)
        self._desks.event_log.append([event])


def _events(records: Sequence[Record]) -> list[Event]:
    """Read events; what cannot be read is left out."""
    return [event for event in map(event_of, records) if event is not None]
