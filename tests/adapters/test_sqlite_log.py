"""The event log, alone and between processes; run as a program, this file is such a process."""

import contextlib
import json
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.adapters.sqlite_log import PRUNE_BATCH, SILENT_GROUP_S, Access, SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.adapters.sqlite_schema import SCHEMA_VERSION
from streamguard.core.coverage_data import GapData
from streamguard.core.errors import ConfigError, LogUnavailable
from streamguard.core.event_data import (
    StreamRef,
)
from streamguard.core.events import Event, Topic, gap_event
from streamguard.core.record import Position
from streamguard.core.types import GapReason

COVERAGE, FLAGS = Topic.COVERAGE, Topic.FLAGS
ALL = 1_000_000
DAY_S = 86_400
MADE_S = 1_000_000.0
SIZE_LIMIT_BYTES = 300_000
BATCH = 3
STREAM = StreamRef(stream_id="lobby", session_id="s-1", epoch=0, protocol="rtmp")


def numbered(number: int, recorded_s: float = MADE_S) -> Event:
    """Make an event that is told from others by the start of its gap."""
    data = GapData(
        stream=STREAM,
        start_pts_ms=number,
        end_pts_ms=number,
        start_time="2026-01-02T03:04:05.000Z",
        end_time="2026-01-02T03:04:05.000Z",
        reason=GapReason.OVERLOAD,
    )
    return gap_event("/streamguard/test", data, recorded_s=recorded_s)


def number_of(body: str) -> int:
    number: int = json.loads(body)["data"]["start_pts_ms"]
    return number


def numbers(log: SqliteLog) -> list[int]:
    return [number_of(record.body) for record in log.read(1, limit=ALL)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "events.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    with SqliteLog(path) as opened:
        yield opened


def test_what_was_appended_is_read_in_order(log: SqliteLog) -> None:
    first, second = numbered(1), numbered(2, recorded_s=MADE_S + 0.25)

    log.append([first, second])

    one, two = log.read(1)
    assert (one.offset, two.offset) == (1, 2)
    assert (one.id, one.type, one.topic, one.key) == (first.id, first.type, COVERAGE, "lobby")
    assert (one.recorded_s, two.recorded_s) == (MADE_S, MADE_S + 0.25)
    assert one.body == first.to_json()
    assert two.body == second.to_json()


def test_an_empty_log_ends_where_it_begins(log: SqliteLog) -> None:
    log.append([])

    assert log.end_offset() == 1
    assert log.read(1) == []


def test_an_offset_is_the_next_one_to_read(log: SqliteLog) -> None:
    log.append([numbered(1), numbered(2), numbered(3)])

    assert [record.offset for record in log.read(2)] == [2, 3]
    assert [record.offset for record in log.read(1, limit=2)] == [1, 2]
    assert log.end_offset() == 4
    assert log.read(log.end_offset()) == []


def test_a_topic_is_read_without_the_others(log: SqliteLog) -> None:
    log.append([numbered(1)])

    assert len(log.read(1, COVERAGE)) == 1
    assert log.read(2, COVERAGE) == []
    assert log.read(1, FLAGS) == []


def test_an_id_seen_before_is_ignored_and_the_rest_of_the_batch_is_not(log: SqliteLog) -> None:
    log.append([numbered(1)])

    log.append([numbered(1, recorded_s=MADE_S + 9), numbered(2), numbered(2)])

    assert numbers(log) == [1, 2]
    assert log.read(1)[0].recorded_s == MADE_S


@given(
    batches=st.lists(st.lists(st.integers(0, 20), max_size=5), max_size=6), limit=st.integers(1, 7)
)
def test_a_log_read_in_pieces_holds_each_event_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]], limit: int
) -> None:
    with SqliteLog(tmp_path_factory.mktemp("log") / "events.db") as log:
        for batch in batches:
            log.append([numbered(number) for number in batch])

        found, offset = [], 1
        while records := log.read(offset, COVERAGE, limit):
            found += [number_of(record.body) for record in records]
            offset = records[-1].offset + 1

        assert found == list(dict.fromkeys(number for batch in batches for number in batch))


def test_the_log_outlives_its_connection(path: Path) -> None:
    with SqliteLog(path) as log:
        log.append([numbered(1)])

    with SqliteLog(path) as log:
        log.append([numbered(2)])
        assert numbers(log) == [1, 2]


