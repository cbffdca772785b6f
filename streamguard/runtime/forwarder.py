"""Takes events from the log to somebody else's queue, with a place in the log of its own.

Rule: at least once, and of one key in the order of the log; what is not taken yet is asked again
until it is, and holds back the events of its own key alone. An event that the receiver refuses for
what it is, time and again, is put aside, as is what a person puts there: told, counted, and kept
for people to look at. While the log cannot be read or written, what is in memory goes on, and the
log is asked again.
"""

import asyncio
import json
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from streamguard.core.backoff import delay_s
from streamguard.core.errors import LogUnavailable
from streamguard.core.forward_ports import ConsumedLog, ForwardMeter
from streamguard.core.ports import Clock
from streamguard.core.record import Record
from streamguard.core.webhook import Answer
from streamguard.runtime.stop import Stop

POLL_S = 0.1
"""How often the log is looked at while there is nothing new, seconds."""

MAX_WAITING = 2_000
"""Events that wait in memory; what is beyond them waits in the log."""

MAX_OF_FAILING = 10
"""Events of a key that wait in memory while its first one is not taken; the others are left in the
log, and read again from there. So it takes some 180 such keys to fill the memory for all."""

MAX_REFUSALS = 5
"""So often an event is refused before it is put aside: a receiver may be in the middle of a
change."""

NOTE_EVERY_S = 1.0
"""How often the place in the log is noted: so much is sent again after a crash."""

Use = Literal["read", "write"]

log = structlog.get_logger()


@dataclass(slots=True)
class _Key:
    """The events of one key that wait, and how its first one fares.

    read_to:   all its events before this offset were read.
    left_from: its events from this offset on are left in the log until those that wait are done.
    """

    waiting: deque[Record]
    read_to: int = 0
    left_from: int | None = None
    n_failures: int = 0
    n_refusals: int = 0
    due_s: float = 0.0
    is_busy: bool = False


