from collections.abc import Sequence

from streamguard.core.events import Topic
from streamguard.core.record import Record, row_of
from streamguard.enforce.known import MAX_STREAMS, KnownCases
from tests.core.test_events import flag
from tests.core.test_holding import told


class Told:
    """A log of flags; `asked` has the offsets from which it was read."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.asked: list[int] = []

    def add(self) -> str:
        """Tell of a flag; give its id."""
        data = flag()
        row = row_of(told(data))
        offset = len(self.records) + 1
        self.records.append(
            Record(offset, Topic.FLAGS, row.key, row.id, row.type, row.recorded_s, row.body)
        )
        return data.flag_id

    def of(self, stream_id: str, offset: int) -> Sequence[Record]:
        self.asked.append(offset)
        return [one for one in self.records if one.key == stream_id and one.offset >= offset]


def test_what_was_told_once_is_not_read_again() -> None:
    log = Told()
    flag_id = log.add()
    stream_id = log.records[0].key
    known = KnownCases(log.of)

    first = known.of_flag(stream_id, flag_id)
    again = known.of_flag(stream_id, flag_id)

    assert first is not None
    assert again == first == known.of_id(stream_id, first.case_id)
    assert log.asked == [0, 2, 2]


def test_what_is_told_later_is_known_as_well() -> None:
    log = Told()
    known = KnownCases(log.of)
    assert known.of_flag("edge-lobby", "none") is None

    flag_id = log.add()

    assert known.of_flag(log.records[0].key, flag_id) is not None


def test_streams_that_nobody_asked_for_lately_are_read_anew() -> None:
    log = Told()
    flag_id = log.add()
    stream_id = log.records[0].key
    known = KnownCases(log.of)
    known.of_flag(stream_id, flag_id)

    for number in range(MAX_STREAMS):
        known.of_flag(f"edge-{number}", "none")

    assert known.of_flag(stream_id, flag_id) is not None
    assert log.asked[-1] == 0
