"""Knows the cases of the streams that rules are about, without reading the log from its beginning.

Rule: each event of a stream is read once; of streams that nobody asked for lately nothing is kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

from streamguard.adapters.told import event_of
from streamguard.core.cases import Case
from streamguard.core.holding import Cases
from streamguard.core.record import Record

MAX_STREAMS = 256
"""Streams whose cases are kept, some ten kilobytes each (our choice)."""

ToldOf = Callable[[str, int], Sequence[Record]]
"""Gives the flags and decisions of a stream from an offset on; may raise LogUnavailable."""


class KnownCases:
    """They, as the log has them; threads take turns."""

    def __init__(self, told_of: ToldOf) -> None:
        self._told_of = told_of
        self._turn = Lock()
        self._by_stream: OrderedDict[str, tuple[int, Cases]] = OrderedDict()

    def of_flag(self, stream_id: str, flag_id: str) -> Case | None:
        """Give the case that a flag of a stream belongs to; may raise LogUnavailable."""
        with self._turn:
            return self._now(stream_id).of_flag(flag_id)

    def of_id(self, stream_id: str, case_id: str) -> Case | None:
        """Give a case of a stream; None where the log has it no more. May raise LogUnavailable."""
        with self._turn:
            return self._now(stream_id).by_id.get(case_id)

    def _now(self, stream_id: str) -> Cases:
        """Read on to the end of the log."""
        offset, cases = self._by_stream.pop(stream_id, (0, Cases()))
        records = self._told_of(stream_id, offset)
        for event in map(event_of, records):
            if event is not None:
                cases.add(event)
        if records:
            offset = records[-1].offset + 1
        self._by_stream[stream_id] = offset, cases
        if len(self._by_stream) > MAX_STREAMS:
            self._by_stream.popitem(last=False)
        return cases
