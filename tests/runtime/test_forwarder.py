"""Forwarding from a real log; what the receiver answers is scripted."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from loadtest.made_events import opened
from streamguard.adapters.put_aside import PutAside
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import Event
from streamguard.core.record import Record
from streamguard.core.types import Severity
from streamguard.core.webhook import Answer, Meaning
from streamguard.runtime import forwarder
from streamguard.runtime.forwarder import MAX_OF_FAILING, MAX_REFUSALS, MAX_WAITING, Forwarder
from streamguard.runtime.stop import Stop
from tests.clock import FakeClock
from tests.processes import DEADLINE_S

DONE = Answer("done", "taken")
AGAIN = Answer("again", "not now")
REFUSED = Answer("refused", "not that")


class Receiver:
    """Answers by a script for each event, then takes it; keeps what came, in order."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.taken: list[str] = []
        self.scripts: dict[str, list[Answer]] = defaultdict(list)
        self.news = asyncio.Event()

    async def take(self, record: Record) -> Answer:
        self.came.append(record.id)
        self.news.set()
        script = self.scripts[record.id]
        answer = script.pop(0) if script else DONE
        if answer is DONE:
            self.taken.append(record.id)
        return answer


class Meter:
    def __init__(self) -> None:
        self.tries: list[Meaning] = []
        self.n_aside = 0

    def forwarded(self, meaning: Meaning, late_s: float) -> None:
        self.tries.append(meaning)

    def put_aside(self) -> None:
        self.n_aside += 1


class TurningClock(FakeClock):
    """A second passes with each look: what has to wait is due at once."""

    def monotonic(self) -> float:
        self.now_s += 1.0
        return self.now_s


@pytest.fixture
def event_log(tmp_path: Path) -> Iterator[SqliteLog]:
    with SqliteLog(tmp_path / "log.db") as made:
        yield made


class Rig:
    """A forwarder, its receiver, and what they have in common."""

    def __init__(self, event_log: SqliteLog, at_once: int = 4) -> None:
        self.log = event_log
        self.receiver = Receiver()
        self.meter = Meter()
        self.at_once = at_once

    def forward(self, until: Callable[["Rig"], bool], offset: int = 1) -> Forwarder:
        """Run one from an offset until a claim holds."""

        async def run() -> Forwarder:
            made = Forwarder(
                self.log,
                self.receiver.take,
                TurningClock(),
                self.meter,
                group="webhook",
                topics=frozenset({"streamguard.flags.v1"}),
                at_once=self.at_once,
            )
            stop = Stop()
            self.receiver.news = asyncio.Event()
            running = asyncio.create_task(made.run(offset, stop))
            async with asyncio.timeout(DEADLINE_S):
                while not until(self):
                    self.receiver.news.clear()
                    await self.receiver.news.wait()
            stop.set()
            await running
            return made

        return asyncio.run(run())


def ids(events: list[Event]) -> list[str]:
    return [event.id for event in events]


def test_all_events_come_in_the_order_of_their_stream(event_log: SqliteLog) -> None:
    lobby = [opened(number, "lobby") for number in range(20)]
    stage = [opened(number, "stage") for number in range(20)]
    event_log.append([event for pair in zip(lobby, stage, strict=True) for event in pair])
    rig = Rig(event_log)

    rig.forward(lambda rig: len(rig.receiver.taken) == 40)

    for stream in (lobby, stage):
        assert [one for one in rig.receiver.taken if one in ids(stream)] == ids(stream)
    assert event_log.position("webhook") == event_log.end_offset()


