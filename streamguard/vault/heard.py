"""Keeps evidence of those flags alone that its worker opened and that somebody will hear of.

Rule: a worker opens what strangers send: it is believed about its own flags, and about nothing
else. Of a flag that was let go nothing is kept; its pictures would be there for nobody.
"""

import threading
from collections.abc import Callable, Sequence

import msgspec

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.events import EventType
from streamguard.core.kept import Kept, Part, Piece, Subject
from streamguard.core.manifest import Id
from streamguard.core.record import Row
from streamguard.vault.channel import ClosingKeeper

OPENED_S = 2.0
"""A flag leaves its worker before its evidence, by another socket; it is waited for as long, a
hundred times what a commit takes."""


class _Stream(msgspec.Struct, frozen=True):
    stream_id: str
    session_id: str


class _Flag(msgspec.Struct, frozen=True):
    flag_id: Id
    stream: _Stream


class _Event(msgspec.Struct, frozen=True):
    """What counts here of what a worker says of a flag."""

    data: _Flag


class OfHeard:
    """A keeper before another one, for one worker; its methods may be called in any thread."""

    def __init__(
        self,
        keeper: ClosingKeeper,
        is_heard_of: Callable[[str], bool],
        is_log_well: Callable[[], bool],
    ) -> None:
        """Know no flag yet.

        is_heard_of: is asked once of each flag, by its id, and may wait for the answer.
        is_log_well: while the log takes nothing a worker is not heard, and its newest flags are not
            known: evidence is then kept beforehand, for the flag is in the worker's hands still.
        """
        self._keeper = keeper
        self._is_heard_of = is_heard_of
        self._is_log_well = is_log_well
        self._open: dict[str, Subject] = {}
        self._heard: set[str] = set()
        self._came = threading.Condition()

    def hear(self, rows: Sequence[Row]) -> None:
        """Take note of the flags that the worker opens and closes; `closed` is the last of each.

        Raises:
            msgspec.MsgspecError: it talks nonsense.
        """
        told = [
            (row.type, msgspec.json.decode(row.body, type=_Event).data)
            for row in rows
            if row.type in (EventType.FLAG_OPENED, EventType.FLAG_CLOSED)
        ]
        with self._came:
            for kind, flag in told:
                stream, flag_id = flag.stream, flag.flag_id
                if kind == EventType.FLAG_OPENED:
                    self._open[flag_id] = Subject(flag_id, stream.stream_id, stream.session_id)
                else:
                    self._open.pop(flag_id, None)
                    self._heard.discard(flag_id)
            self._came.notify_all()

    def collect(self, subject: Subject, parts: Sequence[Part]) -> Kept:
        """Keep parts of an evidence.

        Raises:
            EvidenceUnavailable: it is of no flag of this worker, its flag was let go, or they
                cannot be stored.
        """
        self._require_heard(subject)
        return self._keeper.collect(subject, parts)

    def grow(self, subject: Subject, piece: Piece) -> Kept | None:
        """Let a clip grow.

        Raises:
            EvidenceUnavailable: as above.
        """
        self._require_heard(subject)
        return self._keeper.grow(subject, piece)

    def close(self) -> None:
        """Keep what there is: nothing more will come."""
        self._keeper.close()

    def _require_heard(self, subject: Subject) -> None:
        flag_id = subject.evidence_id
        with self._came:
            self._came.wait_for(lambda: flag_id in self._open or not self._is_log_well(), OPENED_S)
            opened, is_heard = self._open.get(flag_id), flag_id in self._heard
        if opened != subject and not (opened is None and not self._is_log_well()):
            raise EvidenceUnavailable("this process has no such flag open")
        if is_heard:
            return
        if not self._is_heard_of(flag_id):
            raise EvidenceUnavailable("its flag was let go: the event log's disk is nearly full")
        with self._came:
            if flag_id in self._open:
                self._heard.add(flag_id)
