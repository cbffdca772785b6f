"""Delivers one topic of the log to the broker, as long as it takes.

Rule: a topic's place moves on only when the broker has acknowledged. Of each stream everything goes
in order; a P0 flag, with what waits of its stream, goes before the backlog of others. A record that
the broker will never take is kept aside with the reason, and sent with what must not be missing, so
that a human sees it.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from streamguard.core.backoff import delay_s
from streamguard.core.delivery_ports import Broker, DeliveryMeter, Outbox, Outcome
from streamguard.core.errors import BrokerDenied, BrokerForgot, RecordRefused, StreamguardError
from streamguard.core.events import EventType
from streamguard.core.ports import Clock
from streamguard.core.record import Position, Record, message_of, reduced

WINDOW = 500
"""Records that are sent and acknowledged together: a replay is a tenth faster than by 200, and a P0
flag waits for one window at most, 75 ms."""

POLL_S = 0.5
"""How often to look for what other processes appended; what this one appends wakes at once."""

PROBE_S = 5.0
"""How often to ask for the topic while there is nothing to send."""

SAY_AGAIN_S = 60.0
"""Between two log lines about the same trouble."""

NO_BOUND = 2**63 - 1
"""Larger than every offset."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Window:
    """Records that are sent together.

    is_ahead: others that came before them wait.
    is_again: some of them may have been sent before.
    """

    records: Sequence[Record]
    is_ahead: bool = False
    is_again: bool = False