def test_only_its_user_can_read_the_log(path: Path, log: SqliteLog) -> None:
    log.append([numbered(1)])

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert modes == {"events.db": 0o600, "events.db-wal": 0o600, "events.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_commit_is_on_the_disk_before_it_returns(log: SqliteLog) -> None:
    settings = "SELECT * FROM pragma_journal_mode, pragma_synchronous, pragma_busy_timeout"

    full = 2
    assert log._file.connection.execute(settings).fetchall() == [("wal", full, 5_000)]


def test_a_reader_follows_while_the_writer_writes(path: Path, log: SqliteLog) -> None:
    with SqliteLog.open_reader(path) as reader:
        assert numbers(reader) == []

        log.append([numbered(1)])

        assert numbers(reader) == [1]
        assert reader.end_offset() == 2


def test_a_reader_does_not_write(path: Path, log: SqliteLog) -> None:
    with SqliteLog.open_reader(path) as reader:
        with pytest.raises(LogUnavailable, match="may not write"):
            reader.append([numbered(1)])
        with pytest.raises(LogUnavailable, match="may not write"):
            reader.commit("console", 1, MADE_S)

    assert numbers(log) == []


@pytest.mark.parametrize("access", ["write", "read"])
def test_a_log_that_is_not_there_is_not_made_by_a_follower(path: Path, access: Access) -> None:
    with pytest.raises(ConfigError, match=r"no event log at .*events.db: start `streamguard run`"):
        SqliteLog(path, access)

    assert not path.parent.exists()


def test_a_follower_that_commits_finds_a_log_that_is_there(path: Path, log: SqliteLog) -> None:
    with SqliteLog(path, "write") as follower:
        follower.commit("console", 4, MADE_S)

    assert log.position("console") == 4


def test_a_group_goes_on_where_it_committed(log: SqliteLog) -> None:
    assert log.position("console") is None

    log.commit("console", 1, MADE_S)
    log.commit("kafka", 9, MADE_S)
    assert (log.position("console"), log.position("kafka")) == (1, 9)

    log.commit("console", 7, MADE_S)
    assert log.position("console") == 7

    log.commit("console", 3, MADE_S)
    assert log.position("console") == 3


def prune(log: SqliteLog, age_s: float, *, has_broker: bool = False) -> int:
    """Prune as it would be when the records are so old; a day is kept."""
    return log.prune(
        MADE_S + age_s, {COVERAGE: DAY_S, FLAGS: DAY_S}, has_broker=has_broker
    ).n_removed


def test_records_go_when_they_are_older_than_their_retention(log: SqliteLog) -> None:
    log.append([numbered(1), numbered(2, recorded_s=MADE_S + 1)])

    assert prune(log, DAY_S) == 0
    assert prune(log, DAY_S + 0.5) == 1
    assert numbers(log) == [2]


def test_each_topic_has_its_own_retention(log: SqliteLog) -> None:
    log.append([numbered(1)])

    assert log.prune(MADE_S + 9, {FLAGS: 1.0}, has_broker=False).n_removed == 0
    assert log.prune(MADE_S + 9, {FLAGS: 1.0, COVERAGE: 1.0}, has_broker=False).n_removed == 1


def test_a_record_stays_until_every_group_has_passed_it(log: SqliteLog) -> None:
    log.append([numbered(1), numbered(2), numbered(3)])
    log.commit("console", 3, MADE_S + 2 * DAY_S)
    log.commit("kafka", 2, MADE_S + 2 * DAY_S)

    assert prune(log, 2 * DAY_S) == 1
    assert numbers(log) == [2, 3]


def test_a_record_stays_until_the_broker_has_acknowledged_it(path: Path, log: SqliteLog) -> None:
    log.append([numbered(1), numbered(2), numbered(3)])

    assert prune(log, 2 * DAY_S, has_broker=True) == 0

    SqliteOutbox(path).acknowledge(COVERAGE, Position(3), [])
    assert prune(log, 2 * DAY_S, has_broker=True) == 2
    assert numbers(log) == [3]


def test_a_topic_that_the_broker_took_goes_whatever_it_has_not_taken_of_others(
    path: Path, log: SqliteLog
) -> None:
    log.append([numbered(1)])
    SqliteOutbox(path).acknowledge(COVERAGE, Position(2), [])

    assert prune(log, 2 * DAY_S, has_broker=True) == 1


def test_a_broker_that_is_silent_for_a_month_keeps_its_place(path: Path, log: SqliteLog) -> None:
    log.append([numbered(1), numbered(2)])
    SqliteOutbox(path).acknowledge(COVERAGE, Position(2), [])

    assert prune(log, 30 * DAY_S, has_broker=True) == 1
    assert numbers(log) == [2]


def test_without_a_broker_its_old_place_keeps_nothing(path: Path, log: SqliteLog) -> None:
    log.append([numbered(1)])
    SqliteOutbox(path).acknowledge(COVERAGE, Position(1), [])

    assert prune(log, 2 * DAY_S, has_broker=False) == 1


def test_a_group_that_is_silent_for_a_day_is_dropped_and_named(log: SqliteLog) -> None:
    log.append([numbered(1)])
    log.commit("gone", 1, MADE_S)
    log.commit("here", 2, MADE_S + 1)

    on_the_edge = log.prune(MADE_S + SILENT_GROUP_S, {COVERAGE: 0.0}, has_broker=False)
    beyond = log.prune(MADE_S + SILENT_GROUP_S + 0.5, {COVERAGE: 0.0}, has_broker=False)

    assert (on_the_edge.n_removed, on_the_edge.dropped_groups) == (0, ())
    assert (beyond.n_removed, beyond.dropped_groups) == (1, ("gone",))


def test_a_group_that_was_dropped_is_named_once_and_keeps_its_place(log: SqliteLog) -> None:
    log.append([numbered(1), numbered(2)])
    log.commit("gone", 2, MADE_S)

    reports = [log.prune(MADE_S + days * DAY_S, {}, has_broker=False) for days in (2, 3)]

    assert [report.dropped_groups for report in reports] == [("gone",), ()]
    assert log.position("gone") == 2
    assert log.position("new") is None


def test_a_group_that_comes_back_is_waited_for_again(log: SqliteLog) -> None:
    log.append([numbered(1), numbered(2)])
    log.commit("back", 2, MADE_S)
    log.prune(MADE_S + 2 * DAY_S, {}, has_broker=False)

    log.commit("back", 2, MADE_S + 3 * DAY_S)

    assert prune(log, 3 * DAY_S) == 1
    assert [record.offset for record in log.read(1)] == [2]


def test_pruning_takes_so_many_at_a_time_that_writers_need_not_wait(log: SqliteLog) -> None:
    log.append([numbered(number) for number in range(PRUNE_BATCH + 1)])

    assert prune(log, 2 * DAY_S) == PRUNE_BATCH
    assert prune(log, 2 * DAY_S) == 1
    assert prune(log, 2 * DAY_S) == 0


def test_offsets_are_not_used_again_after_pruning(log: SqliteLog) -> None:
    log.append([numbered(1), numbered(2)])
    prune(log, 2 * DAY_S)
    assert log.end_offset() == 3

    log.append([numbered(3)])

    assert [record.offset for record in log.read(1)] == [3]


def in_threads(work: Callable[[int], None], n_threads: int = 4) -> None:
    """Do the work in threads that begin together."""
    barrier = Barrier(n_threads)

    def begin(index: int) -> None:
        barrier.wait()
        work(index)

    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(begin, range(n_threads)))


