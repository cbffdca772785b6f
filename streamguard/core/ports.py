"""The roles that the world plays for the core: what an adapter must do, and nothing more.

Rule: a Protocol here has one real adapter at least; every implementation, fakes included, passes
the same contract tests.
"""

from collections.abc import Sequence
from typing import Protocol

from streamguard.core.events import Event


class Clock(Protocol):
    """Where time comes from; tests turn its hands."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; the same for all processes of this host."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 UTC, for the wire only."""
        ...


class EventLog(Protocol):
    """The durable, ordered record of events; a flag exists when it is in here."""

    def append(self, events: Sequence[Event]) -> None:
        """Commit events durably and in order, all or none; an id seen before is ignored.

        Raises:
            LogUnavailable: nothing of this batch was committed; what was there before stands.
        """
        ...
