import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from streamguard.core.bank_data import EntryQuarantinedData, EntryReleasedData
from streamguard.core.banks import Banks
from streamguard.core.errors import BankError
from streamguard.core.events import Event
from streamguard.core.hubs import HubRule, Key, reason_until
from streamguard.runtime.hub_keeper import HubKeeper, Told
from tests.clock import FakeClock
from tests.core_fakes import SOURCE, banks, film

INTRO: Key = ("known", "intro")
HOLD_S = 600.0


@dataclass
class Shelf:
    """A bank with one entry, which can be set aside."""

    reason: str | None = None
    n_failures: int = 0

    def banks(self) -> Banks:
        return banks(replace(film("intro", 1), quarantine=self.reason))

    def set_aside(self, key: Key, until_s: float) -> None:
        self._edit(key, reason_until(until_s))

    def let_in(self, key: Key) -> None:
        self._edit(key, None)

    def _edit(self, key: Key, reason: str | None) -> None:
        assert key == INTRO
        if self.n_failures:
            self.n_failures -= 1
            raise BankError("known cannot be written")
        self.reason = reason


@dataclass
class Stage:
    clock: FakeClock = field(default_factory=FakeClock)
    shelf: Shelf = field(default_factory=Shelf)
    events: list[Event] = field(default_factory=list)
    has_news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        rule, told = HubRule(max_share=0.5, min_streams=3), Told(SOURCE, self.put)
        self.keeper = HubKeeper(rule, HOLD_S, self.shelf.banks, self.shelf, told, self.clock)

    async def put(self, events: Sequence[Event], at_s: float) -> None:
        assert at_s == self.clock.monotonic()
        self.events += events
        self.has_news.set()

    def match_in(self, n_streams: int) -> None:
        for number in range(n_streams):
            self.keeper.heard([f"stream-{number}"], [(f"stream-{number}", INTRO, "TVEC-TEST")])

    async def run_until(self, is_done: Callable[[], bool]) -> None:
        running = asyncio.create_task(self.keeper.run())
        while not is_done():
            self.has_news.clear()
            await self.has_news.wait()
        running.cancel()


async def _with_hub() -> Stage:
    stage = Stage()
    stage.match_in(3)
    await stage.run_until(lambda: bool(stage.events))
    return stage


def test_a_hub_is_set_aside_and_announced() -> None:
    stage = asyncio.run(_with_hub())

    (event,) = stage.events
    assert isinstance(event.data, EntryQuarantinedData)
    assert (event.data.entry.bank, event.data.entry.entry) == INTRO
    assert (event.data.n_matched, event.data.n_streams) == (3, 3)
    assert stage.shelf.reason == reason_until(stage.clock.wall() + HOLD_S)
    assert stage.keeper.n_aside() == 1


def test_streams_that_match_nothing_count_against_a_hub() -> None:
    async def with_others() -> Stage:
        stage = Stage()
        for number in range(3, 6):
            stage.keeper.heard([f"stream-{number}"], [])
        stage.match_in(3)
        stage.match_in(4)
        await stage.run_until(lambda: bool(stage.events))
        return stage

    (event,) = asyncio.run(with_others()).events
    assert isinstance(event.data, EntryQuarantinedData)
    assert (event.data.n_matched, event.data.n_streams) == (4, 6)


@pytest.mark.parametrize(("is_expired", "reason"), [(True, "expired"), (False, "person")])
def test_an_entry_that_is_let_in_again_is_announced_once(*, is_expired: bool, reason: str) -> None:
    async def let_in() -> Stage:
        stage = await _with_hub()
        await stage.keeper.look_after()
        assert len(stage.events) == 1
        if is_expired:
            stage.clock.advance(HOLD_S)
        else:
            stage.shelf.reason = None
        await stage.keeper.look_after()
        await stage.keeper.look_after()
        return stage

    stage = asyncio.run(let_in())

    _, event = stage.events
    assert isinstance(event.data, EntryReleasedData)
    assert event.data.reason == reason
    assert (stage.shelf.reason, stage.keeper.n_aside()) == (None, 0)


def test_a_hub_of_an_earlier_process_is_let_in_when_its_time_is_over() -> None:
    clock = FakeClock()
    stage = Stage(clock, Shelf(reason_until(clock.wall() + 60)))

    asyncio.run(stage.keeper.look_after())
    assert (stage.events, stage.keeper.n_aside()) == ([], 1)
    clock.advance(60)
    asyncio.run(stage.keeper.look_after())

    assert [event.data.reason for event in stage.events] == ["expired"]


def test_what_a_person_set_aside_stays_aside() -> None:
    clock = FakeClock()
    stage = Stage(clock, Shelf("a person"))
    clock.advance(1e6)

    asyncio.run(stage.keeper.look_after())

    assert (stage.shelf.reason, stage.events, stage.keeper.n_aside()) == ("a person", [], 0)


def test_a_bank_that_cannot_be_written_is_not_said_to_have_changed() -> None:
    async def fail_then_work() -> Stage:
        stage = Stage()
        stage.shelf.n_failures = 1
        stage.match_in(3)
        stage.match_in(3)
        await stage.run_until(lambda: bool(stage.events))
        return stage

    stage = asyncio.run(fail_then_work())

    assert stage.shelf.n_failures == 0
    assert len(stage.events) == 1