def test_threads_take_turns_on_one_connection(log: SqliteLog) -> None:
    def append_and_prune(index: int) -> None:
        for number in range(20):
            log.append([numbered(100 * index + number)])
            log.prune(MADE_S, {COVERAGE: DAY_S}, has_broker=False)
            log.read(1)

    in_threads(append_and_prune)

    assert sorted(numbers(log)) == [100 * index + n for index in range(4) for n in range(20)]


@pytest.mark.parametrize("round_number", range(10))
def test_connections_that_begin_together_make_one_log_and_wait_for_each_other(
    path: Path, round_number: int
) -> None:
    """Not every round brings them so close that they could be in each other's way."""

    def make_and_append(index: int) -> None:
        with SqliteLog(path) as log:
            log.append([numbered(index)])

    in_threads(make_and_append)

    with SqliteLog(path) as log:
        assert sorted(numbers(log)) == [0, 1, 2, 3]
    assert [entry.name for entry in path.parent.iterdir()] == ["events.db"]


def test_a_batch_that_fails_midway_leaves_nothing(log: SqliteLog) -> None:
    log.append([numbered(1)])

    insert = "INSERT INTO groups VALUES (?, 1, 1.0)"
    with pytest.raises(apsw.ConstraintError), log._file.transaction() as connection:
        connection.executemany(insert, [("console",), ("console",)])

    assert log.position("console") is None
    log.append([numbered(2)])
    assert numbers(log) == [1, 2]