def test_the_next_one_goes_as_soon_as_one_is_taken(
    event_log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No look at the log for what is new lies between them."""
    monkeypatch.setattr(forwarder, "POLL_S", 10 * DEADLINE_S)
    events = [opened(number) for number in range(20)]
    event_log.append(events)
    rig = Rig(event_log)

    rig.forward(lambda rig: len(rig.receiver.taken) == 20)

    assert rig.receiver.taken == ids(events)


def test_what_is_not_taken_holds_back_its_own_stream_alone(event_log: SqliteLog) -> None:
    held, after, other = opened(1, "lobby"), opened(2, "lobby"), opened(1, "stage")
    event_log.append([held, after, other])
    rig = Rig(event_log)
    rig.receiver.scripts[held.id] = [AGAIN] * 10_000

    made = rig.forward(lambda rig: rig.receiver.came.count(held.id) > 5)

    assert rig.receiver.taken == [other.id]
    assert after.id not in rig.receiver.came
    assert made.n_waiting == 2
    assert made.oldest_s == event_log.read(1)[0].recorded_s
    assert event_log.position("webhook") == 1


def test_what_was_not_taken_is_asked_again_until_it_is(event_log: SqliteLog) -> None:
    events = [opened(1), opened(2)]
    event_log.append(events)
    rig = Rig(event_log)
    rig.receiver.scripts[events[0].id] = [AGAIN, REFUSED, AGAIN]

    rig.forward(lambda rig: len(rig.receiver.taken) == 2)

    assert rig.receiver.taken == ids(events)
    assert rig.meter.tries == ["again", "refused", "again", "done", "done"]


def kept_aside(folder: Path) -> list[tuple[str, str]]:
    """Give id and reason of what was put aside."""
    with closing(PutAside(folder / "log.db", "webhook")) as aside:
        return [(one.record.id, one.problem) for one in aside.all()]


def test_what_is_refused_time_and_again_is_put_aside(event_log: SqliteLog, tmp_path: Path) -> None:
    events = [opened(1), opened(2)]
    event_log.append(events)
    rig = Rig(event_log)
    rig.receiver.scripts[events[0].id] = [REFUSED] * MAX_REFUSALS

    rig.forward(lambda rig: len(rig.receiver.taken) == 1)

    assert rig.receiver.came == [events[0].id] * MAX_REFUSALS + [events[1].id]
    assert rig.receiver.taken == [events[1].id]
    assert rig.meter.n_aside == 1
    assert kept_aside(tmp_path) == [(events[0].id, "not that")]


def test_what_is_refused_once_less_is_not_put_aside(event_log: SqliteLog, tmp_path: Path) -> None:
    event = opened(1)
    event_log.append([event])
    rig = Rig(event_log)
    rig.receiver.scripts[event.id] = [REFUSED] * (MAX_REFUSALS - 1) + [AGAIN]

    rig.forward(lambda rig: len(rig.receiver.taken) == 1)

    assert rig.meter.n_aside == 0
    assert kept_aside(tmp_path) == []


@pytest.mark.parametrize("answer", [AGAIN, REFUSED])
def test_what_a_person_puts_aside_is_let_go_at_its_next_try(
    event_log: SqliteLog, tmp_path: Path, answer: Answer
) -> None:
    events = [opened(1), opened(2)]
    event_log.append(events)
    rig = Rig(event_log)
    rig.receiver.scripts[events[0].id] = [answer] * 10_000
    take = rig.receiver.take

    async def at_the_third(record: Record) -> Answer:
        if rig.receiver.came.count(record.id) == 2:
            event_log.put_aside("webhook", record, "by hand: too large", 0.0)
        return await take(record)

    rig.receiver.take = at_the_third  # type: ignore[method-assign]

    with capture_logs() as said:
        rig.forward(lambda rig: len(rig.receiver.taken) == 1)

    assert rig.receiver.came == [events[0].id] * 3 + [events[1].id]
    assert rig.meter.n_aside == 1
    assert kept_aside(tmp_path) == [(events[0].id, "by hand: too large")]
    assert [line["why"] for line in said if line["event"] == "event_put_aside"] == [
        "by hand: too large"
    ]


def test_nothing_is_let_go_that_could_not_be_put_aside(tmp_path: Path) -> None:
    """It is tried, and held back, until the log can be written."""
    events = [opened(1), opened(2)]
    with HarmedLog(tmp_path / "log.db") as event_log:
        event_log.append(events)
        event_log.n_asides = 2
        rig = Rig(event_log)
        rig.receiver.scripts[events[0].id] = [REFUSED] * 1_000

        rig.forward(lambda rig: len(rig.receiver.taken) == 1)

    assert rig.receiver.came == [events[0].id] * (MAX_REFUSALS + 2) + [events[1].id]
    assert rig.meter.n_aside == 1
    assert kept_aside(tmp_path) == [(events[0].id, "not that")]


def test_it_goes_on_where_it_was_and_sends_nothing_twice_that_was_noted(
    event_log: SqliteLog,
) -> None:
    events = [opened(number) for number in range(6)]
    event_log.append(events[:3])
    rig = Rig(event_log)
    rig.forward(lambda rig: len(rig.receiver.taken) == 3)
    event_log.append(events[3:])

    rig.forward(lambda rig: len(rig.receiver.taken) == 6, event_log.position("webhook") or 0)

    assert rig.receiver.came == ids(events)


def test_the_most_urgent_comes_first(event_log: SqliteLog) -> None:
    """One at a time: what is P0 overtakes what waits of other streams."""
    events = [opened(1, "a"), opened(1, "b"), urgent(opened(1, "c"))]
    event_log.append(events)
    rig = Rig(event_log, at_once=1)

    rig.forward(lambda rig: len(rig.receiver.taken) == 3)

    assert rig.receiver.taken == [events[2].id, events[0].id, events[1].id]


def urgent(event: Event) -> Event:
    policy = event.data.policy.model_copy(update={"severity": Severity.P0})  # type: ignore[union-attr]
    return event.model_copy(update={"data": event.data.model_copy(update={"policy": policy})})


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_requests_than_allowed_are_under_way(event_log: SqliteLog, at_once: int) -> None:
    event_log.append([opened(1, f"stream-{number}") for number in range(8)])
    rig = Rig(event_log, at_once=at_once)
    most = 0
    under_way = 0

    async def counting(record: Record, take: Callable[[Record], Awaitable[Answer]]) -> Answer:
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        answer = await take(record)
        under_way -= 1
        return answer

    take = rig.receiver.take
    rig.receiver.take = lambda record: counting(record, take)  # type: ignore[method-assign]

    rig.forward(lambda rig: len(rig.receiver.taken) == 8)

    assert most == at_once


def test_a_receiver_that_asks_for_patience_gets_it(event_log: SqliteLog) -> None:
    """Meanwhile other streams are served: hundreds of looks, each a second of this clock."""
    patient = opened(1, "patient")
    others = [opened(number, "other") for number in range(60)]
    event_log.append([patient, *others])
    rig = Rig(event_log, at_once=1)
    rig.receiver.scripts[patient.id] = [Answer("again", "busy", wait_s=100.0)]

    rig.forward(lambda rig: len(rig.receiver.taken) == 61)

    before = rig.receiver.came[: len(rig.receiver.came) - rig.receiver.came[::-1].index(patient.id)]
    assert rig.receiver.came.count(patient.id) == 2
    assert len(before) > 20


class HarmedLog(SqliteLog):
    """Cannot be read or written, or either, as often as the test says; then it is as it was."""

    n_reads = 0
    n_commits = 0
    n_asides = 0

    def read(self, offset: int, topic: str | None = None, limit: int = 1_000) -> list[Record]:
        if self.n_reads > 0:
            self.n_reads -= 1
            raise LogUnavailable("the disk is full")
        return super().read(offset, topic, limit)

    def commit(self, group: str, offset: int, now_s: float) -> None:
        if self.n_commits > 0:
            self.n_commits -= 1
            raise LogUnavailable("the disk is full")
        super().commit(group, offset, now_s)

    def put_aside(self, group: str, record: Record, problem: str, now_s: float) -> None:
        if self.n_asides > 0:
            self.n_asides -= 1
            raise LogUnavailable("the disk is full")
        super().put_aside(group, record, problem, now_s)


@pytest.mark.parametrize(("n_reads", "n_commits"), [(3, 0), (0, 3), (2, 2)])
def test_a_log_that_cannot_be_used_is_asked_again_and_told_of_once(
    tmp_path: Path, n_reads: int, n_commits: int
) -> None:
    events = [opened(number) for number in range(3)]
    with HarmedLog(tmp_path / "log.db") as event_log, capture_logs() as said:
        event_log.append(events)
        event_log.n_reads, event_log.n_commits = n_reads, n_commits
        rig = Rig(event_log)

        rig.forward(lambda rig: len(rig.receiver.taken) == 3)

        assert rig.receiver.came == ids(events)
        assert event_log.position("webhook") == event_log.end_offset()
    assert [line["event"] for line in said] == ["log_unavailable", "log_recovered"]


def test_a_log_that_cannot_be_written_at_the_end_costs_what_was_not_noted_alone(
    tmp_path: Path,
) -> None:
    """It ends as it would; what is sent again is known by its id."""
    events = [opened(number) for number in range(3)]
    with HarmedLog(tmp_path / "log.db") as event_log:
        event_log.append(events)
        event_log.n_commits = 1_000_000
        rig = Rig(event_log)

        rig.forward(lambda rig: len(rig.receiver.taken) == 3)

        assert rig.receiver.taken == ids(events)
        assert event_log.position("webhook") is None


def test_a_stream_that_is_not_taken_leaves_room_for_others_however_much_it_has(
    event_log: SqliteLog,
) -> None:
    held = [opened(number, "lobby") for number in range(MAX_WAITING + 10)]
    other = urgent(opened(1, "stage"))
    event_log.append([*held, other])
    rig = Rig(event_log)
    rig.receiver.scripts[held[0].id] = [AGAIN] * 10_000

    made = rig.forward(lambda rig: other.id in rig.receiver.taken)

    assert rig.receiver.taken == [other.id]
    assert made.n_waiting == MAX_OF_FAILING + 1
    assert event_log.position("webhook") == 1


@pytest.mark.parametrize("n_events", [MAX_OF_FAILING, MAX_OF_FAILING + 1, 5 * MAX_OF_FAILING])
def test_what_was_left_in_the_log_comes_in_its_order_once_the_first_is_taken(
    event_log: SqliteLog, n_events: int
) -> None:
    lobby = [opened(number, "lobby") for number in range(n_events)]
    event_log.append(lobby)
    rig = Rig(event_log)
    rig.receiver.scripts[lobby[0].id] = [AGAIN] * 5

    rig.forward(lambda rig: len(rig.receiver.taken) == n_events)

    assert rig.receiver.taken == ids(lobby)
    assert event_log.position("webhook") == event_log.end_offset()


@pytest.mark.parametrize("at_try", [1, 3, 6, 7])
def test_what_comes_while_others_are_left_in_the_log_comes_after_them(
    event_log: SqliteLog, at_try: int
) -> None:
    """The first is taken at its sixth try."""
    lobby = [opened(number, "lobby") for number in range(4 * MAX_OF_FAILING)]
    before, after = lobby[: 2 * MAX_OF_FAILING], lobby[2 * MAX_OF_FAILING :]
    event_log.append(before)
    rig = Rig(event_log)
    rig.receiver.scripts[lobby[0].id] = [AGAIN] * 5
    take = rig.receiver.take

    async def writing(record: Record) -> Answer:
        if len(rig.receiver.came) + 1 == at_try:
            event_log.append(after)
        return await take(record)

    rig.receiver.take = writing  # type: ignore[method-assign]

    rig.forward(lambda rig: len(rig.receiver.taken) == len(lobby))

    assert rig.receiver.taken == ids(lobby)
    assert event_log.position("webhook") == event_log.end_offset()


@given(
    streams=st.lists(st.sampled_from("abc"), min_size=30, max_size=80),
    not_at_first=st.dictionaries(st.integers(0, 79), st.integers(1, 2), min_size=1, max_size=4),
    at_once=st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_whatever_is_not_taken_at_first_all_comes_once_and_in_order(
    streams: list[str], not_at_first: dict[int, int], at_once: int
) -> None:
    """not_at_first: how often an event is not taken, by its number."""
    events = [opened(number, stream) for number, stream in enumerate(streams)]
    with TemporaryDirectory() as folder, SqliteLog(Path(folder) / "log.db") as event_log:
        event_log.append(events)
        rig = Rig(event_log, at_once)
        for number, n_tries in not_at_first.items():
            rig.receiver.scripts[events[number % len(events)].id] = [AGAIN] * n_tries

        made = rig.forward(lambda rig: len(rig.receiver.taken) >= len(events))

        assert made.n_waiting == 0
        assert event_log.position("webhook") == event_log.end_offset()
    for stream in "abc":
        of_stream = [one.id for one, its in zip(events, streams, strict=True) if its == stream]
        assert [one for one in rig.receiver.taken if one in of_stream] == of_stream