class Forwarder:
    """One receiver; on the event loop."""

    def __init__(
        self,
        event_log: ConsumedLog,
        send: Callable[[Record], Awaitable[Answer]],
        clock: Clock,
        meter: ForwardMeter,
        *,
        group: str,
        topics: frozenset[str],
        at_once: int,
    ) -> None:
        """send: makes one try; it raises nothing."""
        self._log = event_log
        self._send = send
        self._clock = clock
        self._meter = meter
        self._group = group
        self._topics = topics
        self._at_once = at_once
        self._keys: dict[str, _Key] = {}
        self._offsets: set[int] = set()  # of what is not done; of what is left the first alone
        self._next = 0
        self._read_to = 0  # before it all was read once, and what was left is read again
        self._noted = -1
        self._noted_s = 0.0
        self._oldest_s: float | None = None
        self._harmed: set[Use] = set()

    @property
    def n_waiting(self) -> int:
        """Count the events that are in memory and not taken, and the keys that left others."""
        return len(self._offsets)

    @property
    def place(self) -> int:
        """Give the offset before which all is done."""
        return min(self._next, min(self._offsets, default=self._next))

    @property
    def oldest_s(self) -> float | None:
        """Say when the oldest event in memory was made, seconds since 1970 UTC; any thread."""
        return self._oldest_s

    async def run(self, offset: int, stop: Stop) -> None:
        """Forward from an offset on until `stop`; then wait for the tries that are under way."""
        self._next = offset
        tries: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                has_new = await self._read()
                await self._note()
                waiting = [key.waiting[0].recorded_s for key in self._keys.values() if key.waiting]
                self._oldest_s = min(waiting, default=None)
                for key in self._ready()[: self._at_once - len(tries)]:
                    key.is_busy = True  # now, not when the task begins: it would be chosen again
                    task = group.create_task(self._try(key))
                    tries.add(task)
                    task.add_done_callback(tries.discard)
                await _either(stop, tries, 0.0 if has_new else POLL_S)
        await self._note(at_once=True)

    async def _read(self) -> bool:
        """Take more from the log; say whether more may be there."""
        if len(self._offsets) >= MAX_WAITING:
            return False
        self._go_back()
        try:
            end, records = await asyncio.to_thread(self._look)
        except LogUnavailable as error:
            self._tell("read", error)
            return False
        self._tell("read", None)
        for record in records:
            if record.topic in self._topics:
                self._take(record)
        self._next = records[-1].offset + 1 if records else max(self._next, end)
        if self._next >= self._read_to:
            self._keys = {
                name: key
                for name, key in self._keys.items()
                if key.waiting or key.left_from is not None
            }
        return bool(records)

    def _go_back(self) -> None:
        """Read again from where the first of those left off that are done with all they hold."""
        if self._next < self._read_to:
            return  # it is being done
        left = [
            (key.left_from, key)
            for key in self._keys.values()
            if key.left_from is not None and not key.waiting
        ]
        if not left:
            return
        self._read_to, self._next = self._next, min(offset for offset, _ in left)
        for offset, key in left:
            self._offsets.discard(offset)
            key.read_to, key.left_from = offset, None

    def _take(self, record: Record) -> None:
        """Have an event wait, unless it did before, or is to be left in the log."""
        key = self._keys.setdefault(record.key, _Key(deque(), self._read_to))
        if record.offset < key.read_to or key.left_from is not None:
            return
        key.waiting.append(record)
        key.read_to = record.offset + 1
        self._offsets.add(record.offset)
        if key.n_failures:
            self._leave(key)

    def _leave(self, key: _Key) -> None:
        """Leave in the log what is more than a key may hold whose first event is not taken."""
        if len(key.waiting) <= MAX_OF_FAILING:
            return
        if key.left_from is not None:
            self._offsets.discard(key.left_from)
        while len(key.waiting) > MAX_OF_FAILING:
            first = key.waiting.pop().offset
            self._offsets.discard(first)
        self._offsets.add(first)
        key.left_from = first

    def _look(self) -> tuple[int, list[Record]]:
        """Give the end, then what comes next: what comes in between is behind that end."""
        return self._log.end_offset(), self._log.read(self._next, limit=500)

    def _ready(self) -> list[_Key]:
        """Give the keys that may be tried now, the most urgent first, then the oldest."""
        now_s = self._clock.monotonic()
        ready = [
            key
            for key in self._keys.values()
            if key.waiting and not key.is_busy and key.due_s <= now_s
        ]
        return sorted(ready, key=lambda key: (_urgency(key.waiting[0]), key.waiting[0].offset))

    async def _try(self, key: _Key) -> None:
        record = key.waiting[0]
        answer = await self._send(record)
        self._meter.forwarded(answer.meaning, max(0.0, self._clock.wall() - record.recorded_s))
        if answer.meaning == "done" or await self._is_put_aside(key, answer):
            self._done(key)
        else:
            key.n_failures += 1
            if key.n_failures == 1:
                log.warning("event_not_taken", event_id=record.id, why=answer.what)
            wait_s = delay_s(key.n_failures + 1, random.random())  # noqa: S311  # spreads, hides nothing
            key.due_s = self._clock.monotonic() + max(wait_s, answer.wait_s)
            self._leave(key)
        key.is_busy = False

    async def _is_put_aside(self, key: _Key, answer: Answer) -> bool:
        """Let the first event of a key stand aside if it was refused too often, or if it does."""
        key.n_refusals += answer.meaning == "refused"
        record, now_s = key.waiting[0], self._clock.wall()
        try:
            why = await asyncio.to_thread(self._log.why_aside, self._group, record.offset)
            if why is None and key.n_refusals < MAX_REFUSALS:
                return False
            if why is None:
                why = answer.what
                await asyncio.to_thread(self._log.put_aside, self._group, record, why, now_s)
        except LogUnavailable as error:
            self._tell("write", error)
            return False
        self._tell("write", None)
        self._meter.put_aside()
        log.error("event_put_aside", event_id=record.id, offset=record.offset, why=why)
        return True

    def _done(self, key: _Key) -> None:
        """Let the first event of a key go."""
        record = key.waiting.popleft()
        self._offsets.discard(record.offset)
        key.n_failures = key.n_refusals = 0
        key.due_s = 0.0

    async def _note(self, *, at_once: bool = False) -> None:
        """Note the place in the log, where it has changed, and once in a while that we are here."""
        now_s, place = self._clock.monotonic(), self.place
        is_time = at_once or now_s - self._noted_s >= NOTE_EVERY_S
        is_news = place != self._noted or now_s - self._noted_s > KNOWN_FOR_S
        if not (is_time and is_news):
            return
        self._noted_s = now_s
        try:
            await asyncio.to_thread(self._log.commit, self._group, place, self._clock.wall())
        except LogUnavailable as error:
            self._noted = -1  # tried again in a while, also where the place stays
            self._tell("write", error)
            return
        self._noted = place
        self._tell("write", None)

    def _tell(self, use: Use, problem: LogUnavailable | None) -> None:
        """Tell once when the log cannot be used, and once when it can be again."""
        was_harmed = bool(self._harmed)
        if problem:
            self._harmed.add(use)
        else:
            self._harmed.discard(use)
        if problem and not was_harmed:
            log.error("log_unavailable", problem=str(problem))
        elif was_harmed and not self._harmed:
            log.info("log_recovered")


KNOWN_FOR_S = 3_600.0
"""A group that has not noted its place for a day is forgotten: it does so each hour."""


def _urgency(record: Record) -> str:
    """Give the severity of what a flag is about, P0 first; all else comes after flags."""
    policy = json.loads(record.body).get("data", {}).get("policy")
    return str(policy.get("severity", "P9")) if isinstance(policy, dict) else "P9"


async def _either(stop: Stop, tries: set[asyncio.Task[None]], seconds: float) -> None:
    """Wait for a stop, for a try that ends, or so long."""
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({stopping, *tries}, timeout=seconds, return_when="FIRST_COMPLETED")
    finally:
        stopping.cancel()
