import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from loadtest.made_events import opened
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.account import Account
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import Event
from streamguard.core.ports import EventLog
from streamguard.core.record import Row
from streamguard.core.settling import Now, ending
from streamguard.runtime.writer import MAX_BATCH, MAX_WAITING, LogWriter
from tests.clock import FakeClock

PATIENCE_S = 60.0


@dataclass
class FakeLog:
    """Commits to a list; fails as often as it is told to."""

    failures: int = 0
    committed: list[Event] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    accounts: list[list[str]] = field(default_factory=list)
    attempts: int = 0
    on_append: Callable[[], None] = lambda: None

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        self.attempts += 1
        self.on_append()
        if self.failures:
            self.failures -= 1
            raise LogUnavailable("the disk is full: free some space")
        self.batches.append(len(events))
        self.accounts.append([account.stream_id for account in accounts])
        self.committed += [event for event in events if isinstance(event, Event)]


@dataclass
class Written:
    """A writer that runs, and what became of its events."""

    writer: LogWriter
    meter: PrometheusMeter
    clock: FakeClock
    told: list[Event | Row]


def run(log: EventLog, test: Callable[[Written], Coroutine[Any, Any, None]]) -> Written:
    """Run a test beside a writer, then stop the writer and wait for it."""

    async def main() -> Written:
        told: list[Event | Row] = []
        meter, clock = PrometheusMeter(), FakeClock(100.0)
        writer = LogWriter(log, clock, meter, told.extend)
        written = Written(writer, meter, clock, told)
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(writer.run())
            await test(written)
            await writer.stop()
        return written

    return asyncio.run(main())


async def until(is_so: Callable[[], bool]) -> None:
    """Let other tasks and threads run until something is so; `run` bounds the wait."""
    while not is_so():  # noqa: ASYNC110  # what is waited for sets no event
        await asyncio.sleep(0.001)


EVENTS = [opened(number) for number in range(600)]


def test_events_are_committed_in_order_to_a_real_log(tmp_path: Path) -> None:
    async def test(written: Written) -> None:
        for first in range(0, 600, 7):
            await written.writer.put(EVENTS[first : first + 7], 0.0)

    with SqliteLog(tmp_path / "events.db") as log:
        written = run(log, test)

        assert [record.id for record in log.read(1)] == [event.id for event in EVENTS]
    assert written.told == EVENTS


def test_what_was_handed_over_before_a_stop_is_committed() -> None:
    log = FakeLog()

    async def test(written: Written) -> None:
        await written.writer.put(EVENTS, 0.0)

    run(log, test)

    assert log.committed == EVENTS
    assert max(log.batches) <= MAX_BATCH
    assert len(log.batches) < 10  # a burst is not committed one by one


@pytest.mark.parametrize("failures", [1, 2])
def test_order_is_kept_while_the_log_cannot_be_written(failures: int) -> None:
    log = FakeLog(failures=failures)

    async def test(written: Written) -> None:
        await written.writer.put(EVENTS[:3], 0.0)
        await until(lambda: not written.writer.is_healthy)
        await written.writer.put(EVENTS[3:6], 0.0)

    with capture_logs() as lines:
        written = run(log, test)

    assert log.committed == EVENTS[:6]
    assert written.told == EVENTS[:6]
    assert written.writer.is_healthy
    assert [line["event"] for line in lines] == ["log_unavailable", "log_recovered"]


def account(stream_id: str, n_packets: int = 0) -> Account:
    """Give an account of a stream."""
    return Account(stream_id, "session", "", "rtmp", ("hash",), 0, 0, 0.0, 0.0, n_packets)


def test_accounts_of_many_streams_are_committed_together() -> None:
    log = FakeLog()

    async def test(written: Written) -> None:
        for number in range(100):
            await written.writer.keep(account(f"s{number}"))
            await asyncio.sleep(0)
        await until(lambda: bool(log.accounts))

    run(log, test)

    assert [sorted(stream_ids) for stream_ids in log.accounts] == [
        sorted(f"s{number}" for number in range(100))
    ]


