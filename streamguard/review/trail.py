"""Writes what people do into the audit of the log, together with what they decide.

Rule: a deed and the event that it is about are committed together or not at all. Processes that
write at once are put into one order, by the places in the chain that only one of them can have.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from streamguard.core.audit import Deed, Head, chained, head_after
from streamguard.core.audit_data import AuditData
from streamguard.core.errors import LogUnavailable
from streamguard.core.event_data import utc_text
from streamguard.core.events import Event, Topic
from streamguard.core.reading import read_event
from streamguard.core.record import Record, Row
from streamguard.core.review_events import audit_event, audit_event_id, rival_id


class ClaimedLog(Protocol):
    """The log, as far as places in it are claimed."""

    def append_if_new(self, events: Sequence[Event | Row], rivals: Sequence[str] = ()) -> bool:
        """Commit events unless one of their ids, or of these, is there."""
        ...

    def last(self, topic: str) -> Record | None:
        """Give the newest record of a topic."""
        ...

    def event(self, event_id: str) -> Record | None:
        """Give a record by its event's id."""
        ...

    def read(self, offset: int, topic: str | None = None, limit: int = 1_000) -> list[Record]:
        """Give records from an offset on."""
        ...

    def search(
        self, topic: str, said: Mapping[str, str], before: int | None = None, limit: int = 500
    ) -> tuple[list[Record], int | None]:
        """Give the newest records that say certain things, and where to go on."""
        ...


class Trail:
    """The audit of one log; threads and processes may write at once."""

    def __init__(self, log: ClaimedLog, source: str, wall: Callable[[], float]) -> None:
        """source: `/streamguard/<deployment>`; wall: tells the time, seconds since 1970 UTC."""
        self._log = log
        self._source = source
        self._wall = wall

    def append(self, deeds: Sequence[Deed], events: Sequence[Event] = ()) -> list[AuditData]:
        """Commit events and what was done, in one; give the records of the deeds.

        Returns:
            The records; none where somebody else has the place of one of the events.
        """
        rivals = [rival for rival in map(rival_id, events) if rival is not None]
        while True:
            records = list(self._chained(deeds))
            made = [audit_event(self._source, record) for record in records]
            if self._log.append_if_new([*events, *made], rivals):
                return records
            if any(self._log.event(one) for one in (*(event.id for event in events), *rivals)):
                return []

    def note(self, deed: Deed) -> int:
        """Commit a deed; give its place in the chain, which nobody else has or will have."""
        [record] = self.append([deed])
        return record.seq

    def head(self) -> Head:
        """Give how far the chain has come."""
        last = self._log.last(Topic.AUDIT)
        return head_after(_audit_of(last)) if last else Head()

    def at(self, seq: int) -> AuditData | None:
        """Give the record that has a place in the chain; None where the log holds it no more."""
        found = self._log.event(str(audit_event_id(seq)))
        return _audit_of(found) if found else None

    def records(self) -> Iterator[AuditData]:
        """Give all records that the log holds, in order."""
        offset = 0
        while found := self._log.read(offset, Topic.AUDIT):
            yield from map(_audit_of, found)
            offset = found[-1].offset + 1

    def search(
        self, said: Mapping[str, str], before: int | None, limit: int
    ) -> tuple[list[AuditData], int | None]:
        """Give the newest records whose fields are as said, and the place to go on before."""
        by_path = {f"$.data.{name}": value for name, value in said.items()}
        found, further = self._log.search(Topic.AUDIT, by_path, before, limit)
        return [_audit_of(one) for one in found], further

    def _chained(self, deeds: Sequence[Deed]) -> Iterator[AuditData]:
        head = self.head()
        at = utc_text(self._wall())
        for deed in deeds:
            record = chained(deed, head, at)
            head = head_after(record)
            yield record


def _audit_of(record: Record) -> AuditData:
    event = read_event(record.body)
    if event is None or not isinstance(event.data, AuditData):
        raise LogUnavailable("the audit was written by a later version of streamguard")
    return event.data
