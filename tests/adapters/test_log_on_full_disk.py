"""The log as an outbox on a disk that ends at any page of any of its writes."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from loadtest.made_events import opened
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.delivery_ports import Tally
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import Topic
from streamguard.core.record import Position
from tests.small_disk import SmallDisk, small_disk_at

OLD_S, NOW_S = 1_000.0, 1_000_000.0
N_BEFORE, N_MORE, N_ACKNOWLEDGED, N_PRUNED = 100, 30, 90, 60
BEFORE = [opened(number, f"s-{number % 5}", time_s=OLD_S) for number in range(N_BEFORE)]
MORE = [opened(number, f"s-{number % 5}") for number in range(N_BEFORE, N_BEFORE + N_MORE)]


class Outbox:
    """A log with flags, some of which are acknowledged."""

    def __init__(self, path: Path) -> None:
        self.log = SqliteLog(path)
        self.log.append(BEFORE)
        self.outbox = SqliteOutbox(path)
        self.records = self.outbox.read(Topic.FLAGS, 1, N_BEFORE)
        self._acknowledge(N_PRUNED)

    @property
    def tally(self) -> Tally:
        return self.outbox.tally(Topic.FLAGS)

    def append(self) -> None:
        self.log.append(MORE)

    def acknowledge(self) -> None:
        self._acknowledge(N_ACKNOWLEDGED)

    def bury(self) -> None:
        self.outbox.bury(self.records[N_PRUNED], "too large " * 1_000, NOW_S)

    def prune(self) -> None:
        self.log.prune(NOW_S, {Topic.FLAGS: 10.0}, has_broker=True)

    def begin_anew(self) -> None:
        self.outbox.begin_anew(Topic.FLAGS)

    def _acknowledge(self, n_records: int) -> None:
        done = self.tally.acknowledged
        position = Position(self.records[n_records - 1].offset + 1)
        self.outbox.acknowledge(Topic.FLAGS, position, self.records[done:n_records])

    def close(self) -> None:
        self.outbox.close()
        self.log.close()


START = Tally(N_BEFORE, N_PRUNED, N_BEFORE - N_PRUNED, 0)
N_LEFT = N_BEFORE - N_PRUNED
N_SENT = N_ACKNOWLEDGED - N_PRUNED
STEPS: dict[str, tuple[Callable[[Outbox], None], Tally, int]] = {
    "append": (Outbox.append, Tally(N_BEFORE + N_MORE, N_PRUNED, N_LEFT + N_MORE, 0), N_MORE),
    "acknowledge": (Outbox.acknowledge, Tally(N_BEFORE, N_ACKNOWLEDGED, N_LEFT - N_SENT, 0), 0),
    "bury": (Outbox.bury, Tally(N_BEFORE, N_PRUNED, N_LEFT - 1, 1), 0),
    "begin_anew": (Outbox.begin_anew, Tally(N_BEFORE, 0, N_BEFORE, 0), 0),
    "prune": (Outbox.prune, START, -N_PRUNED),
}
"""What each step makes of the account, and how many records come or go."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk_at(tmp_path / "disk", 16 << 20) as mounted:
        yield mounted


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_done_whole_or_not_at_all_wherever_the_disk_ends(
    disk: SmallDisk, name: str
) -> None:
    """From no room at all, a page more each time, to where there is room for all of it."""
    step, after, n_added = STEPS[name]
    n_refused = 0
    for n_pages in count():
        made = Outbox(disk.path / f"{n_pages}.db")
        disk.fill(n_pages)
        try:
            step(made)
        except LogUnavailable:
            n_refused += 1
        else:
            break
        assert (made.tally, len(made.log.read(1))) == (START, N_BEFORE)
        disk.free()

        step(made)
        assert (made.tally, len(made.log.read(1))) == (after, N_BEFORE + n_added)
        made.close()
        (disk.path / f"{n_pages}.db").unlink()

    assert (made.tally, len(made.log.read(1))) == (after, N_BEFORE + n_added)
    assert n_refused > 0
    made.close()
