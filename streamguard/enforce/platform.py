"""Has the platform's own software act, by a signed webhook.

It does what no server of ours can: recordings, clips, streams of servers that take no orders.

Rule: what it is sent is the event that requests the action; that it answers is all we know.
"""

from collections.abc import Awaitable, Callable

from streamguard.core.events import Event
from streamguard.core.ports import Clock
from streamguard.core.record import Record, row_of
from streamguard.core.webhook import Answer
from streamguard.enforce.acting import Done, Failed

Send = Callable[[Record], Awaitable[Answer]]
"""Makes one try; raises nothing."""


class Platform:
    """One webhook."""

    def __init__(self, send: Send, clock: Clock) -> None:
        self._send = send
        self._clock = clock

    async def attempt(self, requested: Event) -> Done | Failed | None:
        """Ask once; None where it is worth another try."""
        row = row_of(requested)
        record = Record(0, row.topic, row.key, row.id, row.type, row.recorded_s, row.body)
        answer = await self._send(record)
        now_s = self._clock.wall()
        if answer.meaning == "done":
            return Done("answer", now_s, now_s, now_s)
        return Failed("refused") if answer.meaning == "refused" else None
