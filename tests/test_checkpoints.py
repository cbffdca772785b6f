from pathlib import Path

import pytest
from structlog.testing import capture_logs

from loadtest.made_events import opened
from streamguard.adapters.sqlite_file import CHECKPOINT_PAGES, LATE_CHECKPOINT_PAGES
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.errors import ConfigError
from streamguard.upkeep.checkpoints import checkpointing
from tests.failing_disk import failing_disk
from tests.processes import until

PAGE_BYTES = 4096


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def fill(log: SqliteLog, path: Path, n_pages: int) -> None:
    """Append until the write-ahead log has so many pages."""
    number = 0
    while path.with_name("log.db-wal").stat().st_size < n_pages * PAGE_BYTES * 1.01:
        log.append([opened(number + more) for more in range(50)])
        number += 50


def test_no_commit_brings_the_write_ahead_log_into_the_file_but_this_does(file: Path) -> None:
    with SqliteLog(file) as log:
        log.append([opened(-1)])
        n_bytes = file.stat().st_size
        fill(log, file, CHECKPOINT_PAGES)
        assert file.stat().st_size == n_bytes

        with checkpointing(file):
            until(lambda: file.stat().st_size > n_bytes)


def test_a_commit_does_it_where_nobody_else_does(file: Path) -> None:
    with SqliteLog(file) as log:
        log.append([opened(-1)])
        n_bytes = file.stat().st_size

        fill(log, file, LATE_CHECKPOINT_PAGES)

        assert file.stat().st_size > n_bytes


def test_it_goes_on_after_trouble_and_tells_of_it_once(file: Path) -> None:
    with failing_disk() as disk, SqliteLog(file) as log:
        log.append([opened(-1)])
        n_bytes = file.stat().st_size
        fill(log, file, CHECKPOINT_PAGES)
        with capture_logs() as said, checkpointing(file):
            disk.n_good = 0
            until(lambda: disk.n_good is not None and disk.n_good < -2)
            disk.n_good = None
            until(lambda: file.stat().st_size > n_bytes)

    assert [line["event"] for line in said] == ["checkpoint_failed"]


def test_there_has_to_be_a_log(file: Path) -> None:
    with pytest.raises(ConfigError, match="no event log"), checkpointing(file):
        pass
