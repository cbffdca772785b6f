"""A log on a disk that fails to sync: the kernel says so once, and takes all for written after."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from loadtest.made_events import opened
from streamguard.adapters.sqlite_file import CHECKPOINT_PAGES, LogFile
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import Topic
from streamguard.core.record import Position
from tests.failing_disk import FailingDisk, failing_disk


@pytest.fixture
def disk() -> Iterator[FailingDisk]:
    with failing_disk() as failing:
        yield failing


def flags_of(path: Path) -> int:
    with SqliteLog(path, "write") as log:  # this layer takes no locks of who only reads
        return len(log.read(1))


def without_its_wal(path: Path) -> Path:
    """Copy the file of a log alone: what there is of it where its -wal file cannot be read."""
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    return copy


def test_what_a_log_holds_reaches_its_file_before_anything_follows_a_failed_sync(
    tmp_path: Path, disk: FailingDisk
) -> None:
    path = tmp_path / "log.db"
    with SqliteLog(path) as log:
        log.append([opened(1)])
        outbox = SqliteOutbox(path)
        outbox.acknowledge(Topic.FLAGS, Position(2), outbox.read(Topic.FLAGS, 1, 9))
        disk.n_good = 0
        with pytest.raises(LogUnavailable):
            log.append([opened(2)])
        disk.n_good, n_opened = None, disk.n_opened

        log.append([opened(2)])
        copy = without_its_wal(path)

        assert flags_of(path) == 2
        assert disk.n_opened > n_opened  # not the descriptor that failed
        outbox.close()
    assert flags_of(copy) == 1
    kept = SqliteOutbox(copy)
    assert kept.position(Topic.FLAGS) == Position(2)
    kept.close()


def test_nothing_is_committed_while_syncs_fail(tmp_path: Path, disk: FailingDisk) -> None:
    """Each of the syncs that making good takes fails once; then it works."""
    path = tmp_path / "log.db"
    n_refused = 0
    with SqliteLog(path) as log:
        log.append([opened(1)])
        disk.n_good = 0
        with pytest.raises(LogUnavailable):
            log.append([opened(2)])
        while n_refused < 9:
            disk.n_good = n_refused
            try:
                log.append([opened(3)])
            except LogUnavailable:
                n_refused += 1
                disk.n_good = None
                assert flags_of(path) == 1
            else:
                break
        disk.n_good = None

        assert 1 < n_refused < 9
        assert flags_of(path) == 2


def test_a_checkpoint_waits_for_enough_and_tells_of_a_failed_sync(
    tmp_path: Path, disk: FailingDisk
) -> None:
    path = tmp_path / "log.db"
    file = LogFile(path, make=True)
    with SqliteLog(path) as log:
        log.append([opened(1)])
        file.checkpoint()
        before = flags_of_file(path)
        fill(log, lambda: path.with_name("log.db-wal").stat().st_size > CHECKPOINT_PAGES * 4200)
        disk.n_good = 0
        with pytest.raises(LogUnavailable):
            file.checkpoint()
        disk.n_good = None

        file.checkpoint()
        n_flags = len(log.read(1, limit=100_000))

        assert before == 0
        assert flags_of_file(path) == n_flags
    file.close()


def flags_of_file(path: Path) -> int:
    copy = without_its_wal(path)
    connection = apsw.Connection(str(copy))
    n_flags: int = connection.execute("SELECT count(*) FROM events").get
    connection.close()
    copy.unlink()
    return n_flags


def fill(log: SqliteLog, is_enough: Callable[[], bool]) -> None:
    number = 2
    while not is_enough():
        log.append([opened(number + more) for more in range(50)])
        number += 50
