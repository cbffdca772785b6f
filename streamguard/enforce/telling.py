"""Puts on record what became of actions.

Rule: an action is over only once its end is in the event log; while the log takes nothing it is
told again and again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Tried:
    """How an action was tried: how often, on which server, and who came back meanwhile.

    server:     its configured name; None where there is none.
    n_returned: publishers that came in again; None where nobody looked.
    """

    n_tries: int
    server: str | None = None
    n_returned: int | None = None


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
                until_time=_instant(order.until_s),
                flagged_time=_instant(order.flagged_s),
            )
        )

    def ended(self, order: Order, outcome: Done | Failed, tried: Tried) -> Event:
        """Say how an action ended."""
        if isinstance(outcome, Failed):
            return self._event(
                ActionFailedData(
                    stream=order.stream,
                    action=order.ref,
                    reason=outcome.reason,
                    server=tried.server,
                    decided_time=utc_text(order.decided_s),
                    requested_time=utc_text(order.taken_s),
                    failed_time=utc_text(self._clock.wall()),
                    n_attempts=tried.n_tries,
                    flagged_time=_instant(order.flagged_s),
                    n_returned=tried.n_returned,
                    is_broken=outcome.is_broken,
                )
            )
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
                n_attempts=max(1, tried.n_tries),
                denied_until=_instant(outcome.denied_until_s),
                flagged_time=_instant(order.flagged_s),
                n_returned=tried.n_returned,
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


def _instant(at_s: float | None) -> str | None:
    return None if at_s is None else utc_text(at_s)
