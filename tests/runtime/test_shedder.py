from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from loadtest.made_events import later, number_in_record, opened
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.account import Account
from streamguard.core.errors import LogUnavailable
from streamguard.core.event_data import FlagData
from streamguard.core.events import Event
from streamguard.core.record import Row
from streamguard.core.shedding import Room
from streamguard.core.types import Severity
from streamguard.runtime.shedder import SAY_AGAIN_S, Shedder
from tests.clock import FakeClock

PLENTY, SOME, NOTHING = 1 << 40, 100 << 20, 0


@dataclass
class Stage:
    """A log on a disk that is as full as the test says."""

    log: SqliteLog
    free_bytes: int = PLENTY
    gone: list[Severity] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.shedder = Shedder(
            self.log, lambda: Room(self.free_bytes, 1 << 40), self.clock, self.gone.append
        )

    @property
    def numbers(self) -> list[int]:
        return [number_in_record(record) for record in self.log.read(1)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with SqliteLog(tmp_path / "events.db") as log:
        yield Stage(log)


def test_while_there_is_room_everything_is_taken(stage: Stage) -> None:
    stage.shedder.append([opened(n, severity=f"P{n}") for n in range(4)])

    assert stage.numbers == [0, 1, 2, 3]
    assert stage.gone == []
    assert stage.shedder.problem() is None


def test_while_the_disk_is_nearly_full_what_can_wait_goes_and_is_counted_and_said(
    stage: Stage,
) -> None:
    stage.free_bytes = SOME

    with capture_logs() as said:
        stage.shedder.append([opened(n, severity=f"P{n}") for n in range(4)])

    assert stage.numbers == [0, 1]
    assert stage.gone == [Severity.P2, Severity.P3]
    problem = "the event log's disk is nearly full: flags of P2 and below are let go"
    assert stage.shedder.problem() == problem
    assert [(line["event"], line["n_flags"], line["problem"]) for line in said] == [
        ("flags_shed", 2, problem)
    ]


def test_what_goes_is_said_once_a_minute(stage: Stage) -> None:
    stage.free_bytes = NOTHING

    with capture_logs() as said:
        stage.shedder.append([opened(1)])
        stage.shedder.append([opened(2), opened(3)])
        stage.clock.advance(SAY_AGAIN_S)
        stage.shedder.append([])

    assert [line["n_flags"] for line in said] == [1, 2]


class Full(SqliteLog):
    """Takes nothing the first time."""

    n_tries = 0

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        self.n_tries += 1
        if self.n_tries == 1:
            raise LogUnavailable("the disk is full")
        super().append(events, accounts)


def test_what_could_not_be_committed_is_decided_about_anew(tmp_path: Path) -> None:
    with Full(tmp_path / "events.db") as log:
        stage = Stage(log, NOTHING)
        flag = [opened(1), opened(2, severity="P0")]

        with pytest.raises(LogUnavailable):
            stage.shedder.append(flag)
        gone_by_then = list(stage.gone)
        stage.free_bytes = PLENTY
        stage.shedder.append(flag)

        assert gone_by_then == stage.gone == []
        assert stage.numbers == [1, 2]


def test_the_later_life_of_a_flag_that_went_is_not_told(stage: Stage) -> None:
    stage.free_bytes = NOTHING
    stage.shedder.append([opened(1)])
    stage.free_bytes = PLENTY

    stage.shedder.append([later(opened(1), "updated"), opened(2), later(opened(1), "closed", 2)])

    assert stage.numbers == [2]
    assert stage.gone == [Severity.P1]


def id_of(event: Event) -> str:
    assert isinstance(event.data, FlagData)
    return str(event.data.flag_id)


def test_a_flag_that_goes_is_not_heard_of_and_one_that_cannot_wait_is(stage: Stage) -> None:
    stage.free_bytes = NOTHING
    gone, taken = opened(1, severity="P3"), opened(2, severity="P0")

    stage.shedder.append([gone, taken])
    stage.shedder.append([opened(3, severity="P0")])

    told = [stage.shedder.is_heard_of(id_of(event)) for event in (gone, taken)]
    assert told == [False, True]


def test_while_there_is_room_every_flag_is_heard_of_before_it_comes(stage: Stage) -> None:
    assert stage.shedder.is_heard_of(id_of(opened(1, severity="P3")))


def test_whoever_asks_too_soon_waits_for_the_answer(stage: Stage) -> None:
    stage.free_bytes = NOTHING
    event = opened(1, severity="P3")
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(stage.shedder.is_heard_of, id_of(event))
        stage.shedder.append([event])

        assert answer.result(30) is False
