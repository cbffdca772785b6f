import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from streamguard.core.bank_data import EntryQuarantinedData, EntryReleasedData
from streamguard.core.errors import BankError
from streamguard.core.events import Event
from streamguard.core.hubs import HubRule, Key
from streamguard.runtime.hub_keeper import HubKeeper, Told
from tests.clock import FakeClock
from tests.core_fakes import SOURCE

INTRO: Key = ("known", "intro")
HOLD_S = 600.0


@dataclass
class Shelf:
    """A bank that remembers what was set aside, and is told the time."""

    clock: FakeClock
    n_failures: int = 0
    until: dict[Key, float] = field(default_factory=dict)

    def set_aside(self, key: Key, until_s: float) -> None:
        if self.n_failures:
            self.n_failures -= 1
            raise BankError("known cannot be written")
        self.until[key] = until_s

    def is_aside(self, key: Key) -> bool:
        return self.until.get(key, 0.0) > self.clock.wall()


@dataclass
class Stage:
    clock: FakeClock = field(default_factory=FakeClock)
    events: list[Event] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)
    has_news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.clock)
        told = Told(SOURCE, self.put, self.counted.append)
        rule = HubRule(max_share=0.5, min_streams=3)
        self.keeper = HubKeeper(rule, HOLD_S, self.shelf, told, self.clock)

    async def put(self, events: Sequence[Event], at_s: float) -> None:
        assert at_s == self.clock.monotonic()
        self.events += events
        self.has_news.set()

    def match_in(self, n_streams: int) -> None:
        for number in range(n_streams):
            self.keeper.matched(f"stream-{number}", INTRO, "TVEC-TEST")

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
    assert stage.shelf.until == {INTRO: stage.clock.wall() + HOLD_S}
    assert stage.counted == [1]


def test_fewer_streams_than_the_rule_asks_set_nothing_aside() -> None:
    stage = Stage()

    stage.match_in(2)

    assert stage.keeper._hubs.empty()


@pytest.mark.parametrize(("is_expired", "reason"), [(True, "expired"), (False, "person")])
def test_an_entry_that_is_let_in_again_is_announced(*, is_expired: bool, reason: str) -> None:
    async def let_in() -> Stage:
        stage = await _with_hub()
        await stage.keeper.look_after()
        assert len(stage.events) == 1
        if is_expired:
            stage.clock.advance(HOLD_S)
        else:
            stage.shelf.until.clear()
        await stage.keeper.look_after()
        await stage.keeper.look_after()
        return stage

    stage = asyncio.run(let_in())

    _, event = stage.events
    assert isinstance(event.data, EntryReleasedData)
    assert event.data.reason == reason
    assert stage.counted == [1, -1]


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
    assert stage.counted == [1]