def test_a_writer_that_holds_on_too_long_is_reported(path: Path, log: SqliteLog) -> None:
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    log._file.connection.set_busy_timeout(0)

    with pytest.raises(LogUnavailable, match="another process has been writing"):
        log.append([numbered(1)])

    other.execute("ROLLBACK")
    log.append([numbered(1)])
    assert numbers(log) == [1]
    other.close()


def assert_one_line(error: LogUnavailable, path: Path, text: str) -> None:
    """See that an error says what, where and what to do."""
    assert str(error).startswith(f"event log {path}: ")
    assert text in str(error)
    assert "\n" not in str(error)
    assert error.exit_code == 3


def foreign_database(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(f"CREATE TABLE cats (name); PRAGMA user_version = {SCHEMA_VERSION}")
    connection.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"not a database, but long enough to look like one\n" * 40),
        lambda path: path.write_bytes(b""),
        foreign_database,
    ],
    ids=["text", "empty", "another program's database"],
)
@pytest.mark.parametrize("access", ["create", "write", "read"])
def test_a_file_that_is_no_log_is_refused_and_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None], access: Access
) -> None:
    path = tmp_path / "events.db"
    spoil(path)
    before = path.read_bytes()

    with pytest.raises(LogUnavailable) as refusal:
        SqliteLog(path, access)

    assert_one_line(refusal.value, path, "no event log: move it away")
    assert path.read_bytes() == before


def test_a_log_of_a_newer_version_is_refused(path: Path) -> None:
    SqliteLog(path).close()
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()

    with pytest.raises(LogUnavailable) as refusal:
        SqliteLog(path)

    said = f"schema {SCHEMA_VERSION + 1}, this one has {SCHEMA_VERSION}): upgrade streamguard"
    assert_one_line(refusal.value, path, said)


def test_a_damaged_log_is_reported(path: Path) -> None:
    with SqliteLog(path) as log:
        log.append([numbered(number) for number in range(500)])
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xff" * (path.stat().st_size - 8 * 4096))

    with SqliteLog(path) as log, pytest.raises(LogUnavailable) as refusal:
        log.read(1, limit=ALL)

    assert_one_line(refusal.value, path, "damaged")


def test_a_log_whose_place_is_taken_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()

    with pytest.raises(LogUnavailable) as no_directory:
        SqliteLog(tmp_path / "file" / "events.db")
    with pytest.raises(LogUnavailable) as no_file:
        SqliteLog(tmp_path / "folder")

    assert_one_line(no_directory.value, tmp_path / "file" / "events.db", "directory")
    assert_one_line(no_file.value, tmp_path / "folder", "may not write")


@pytest.mark.integration
def test_a_full_disk_keeps_what_was_committed_and_goes_on_when_there_is_space(
    path: Path,
) -> None:
    """A limit on the size of files stands for the disk."""
    told = json.loads(run_program("fill_file", path))

    assert_one_line(LogUnavailable(told["message"]), path, "free space")
    assert told["appended"] > 0
    assert told["appended"] == told["read"] == told["read_by_another"]
    assert told["read_after"] == told["appended"] + BATCH


@pytest.mark.integration
def test_a_disk_that_is_really_full_keeps_what_was_committed(tmp_path: Path) -> None:
    told = json.loads(run_on_small_disk("fill_disk", tmp_path))

    assert_one_line(LogUnavailable(told["message"]), tmp_path / "events.db", "free some space")
    assert told["appended"] > 0
    assert told["appended"] == told["read"] == told["read_by_another"]
    assert told["read_after"] == told["appended"] + BATCH


@pytest.mark.integration
def test_a_log_on_a_read_only_disk_is_reported(tmp_path: Path) -> None:
    missing, present = json.loads(run_on_small_disk("open_read_only", tmp_path))

    assert_one_line(LogUnavailable(missing), tmp_path / "missing.db", "Read-only file system")
    assert_one_line(LogUnavailable(present), tmp_path / "events.db", "may not write")


