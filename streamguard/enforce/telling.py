"""Puts on record what became of actions.

Rule: an action is over only once its end is in the event log; while the log takes nothing it is
told again and again.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from streamguard.core.action_data import (
    ActionData,
    ActionFailedData,
    ActionRequestedData,
    ActionVerifiedData,
)
from streamguard.core.action_events import action_event
from streamguard.core.errors import LogUnavailable
from streamguard.core.event_data import utc_text
from streamguard.core.events import Event
from streamguard.core.orders import Order
from streamguard.core.ports import Clock
from streamguard.enforce.acting import Done, Failed

AGAIN_S = 0.5
"""Between two tries to write to a log that takes nothing."""

log = structlog.get_logger()


class Appends(Protocol):
    """The event log, as far as it is written here."""

    def append(self, events: Sequence[Event]) -> None:
        """Commit events durably; an id seen before is ignored."""
        ...


class Telling:
    """The events of one enforcer."""

    def __init__(self, source: str, event_log: Appends, clock: Clock) -> None:
        """source: `/streamguard/<deployment>`."""
        self._source = source
        self._log = event_log
        self._clock = clock

    def requested(self, order: Order) -> Event:
        """Say that an action was taken up."""
        return self._event(
            ActionRequestedData(
                stream=order.stream,
                action=order.ref,
                decided_time=utc_text(order.decided_s),
                requested_time=utc_text(order.taken_s),
                expires_time=utc_text(order.expires_s),
                until_time=None if order.until_s is None else utc_text(order.until_s),
            )
        )

    def ended(
        self, order: Order, outcome: Done | Failed, n_tries: int, server: str | None
    ) -> Event:
        """Say how an action ended."""
        if isinstance(outcome, Failed):
            return self._event(
                ActionFailedData(
                    stream=order.stream,
                    action=order.ref,
                    reason=outcome.reason,
                    server=server,
                    decided_time=utc_text(order.decided_s),
                    requested_time=utc_text(order.taken_s),
                    failed_time=utc_text(self._clock.wall()),
                    n_attempts=n_tries,
                    is_broken=outcome.is_broken,
                )
            )
        until_s = outcome.denied_until_s
        return self._event(
            ActionVerifiedData(
                stream=order.stream,
                action=order.ref,
                method=outcome.method,
                window_ms=outcome.window_ms,
                decided_time=utc_text(order.decided_s),
                requested_time=utc_text(order.taken_s),
                accepted_time=utc_text(outcome.accepted_s),
                effective_time=utc_text(outcome.effective_s),
                verified_time=utc_text(outcome.verified_s),
                n_attempts=max(1, n_tries),
                denied_until=None if until_s is None else utc_text(until_s),
            )
        )

    async def tell(self, events: Sequence[Event]) -> None:
        """Commit events; return once they are on disk."""
        is_told = False
        while True:
            try:
                await asyncio.to_thread(self._log.append, events)
            except LogUnavailable as error:
                if not is_told:
                    log.warning("action_not_told", problem=str(error))
                is_told = True
                await asyncio.sleep(AGAIN_S)
            else:
                return

    def _event(self, data: ActionData) -> Event:
        return action_event(self._source, data, recorded_s=self._clock.wall())
