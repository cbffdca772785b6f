"""The roles that the world plays in forwarding: the log as a consumer group knows it, the counters.

Rule: as in `ports`: nothing more than forwarding needs.
"""

from typing import Protocol

from streamguard.core.record import Record
from streamguard.core.webhook import Meaning


class ConsumedLog(Protocol):
    """The log, as a consumer group knows it; each method may raise LogUnavailable."""

    def read(self, offset: int, topic: str | None = None, limit: int = 1_000) -> list[Record]:
        """Give records from an offset on."""
        ...

    def end_offset(self) -> int:
        """Give the offset that the next record will have at the least."""
        ...

    def commit(self, group: str, offset: int, now_s: float) -> None:
        """Note what the group reads next."""
        ...

    def put_aside(self, group: str, record: Record, problem: str, now_s: float) -> None:
        """Keep what the group's receiver will not take, and why."""
        ...

    def why_aside(self, group: str, offset: int) -> str | None:
        """Say why a record stands aside; None where it does not."""
        ...


class ForwardMeter(Protocol):
    """Counts what becomes of events."""

    def forwarded(self, meaning: Meaning, late_s: float) -> None:
        """Count a try, and how long after its event was made it was."""
        ...

    def put_aside(self) -> None:
        """Count an event that is tried no more."""
        ...