def test_an_account_follows_the_events_that_it_speaks_of() -> None:
    log = FakeLog()

    async def test(written: Written) -> None:
        await written.writer.keep(account("s", 1))
        await written.writer.put(EVENTS[:600], 0.0)
        await written.writer.keep(account("s", 2))
        await written.writer.settled()
        assert log.committed == EVENTS[:600]
        assert log.accounts[-1] == ["s"]

    run(log, test)

    assert not any(log.accounts[:-1])


def test_an_account_that_waited_for_others_never_follows_a_newer_one(tmp_path: Path) -> None:
    async def test(written: Written) -> None:
        await written.writer.keep(account("s", 1))
        await written.writer.keep(account("s", 2), at_once=True)
        await written.writer.settled()

    with SqliteLog(tmp_path / "events.db") as log:
        run(log, test)

        assert [kept.account.n_packets for kept in log.left_over().sessions] == [2]


def test_an_account_that_waited_for_others_never_follows_the_end_of_its_session(
    tmp_path: Path,
) -> None:
    one = account("s", 1)

    async def test(written: Written) -> None:
        await written.writer.keep(one)
        await written.writer.put([ending(one, "/streamguard/test", "ended", Now(0.0, 0.0))], 0.0)
        await until(lambda: bool(written.told))
        await written.writer.settled()

    with SqliteLog(tmp_path / "events.db") as log:
        run(log, test)

        assert log.left_over().sessions == ()


def test_what_is_not_committed_yet_is_the_backlog() -> None:
    log = FakeLog(failures=1)

    async def test(written: Written) -> None:
        assert written.writer.backlog() == 0
        await written.writer.put(EVENTS[:5], 0.0)
        assert written.writer.backlog() == 5
        await until(lambda: not written.writer.is_healthy)
        assert written.writer.backlog() == 5
        await until(lambda: written.writer.is_healthy)
        assert written.writer.backlog() == 0
        await written.writer.put(EVENTS[5:6], 0.0)

    assert run(log, test).writer.backlog() == 0


def test_a_flag_counts_from_the_reading_of_its_packet_to_its_commit() -> None:
    log = FakeLog()

    async def test(written: Written) -> None:
        log.on_append = lambda: written.clock.advance(0.2)
        await written.writer.put(EVENTS[:1], 99.0)

    meter = run(log, test).meter

    value = meter.registry.get_sample_value
    assert value("streamguard_flags_total", {"severity": "P1"}) == 1
    assert value("streamguard_ingest_to_flag_seconds_sum") == pytest.approx(1.2)
    assert value("streamguard_stage_seconds_sum", {"stage": "commit"}) == pytest.approx(0.2)


def test_a_flag_that_the_log_refused_is_counted_once_and_with_its_delay() -> None:
    log = FakeLog(failures=1)

    async def test(written: Written) -> None:
        log.on_append = lambda: written.clock.advance(1.0)
        await written.writer.put(EVENTS[:1], 99.0)

    meter = run(log, test).meter

    assert meter.registry.get_sample_value("streamguard_ingest_to_flag_seconds_count") == 1
    assert meter.registry.get_sample_value("streamguard_ingest_to_flag_seconds_sum") == 3.0


def test_a_stop_with_nothing_to_write_ends_at_once() -> None:
    log = FakeLog()

    async def test(_: Written) -> None:
        """Hand over nothing."""

    run(log, test)

    assert log.attempts == 0


def test_far_too_many_events_make_the_streams_wait_and_are_all_committed() -> None:
    log = FakeLog(failures=1)
    many = [EVENTS[0]] * (MAX_WAITING + 2 * MAX_BATCH)

    async def test(written: Written) -> None:
        putting = asyncio.create_task(written.writer.put(many, 0.0))
        await until(lambda: not written.writer.is_healthy)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not putting.done()
        await putting

    run(log, test)

    assert len(log.committed) == len(many)
