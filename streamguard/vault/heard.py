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
from streamguard.core.manifest import Count, Id, Instant, Role, StreamContext, Text
from streamguard.core.record import Row
from streamguard.vault.channel import ClosingKeeper

OPENED_S = 2.0
"""A flag leaves its worker before its evidence, by another socket; it is waited for as long, a
hundred times what a commit takes."""


MAX_SESSIONS = 4096
"""Of one worker, whose beginning is remembered: more than it has streams."""


class _Stream(msgspec.Struct, frozen=True):
    stream_id: str
    session_id: str
    epoch: Count
    protocol: Role
    publish: Text | None = None


class _Flag(msgspec.Struct, frozen=True):
    flag_id: Id
    stream: _Stream


class _Begun(msgspec.Struct, frozen=True):
    stream: _Stream
    start_time: Instant


class _OfFlag(msgspec.Struct, frozen=True):
    """What counts here of what a worker says of a flag."""

    data: _Flag


class _OfStream(msgspec.Struct, frozen=True):
    """What counts here of what it says of a timeline that begins."""

    data: _Begun


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
        self._began: dict[str, tuple[int, str]] = {}  # of each session the newest epoch, and when
        self._heard: set[str] = set()
        self._came = threading.Condition()

    def hear(self, rows: Sequence[Row]) -> None:
        """Take note of the flags that the worker opens and closes; `closed` is the last of each.

        And of the timelines that begin meanwhile: flags are of these.

        Raises:
            msgspec.MsgspecError: it talks nonsense.
        """
        with self._came:
            for row in rows:
                match row.type:
                    case EventType.STREAM_STARTED:
                        self._note(msgspec.json.decode(row.body, type=_OfStream).data)
                    case EventType.FLAG_OPENED:
                        flag = msgspec.json.decode(row.body, type=_OfFlag).data
                        self._open[flag.flag_id] = self._subject(flag)
                    case EventType.FLAG_CLOSED:
                        flag_id = msgspec.json.decode(row.body, type=_OfFlag).data.flag_id
                        self._open.pop(flag_id, None)
                        self._heard.discard(flag_id)
            self._came.notify_all()

    def collect(self, subject: Subject, parts: Sequence[Part]) -> Kept:
        """Keep parts of an evidence.

        Raises:
            EvidenceUnavailable: it is of no flag of this worker, its flag was let go, or they
                cannot be stored.
        """
        return self._keeper.collect(self._require_heard(subject), parts)

    def grow(self, subject: Subject, piece: Piece) -> Kept | None:
        """Let a clip grow.

        Raises:
            EvidenceUnavailable: as above.
        """
        return self._keeper.grow(self._require_heard(subject), piece)

    def close(self) -> None:
        """Keep what there is: nothing more will come."""
        self._keeper.close()

    def _note(self, begun: _Begun) -> None:
        """Remember when the newest timeline of a session began."""
        session_id = begun.stream.session_id
        self._began.pop(session_id, None)
        self._began[session_id] = (begun.stream.epoch, begun.start_time)
        if len(self._began) > MAX_SESSIONS:
            del self._began[next(iter(self._began))]

    def _subject(self, flag: _Flag) -> Subject:
        """Say what evidence of a flag is of."""
        stream = flag.stream
        epoch, at = self._began.get(stream.session_id, (-1, ""))
        began_at = at if epoch == stream.epoch else ""
        context = StreamContext(stream.protocol, stream.epoch, stream.publish or "", began_at)
        return Subject(flag.flag_id, stream.stream_id, stream.session_id, context)

    def _require_heard(self, subject: Subject) -> Subject:
        """Give the flag of a subject as it was heard of; raises as `collect`."""
        flag_id = subject.evidence_id
        with self._came:
            self._came.wait_for(lambda: flag_id in self._open or not self._is_log_well(), OPENED_S)
            opened, is_heard = self._open.get(flag_id), flag_id in self._heard
        if opened != subject and not (opened is None and not self._is_log_well()):
            raise EvidenceUnavailable("this process has no such flag open")
        known = opened or subject
        if is_heard:
            return known
        if not self._is_heard_of(flag_id):
            raise EvidenceUnavailable("its flag was let go: the event log's disk is nearly full")
        with self._came:
            if flag_id in self._open:
                self._heard.add(flag_id)
        return known
