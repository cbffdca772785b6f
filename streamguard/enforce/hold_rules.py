"""Holds by rule what is an exact match, and lifts what is held or limited when its time is over.

Rule: a rule decides as a person does, in the log and on record, and whoever carries decisions out
does so; what a person decided first stands.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from streamguard.adapters.sqlite_actions import ActionStore
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.told import event_of
from streamguard.core.audit import Deed
from streamguard.core.audit_data import AuditData
from streamguard.core.decision_data import DecisionData
from streamguard.core.errors import LogUnavailable
from streamguard.core.event_data import FlagData
from streamguard.core.events import Event, Topic
from streamguard.core.holding import (
    HoldRule,
    HoldTerms,
    hold_decision,
    is_overruled,
    lift_decision,
    rule_for,
)
from streamguard.core.orders import Order, orders_of
from streamguard.core.ports import Clock
from streamguard.core.record import Record
from streamguard.core.review_events import decision_event
from streamguard.enforce.broken import Broken
from streamguard.enforce.intake import AGAIN_S, NOTE_EVERY_S, POLL_S
from streamguard.enforce.known import KnownCases
from streamguard.runtime.stop import Stop

LIFT_EVERY_S = 1.0
"""How often it is looked whether a hold is over."""

FORGET_EVERY_S = 3600.0

REMEMBERED_S = 180 * 86_400.0
"""Actions that are over are kept for so long: twice as long as the log has decisions, so that one
that is read anew is known (DESIGN 6: 90 days)."""

log = structlog.get_logger()


class OnRecord(Protocol):
    """The log, as far as rules decide in it."""

    def append(self, deeds: Sequence[Deed], events: Sequence[Event] = ()) -> list[AuditData]:
        """Commit events and what was done; nothing where somebody else has an event's place."""
        ...


@dataclass(frozen=True, slots=True)
class HoldRuleParts:
    """Where rules read and write.

    source: `/streamguard/<deployment>`.
    group:  the consumer group whose place in the flags it is.
    """

    event_log: SqliteLog
    record: OnRecord
    cases: KnownCases
    store: ActionStore
    clock: Clock
    source: str
    group: str


class HoldRules:
    """The rules of one enforcer; on its event loop."""

    def __init__(self, rules: Sequence[HoldRule], terms: HoldTerms, parts: HoldRuleParts) -> None:
        self._rules = rules
        self._terms = terms
        self._parts = parts
        self._noted = (-1, 0.0)
        self._forgot_s: float | None = None
        self.broken = Broken()

    async def hold(self, stop: Stop) -> None:
        """Decide on flags as they come, until `stop`; flags from before the first start, never."""
        if not self._rules:
            return
        event_log = self._parts.event_log
        known = await asyncio.to_thread(event_log.position, self._parts.group)
        offset = await asyncio.to_thread(event_log.end_offset) if known is None else known
        while not stop.is_set():
            try:
                offset, is_new = await asyncio.to_thread(self._read, offset)
            except LogUnavailable as error:
                log.warning("flags_not_read", problem=str(error))
                await asyncio.sleep(AGAIN_S)
                continue
            except Exception as error:  # noqa: BLE001  # the next round may do, and all else goes on
                self.broken.note("hold_rules_broke", error)
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
            except Exception as error:  # noqa: BLE001  # as above
                self.broken.note("lifting_broke", error)
            await asyncio.sleep(LIFT_EVERY_S)

    def _read(self, offset: int) -> tuple[int, bool]:
        """Take the next flags; give where to go on, and whether there were any."""
        event_log = self._parts.event_log
        end = event_log.end_offset()
        records = event_log.read(offset, Topic.FLAGS)
        for record in records:
            try:
                self._judge(record)
            except LogUnavailable:
                raise
            except Exception as error:  # noqa: BLE001  # people see the flag: rules go on to the next
                self.broken.note("flag_not_judged", error, event_id=record.id)
        offset = records[-1].offset + 1 if records else max(offset, end)
        now_s = self._parts.clock.monotonic()
        if offset != self._noted[0] or now_s - self._noted[1] > NOTE_EVERY_S:
            event_log.commit(self._parts.group, offset, self._parts.clock.wall())
            self._noted = (offset, now_s)
        return offset, bool(records)

    def _judge(self, record: Record) -> None:
        """Decide to hold what a flag is about, where a rule says so."""
        event = event_of(record)
        if event is None or not isinstance(event.data, FlagData):
            return
        flag = event.data
        rule = rule_for(flag, self._rules)
        if rule is None:
            return
        stream_id, now_s = flag.stream.stream_id, self._parts.clock.wall()
        case = self._parts.cases.of_flag(stream_id, flag.flag_id)
        decision = hold_decision(case, flag, rule, now_s, self._terms) if case else None
        if decision is not None and self._decide(decision):
            log.warning("hold_by_rule", rule=rule.name, stream_id=stream_id, flag=flag.flag_id)

    def _lift(self) -> None:
        """End what is over, wherever it was done: on a server of ours or by the platform."""
        store, now_s = self._parts.store, self._parts.clock.wall()
        overruled = [one for one in store.by_rules(now_s) if self._is_overruled(*one)]
        for decision_id, body in [*store.over(now_s), *overruled]:
            try:
                self._end(decision_id, DecisionData.model_validate_json(body), now_s)
            except LogUnavailable:
                raise
            except Exception as error:  # noqa: BLE001  # tried again, and the others are lifted
                self.broken.note("hold_not_lifted", error, decision_id=decision_id)
        self._forget(now_s)

    def _is_overruled(self, decision_id: str, body: str) -> bool:
        """Say whether people decided the case of a rule's hold without knowing of that."""
        try:
            held = DecisionData.model_validate_json(body)
            case = self._parts.cases.of_id(held.stream.stream_id, held.case_id)
        except LogUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # it ends by itself, and the others are lifted
            self.broken.note("hold_not_lifted", error, decision_id=decision_id)
            return False
        return case is not None and is_overruled(decision_id, case)

    def _end(self, decision_id: str, held: DecisionData, now_s: float) -> None:
        """End what a decision did, unless a later one has done so."""
        store, stream_id = self._parts.store, held.stream.stream_id
        case = self._parts.cases.of_id(stream_id, held.case_id)
        decision = lift_decision(held, case, now_s)
        if decision is None or any(map(self._is_superseded, orders_of(held, now_s, 0.0))):
            store.forget_ending(decision_id)
        elif self._decide(decision):
            log.warning("hold_over", stream_id=stream_id, decision_id=decision_id)
            store.forget_ending(decision_id)

    def _is_superseded(self, order: Order) -> bool:
        """Say whether something else was ordered in the case since, whichever way that came."""
        return self._parts.store.is_superseded(order, by_others=False)

    def _forget(self, now_s: float) -> None:
        """Once an hour let go what nobody will ask for again."""
        if self._forgot_s is None or now_s - self._forgot_s >= FORGET_EVERY_S:
            self._parts.store.forget_actions(now_s - REMEMBERED_S)
            self._forgot_s = now_s

    def _decide(self, decision: DecisionData) -> bool:
        """Put a decision on record; say whether nobody else had decided meanwhile."""
        now_s = self._parts.clock.wall()
        event = decision_event(self._parts.source, decision, recorded_s=now_s)
        deed = Deed(decision.actor, "decision.made", decision.case_id, about=decision.decision_id)
        return bool(self._parts.record.append([deed], [event]))