@pytest.mark.integration
def test_what_a_killed_writer_had_committed_is_there(path: Path) -> None:
    with program("append", path, "0", str(ALL)) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(100)]
        writer.kill()
        told += writer.stdout.readlines()
    committed = [int(line) for line in told if line.endswith("\n")]

    with SqliteLog.open_reader(path) as log:
        found = numbers(log)

    assert len(committed) >= 100
    assert found[: len(committed) * BATCH] == list(range(len(committed) * BATCH))
    assert len(found) - len(committed) * BATCH in {0, BATCH}  # one batch was not told any more


@pytest.mark.integration
def test_two_writers_and_a_follower_lose_nothing(path: Path) -> None:
    """Both writers begin without a log."""
    with program("append", path, "0", "150") as one, program("append", path, "1000", "150") as two:
        assert one.stdout is not None
        one.stdout.readline()  # now there is a log to follow
        followed, offset = [], 1
        with SqliteLog.open_reader(path) as log:
            while True:
                is_over = one.poll() is not None and two.poll() is not None
                records = log.read(offset)
                followed += [number_of(record.body) for record in records]
                offset = records[-1].offset + 1 if records else offset
                if is_over and not records:
                    break

    assert (one.returncode, two.returncode) == (0, 0)
    assert [number for number in followed if number < 1000] == list(range(150 * BATCH))
    assert [number for number in followed if number >= 1000] == list(
        range(1000, 1000 + 150 * BATCH)
    )
    assert [entry.name for entry in path.parent.iterdir() if entry.is_dir()] == []


def program(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start one of the functions below in a process of its own."""
    return subprocess.Popen(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True
    )


def run_program(*arguments: str | Path) -> str:
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def run_on_small_disk(name: str, folder: Path) -> str:
    """Run one of the functions below with a disk of 1 MB at `folder`, which it alone sees."""
    unshare = ["unshare", "--map-root-user", "--mount"]
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    try:
        subprocess.run([*unshare, *mount], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small disk here: this user may not mount one, not even for itself")
    script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" "$3" "$4" "$1"'
    command = [*unshare, "sh", "-c", script, "sh", str(folder), sys.executable, __file__, name]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def append(path: Path, first: str, n_batches: str) -> None:
    """Append batch by batch, and tell of each when it is committed."""
    with SqliteLog(path) as log:
        for batch in range(int(n_batches)):
            start = int(first) + batch * BATCH
            commit(log, [numbered(number) for number in range(start, start + BATCH)])
            print(batch, flush=True)  # noqa: T201  # the parent reads it


def commit(log: SqliteLog, events: list[Event]) -> None:
    """Append as the product's writer does: where another process is in the way, try again."""
    while True:
        with contextlib.suppress(LogUnavailable):
            log.append(events)
            return


def fill(path: Path, free: Callable[[], None]) -> None:
    """Append until nothing fits any more, make space, append again; tell what was read when."""
    with SqliteLog(path) as log:
        told: dict[str, int | str] = {}
        appended = 0
        while "message" not in told:
            try:
                log.append([numbered(appended + number) for number in range(BATCH)])
            except LogUnavailable as error:
                told["message"] = str(error)
            else:
                appended += BATCH
        told["appended"] = appended
        told["read"] = len(numbers(log))
        with SqliteLog.open_reader(path) as another:
            told["read_by_another"] = len(numbers(another))
        free()
        log.append([numbered(appended + number) for number in range(BATCH)])
        told["read_after"] = len(numbers(log))
    print(json.dumps(told))  # noqa: T201  # the parent reads it


def fill_file(path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE_LIMIT_BYTES, hard))

    fill(path, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard)))


def fill_disk(folder: Path) -> None:
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(400_000))

    fill(folder / "events.db", ballast.unlink)


def open_read_only(folder: Path) -> None:
    SqliteLog(folder / "events.db").close()
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    told = []
    for name in ("missing.db", "events.db"):
        try:
            SqliteLog(folder / name)
        except LogUnavailable as error:
            told.append(str(error))
    print(json.dumps(told))  # noqa: T201  # the parent reads it


if __name__ == "__main__":
    functions = (append, fill_file, fill_disk, open_read_only)
    {function.__name__: function for function in functions}[sys.argv[1]](
        Path(sys.argv[2]), *sys.argv[3:]
    )