class Delivery:
    """One topic on its way; everything but `problem` belongs to one event loop."""

    def __init__(
        self,
        topic: str,
        outbox: Outbox,
        broker: Broker,
        clock: Clock,
        meter: DeliveryMeter,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Connect to nothing yet; `chance` gives even draws from [0, 1), to spread retries."""
        self._topic = topic
        self._outbox = outbox
        self._broker = broker
        self._clock = clock
        self._meter = meter
        self._chance = chance
        self._news = asyncio.Event()
        self._place = Position()
        self._late_to = 1  # records before this offset are late: older than the connection
        self._is_behind = False  # more waits than one window holds
        self._late_urgent = 1  # P0 flags from this offset on that are late are acknowledged
        self._lost_to = 1  # records before this offset were acknowledged, and the broker lost them
        self._lost_ahead: Mapping[str, int] = {}  # and farther on, by key
        self._spoke_s = float("-inf")
        self._said_s = float("-inf")
        self._said = ""
        self._n_failures = 0
        self.problem: str | None = "connecting"
        """What is wrong, in a few words; None when all is well."""

    def wake(self) -> None:
        """Look at the log at once."""
        self._news.set()

    async def keep(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; then what is left, unless the broker is away."""
        try:
            while True:
                is_last = stop.is_set()
                [error] = await asyncio.gather(self._run(stop), return_exceptions=True)
                if error is None:
                    return
                self._note(error)
                await self._broker.close()
                if is_last:
                    return
                await self._pause(stop)
        finally:
            await self._broker.close()

    async def _run(self, stop: asyncio.Event) -> None:
        """Deliver with one connection, until all is sent and `stop` is set; raise what happens."""
        is_missing = await self._broker.open()
        self._place = await asyncio.to_thread(self._outbox.position, self._topic)
        self._late_to = await asyncio.to_thread(self._outbox.end_offset, self._topic)
        self._is_behind, self._late_urgent = False, self._late_to
        self._spoke_s = float("-inf")
        if is_missing:
            await self._begin_anew()  # first: who goes on after a crash in between finds a topic
            await self._broker.make_topic()
            log.info("topic_made", topic=self._topic)
        while True:
            window = await asyncio.to_thread(self._next_window)
            if window.records:
                await self._deliver(window)
            elif stop.is_set():
                return
            else:
                await self._idle()

    def _next_window(self) -> Window:
        """Choose what goes next; while much waits, new P0 flags first, then late ones."""
        if self._is_behind:
            urgent = self._urgent()
            if urgent is not None:
                return Window(urgent, is_ahead=True)
        records = self._outbox.read(self._topic, self._place.next_offset, WINDOW)
        was_behind, self._is_behind = self._is_behind, len(records) == WINDOW
        return self._next_window() if self._is_behind and not was_behind else Window(records)

    def _urgent(self) -> Sequence[Record] | None:
        """Give the P0 flags that came over this connection, else late ones; the newest first."""
        late = range(1, self._late_urgent)
        for among in (range(self._late_to, NO_BOUND), late):
            found = self._outbox.urgent(self._topic, self._place, among, WINDOW)
            if found is not None and among is late:
                self._late_urgent = found.last + 1  # spares looking again at those after it
            if found is not None:
                return found.records
        self._late_urgent = 1
        return None

    async def _deliver(self, window: Window) -> None:
        messages = [
            message_of(record, is_replayed=window.is_again or record.offset < self._late_to)
            for record in window.records
        ]
        try:
            appended = await self._broker.send(messages)
        except RecordRefused as error:
            problem = str(error)
        else:
            await self._acknowledge(window, appended)
            return
        if len(window.records) == 1:
            await self._bury(window, problem)
            return
        for record in window.records:  # find out which one is refused
            await self._deliver(replace(window, records=[record], is_again=True))

    async def _bury(self, window: Window, problem: str) -> None:
        [record] = window.records
        await asyncio.to_thread(self._outbox.bury, record, problem, self._clock.wall())
        appended: Mapping[int, int] = {}
        outcome = Outcome.DEAD
        for rest in reduced(record):
            with suppress(RecordRefused):
                appended = await self._broker.send([message_of(rest, "refused", is_replayed=True)])
                outcome = Outcome.REDUCED
                break
        log.error(
            "record_refused",
            event_id=record.id,
            type=record.type,
            problem=problem,
            size_bytes=len(record.body),
            is_reduced_sent=outcome is Outcome.REDUCED,
        )
        await self._acknowledge(window, appended, outcome)

    async def _acknowledge(
        self,
        window: Window,
        appended: Mapping[int, int],
        outcome: Outcome = Outcome.ACKNOWLEDGED,
    ) -> None:
        """Take note of what was taken, unless the broker has lost what it had before."""
        if self._place.is_forgotten(appended):
            await self._begin_anew()
            raise BrokerForgot(f"Kafka has lost records of {self._topic}")
        now_s = self._clock.wall()
        place, records = self._place, window.records
        self._place = (
            place.beyond(appended) if window.is_ahead else place.after(records[-1], appended)
        )
        await asyncio.to_thread(self._outbox.acknowledge, self._topic, self._place, records)
        for record in records:
            lost_to = max(self._lost_to, self._lost_ahead.get(record.key, 0))
            is_fresh = record.offset >= lost_to
            self._meter.sent(outcome if is_fresh else Outcome.REDELIVERED)
            is_flag = record.type == EventType.FLAG_OPENED and not record.is_rescreened
            if is_fresh and is_flag:
                self._meter.flag_acknowledged(now_s - record.time_s)
        self._well()

    async def _begin_anew(self) -> None:
        """Send again all that the log still holds; ids make that harmless."""
        if self._place == Position():
            return
        self._lost_to = max(self._lost_to, self._place.next_offset)
        self._place = Position()
        self._lost_ahead = await asyncio.to_thread(self._outbox.begin_anew, self._topic)
        n_records = await asyncio.to_thread(self._outbox.backlog, self._topic)
        log.error("topic_forgotten", topic=self._topic, n_sent_again=n_records)

    async def _idle(self) -> None:
        if self._clock.monotonic() - self._spoke_s >= PROBE_S:
            await self._broker.probe()
            self._well()
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._news.wait()
        self._news.clear()

    async def _pause(self, stop: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s(self._n_failures, self._chance())):
                await stop.wait()

    def _well(self) -> None:
        had_problem = self.problem is not None
        self._spoke_s, self.problem = self._clock.monotonic(), None
        self._n_failures, self._said = 0, ""
        if had_problem:
            log.info("delivery_runs", topic=self._topic)

    def _note(self, error: BaseException) -> None:
        """Take note of a try that failed; say so once, and again now and then."""
        reason = error.reason if isinstance(error, StreamguardError) else StreamguardError.reason
        self._n_failures += 1
        self._meter.failed(reason)
        self.problem = str(error) if isinstance(error, StreamguardError) else "a bug: see the log"
        now_s = self._clock.monotonic()
        if reason == self._said and now_s - self._said_s < SAY_AGAIN_S:
            return
        self._said, self._said_s = reason, now_s
        if not isinstance(error, StreamguardError):
            log.error("delivery_failed", topic=self._topic, exc_info=error)
            return
        say = log.error if isinstance(error, BrokerDenied) else log.warning
        say("delivery_stalled", topic=self._topic, reason=reason, problem=str(error))
