"""Publishes the log to the broker, on a thread and an event loop of its own.

Rule: screening never waits for the broker, nor the broker's client for screening. At a stop what
can be sent in time is sent; the rest is in the log, is counted, and goes out at the next start.
"""

import asyncio
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from streamguard.core.delivery_ports import Broker, DeliveryMeter, Outbox
from streamguard.core.errors import LogUnavailable
from streamguard.core.ports import Clock
from streamguard.runtime.delivery import Delivery

CLOSE_S = 10.0
"""For disconnecting, beyond the time to send what is left."""

TURN_S = 0.0002
"""How long one thread of the process keeps the others waiting. A commit takes its turn anew after
each of its statements: with the usual 5 ms it takes 4 to 7 ms (p99, a disk in memory) in a replay,
with this 2.8, and sending is as fast (measured)."""

log = structlog.get_logger()


class Publisher:
    """All topics on their way; any thread may call its methods once it has started."""

    def __init__(
        self, outbox: Outbox, brokers: Mapping[str, Broker], clock: Clock, meter: DeliveryMeter
    ) -> None:
        """Take a broker for each topic; nothing is connected before `start`."""
        self._outbox = outbox
        self._deliveries = {
            topic: Delivery(topic, outbox, broker, clock, meter)
            for topic, broker in brokers.items()
        }
        self._stop = asyncio.Event()
        self._stop_timeout_s = 0.0
        self._turn_before_s = sys.getswitchinterval()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_started = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin; returns before any broker has answered."""
        self._turn_before_s = sys.getswitchinterval()
        sys.setswitchinterval(TURN_S)
        self._thread.start()
        self._has_started.wait()

    def wake(self) -> None:
        """Say that something was appended to the log."""
        self._call(self._wake_all)

    def problem(self) -> str | None:
        """Say what is wrong with delivery, if anything."""
        if not self._thread.is_alive():
            return "the publisher is not running"
        problems = (delivery.problem for delivery in self._deliveries.values())
        return next((problem for problem in problems if problem is not None), None)

    def backlog(self) -> float:
        """Count the records that are not acknowledged; not a number where the log is unreadable."""
        try:
            return sum(self._outbox.backlog(topic) for topic in self._deliveries)
        except LogUnavailable:
            return float("nan")

    def stop(self, timeout_s: float) -> None:
        """Send what is left for so many seconds, then disconnect; waits for the end of that."""
        self._stop_timeout_s = timeout_s
        self._call(self._stop.set)
        self.wake()
        self._thread.join(timeout_s + CLOSE_S)
        sys.setswitchinterval(self._turn_before_s)
        n_left = self.backlog()
        say = log.warning if n_left else log.info
        say("publisher_stopped", n_left=n_left)

    def _call(self, what: Callable[[], None]) -> None:
        assert self._loop is not None, "start it first"  # noqa: S101  # a bug of ours
        with suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(what)

    def _publish(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._has_started.set()
            runner.run(self._deliver_all())

    async def _deliver_all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            keeping = [
                tasks.create_task(delivery.keep(self._stop))
                for delivery in self._deliveries.values()
            ]
            await self._stop.wait()
            _, late = await asyncio.wait(keeping, timeout=self._stop_timeout_s)
            for task in late:
                task.cancel()

    def _wake_all(self) -> None:
        for delivery in self._deliveries.values():
            delivery.wake()
