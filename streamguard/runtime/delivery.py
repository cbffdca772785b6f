"""Delivers one topic of the log to the broker, in order, as long as it takes.

Rule: what the log holds is sent until the broker has acknowledged it; only then does the topic's
place move on. A record that the broker will never take is kept aside, with its reason, and what can
be left out of it is, so that a human still sees it.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from streamguard.core.backoff import delay_s
from streamguard.core.delivery_ports import Broker, DeliveryMeter, Outbox, Outcome
from streamguard.core.errors import BrokerDenied, BrokerForgot, RecordRefused, StreamguardError
from streamguard.core.events import EventType
from streamguard.core.ports import Clock
from streamguard.core.record import Position, Record, message_of, reduced

WINDOW = 200
"""Records that are sent and acknowledged together."""

POLL_S = 0.5
"""How often to look for what other processes appended; what this one appends wakes at once."""

PROBE_S = 5.0
"""How often to ask for the topic while there is nothing to send."""

SAY_AGAIN_S = 60.0
"""Between two log lines about the same trouble."""

log = structlog.get_logger()


class Delivery:
    """One topic on its way; everything but `problem` belongs to one event loop."""

    def __init__(
        self, topic: str, outbox: Outbox, broker: Broker, clock: Clock, meter: DeliveryMeter
    ) -> None:
        self._topic = topic
        self._outbox = outbox
        self._broker = broker
        self._clock = clock
        self._meter = meter
        self._news = asyncio.Event()
        self._place = Position()
        self._delivered_to = 1  # first offset that was never acknowledged, whatever was lost since
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
        had_no_topic = await self._broker.open()
        self._place = await asyncio.to_thread(self._outbox.position, self._topic)
        self._delivered_to = max(self._delivered_to, self._place.next_offset)
        self._spoke_s = float("-inf")
        if had_no_topic:
            log.info("topic_made", topic=self._topic)
        if had_no_topic and self._place != Position():
            await self._begin_anew()
        while True:
            offset = self._place.next_offset
            records = await asyncio.to_thread(self._outbox.read, self._topic, offset, WINDOW)
            if records:
                await self._deliver(records)
            elif stop.is_set():
                return
            else:
                await self._idle()

    async def _deliver(self, records: Sequence[Record]) -> None:
        try:
            appended = await self._broker.send([message_of(record) for record in records])
        except RecordRefused as error:
            if len(records) == 1:
                await self._bury(records[0], str(error))
                return
        else:
            await self._acknowledge(records, appended)
            return
        for record in records:  # one of them is refused: find out which
            await self._deliver([record])

    async def _bury(self, record: Record, problem: str) -> None:
        await asyncio.to_thread(self._outbox.bury, record, problem, self._clock.wall())
        appended: Mapping[int, int] = {}
        rest, outcome = reduced(record), Outcome.DEAD
        if rest is not None:
            with suppress(RecordRefused):
                appended = await self._broker.send([message_of(rest, "refused")])
                outcome = Outcome.REDUCED
        log.error(
            "record_refused",
            event_id=record.id,
            type=record.type,
            problem=problem,
            size_bytes=len(record.body),
            is_reduced_sent=outcome is Outcome.REDUCED,
        )
        await self._acknowledge([record], appended, outcome)

    async def _acknowledge(
        self,
        records: Sequence[Record],
        appended: Mapping[int, int],
        outcome: Outcome = Outcome.ACKNOWLEDGED,
    ) -> None:
        """Move on past `records`, unless the broker has lost what it had before."""
        if self._place.is_forgotten(appended):
            await self._begin_anew()
            raise BrokerForgot(f"Kafka has lost records of {self._topic}")
        now_s = self._clock.wall()
        self._place = self._place.after(records[-1], appended)
        await asyncio.to_thread(self._outbox.acknowledge, self._topic, self._place)
        fresh = [record for record in records if record.offset >= self._delivered_to]
        for record in fresh:
            if record.type == EventType.FLAG_OPENED:
                self._meter.flag_acknowledged(now_s - record.time_s)
        self._meter.sent(outcome, len(fresh))
        self._meter.sent(Outcome.REDELIVERED, len(records) - len(fresh))
        self._delivered_to = max(self._delivered_to, self._place.next_offset)
        self._well()

    async def _begin_anew(self) -> None:
        """Send again all that the log still holds; ids make that harmless."""
        self._place = Position()
        await asyncio.to_thread(self._outbox.acknowledge, self._topic, self._place)
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
            async with asyncio.timeout(delay_s(self._n_failures, random.random())):  # noqa: S311  # spreads, hides nothing
                await stop.wait()

    def _well(self) -> None:
        self._spoke_s = self._clock.monotonic()
        if self.problem is not None:
            log.info("delivery_runs", topic=self._topic)
        self.problem = None
        self._n_failures = 0
        self._said = ""

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
