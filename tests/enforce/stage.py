"""An enforcer without a world: a server that does as it is told, a viewer that sees what is there.

Rule: time passes only as somebody looks at the clock.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from streamguard.adapters.sqlite_actions import ActionStore, Hold, Kept
from streamguard.core.action_data import Act, ActionVerifiedData
from streamguard.core.denials import Denial
from streamguard.core.enforcing import Reading
from streamguard.core.errors import DiscoveryUnavailable, LogUnavailable
from streamguard.core.events import Event
from streamguard.core.location import Location
from streamguard.core.naming import session_text, stream_id_of
from streamguard.core.orders import Order
from streamguard.core.published import Published, RenditionRule
from streamguard.enforce.acting import Means
from streamguard.enforce.actions import Actions
from streamguard.enforce.book import Book
from streamguard.enforce.brake import Brake, BrakeRule
from streamguard.enforce.platform import Platform
from streamguard.enforce.site import Site
from streamguard.enforce.telling import Telling
from streamguard.enforce.trying import ActionParts
from streamguard.ingest.control import OrderRefused
from tests.ingest.fakes import FakeProvider, published
from tests.made_actions import order

SECRET = b"s" * 32
TICK_S = 0.1


class TickingClock:
    """Each look at it takes 100 ms."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        self.now_s += TICK_S
        return self.now_s

    def wall(self) -> float:
        return self.monotonic()


class FakeControl:
    """Does as it is told to `provider`; `troubles` are raised first, one an order.

    An order to end `broken_for` breaks it.
    """

    def __init__(self, provider: FakeProvider) -> None:
        self.provider = provider
        self.can_hold = True
        self.kicked: list[Published] = []
        self.troubles: list[Exception] = []
        self.broken_for: Published | None = None
        self.after_kick: Callable[[], None] = lambda: None

    async def kick(self, one: Published) -> bool:
        if self.troubles:
            raise self.troubles.pop(0)
        if one == self.broken_for:
            raise ValueError("odd bytes")
        was_there = one in self.provider.listed
        self.provider.listed = [other for other in self.provider.listed if other != one]
        self.kicked.append(one)
        self.after_kick()
        return was_there

    async def move(self, one: Published, name: str) -> bool:
        if any(other.key.path == f"live/{name}" for other in self.provider.listed):
            raise OrderRefused("the name is taken")
        moved = replace(one, key=replace(one.key, path=f"live/{name}"))
        self.provider.listed = [moved if one == other else other for other in self.provider.listed]
        return True

    def called(self, publisher: str) -> Iterable[str]:
        return (publisher,)

    def moved_path(self, path: str, name: str) -> str:
        return f"{path.partition('/')[0]}/{name}"

    def place(self, path: str) -> Location:
        return Location("rtmp", f"rtmp://h/{path}", "rtmp source at h")

    async def close(self) -> None:
        pass


class FakeReader:
    """Sees media whenever the provider lists the path that it watches."""

    def __init__(self, provider: FakeProvider, place: Location, clock: TickingClock) -> None:
        self._provider = provider
        self._path = place.url.removeprefix("rtmp://h/")
        self._clock = clock
        self._media_s: float | None = None
        self.is_blind = False
        self.is_refused = False
        self.ready_s: float | None = clock.now_s

    @property
    def media_s(self) -> float | None:
        listed = [] if self.is_blind else self._provider.listed
        if any(one.key.path == self._path for one in listed):
            self._media_s = self._clock.now_s
        return self._media_s


class Told:
    """The log: `events` in order; it breaks at the end of an action about `broken_for`."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.broken_for: str | None = None

    def append(self, events: Iterable[Event]) -> None:
        events = list(events)
        for one in events:
            data = one.data
            if isinstance(data, ActionVerifiedData) and data.stream.stream_id == self.broken_for:
                raise ValueError("odd bytes")
        known = {one.id for one in self.events}
        self.events += [one for one in events if one.id not in known]


class Counted:
    """The meter: how actions ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[Act, str]] = []
        self._changed = asyncio.Event()

    async def reached(self, count: int) -> None:
        """Wait until so many have ended."""
        while len(self.ends) < count:
            self._changed.clear()
            await self._changed.wait()

    def ended(self, act: Act, reason: str, took_s: float) -> None:
        assert took_s >= 0
        self.ends.append((act, reason))
        self._changed.set()


class FullDisk(ActionStore):
    """A file on a disk that is full; `n_full` steps are not kept before there is room again."""

    n_full = 0

    def note(self, kept: Kept, denial: Denial | None = None, hold: Hold | None = None) -> None:
        self._use()
        super().note(kept, denial, hold)

    def finish(self, order: Order, outcome: str) -> None:
        self._use()
        super().finish(order, outcome)

    def _use(self) -> None:
        if self.n_full:
            self.n_full -= 1
            raise LogUnavailable("the disk is full")


class Stage:
    """The parts of one enforcer, and what it acts on."""

    def __init__(
        self, folder: Path, platform: Platform | None = None, *, refuses: bool = False
    ) -> None:
        self.runner = asyncio.Runner()
        self.clock = TickingClock()
        self.provider = FakeProvider()
        self.control = FakeControl(self.provider)
        self.store = FullDisk(folder / "enforce")
        self.book = Book(self.store)
        self.told = Told()
        self.meter = Counted()
        reading = Reading(SECRET, RenditionRule(), self.control.called)
        self.site = Site(self.provider, self.control, reading)
        self.west = FakeProvider("west")
        self.sees_nothing = False
        means = Means(self.book, self.clock, self._reader, refuses_viewers=refuses)
        telling = Telling("/streamguard/test", self.told, self.clock)
        brake = Brake(BrakeRule(1), self.store)
        sites = [self.site, Site(self.west, FakeControl(self.west), reading)]
        self.actions = Actions(
            ActionParts(self.store, sites, means, telling, self.clock, self.meter, brake, platform)
        )

    def publish(self, path: str = "live/a", publisher: str = "1") -> Published:
        one = published(path, publisher)
        self.provider.listed.append(one)
        return one

    def publish_west(self, path: str = "live/a") -> Published:
        """Publish to another server."""
        one = published(path, "1", "west")
        self.west.listed.append(one)
        return one

    def order(
        self, one: Published, act: Act = "cut", decision: str = "d-1", **more: object
    ) -> Order:
        """Order something to be done to a publish, now."""
        now_s = self.clock.wall()
        fields = {
            "act": act,
            "stream_id": stream_id_of(SECRET, one.key.server, one.key.path),
            "publish": session_text(SECRET, one.key),
            "decided_s": now_s,
            "taken_s": now_s,
            "expires_s": now_s + 900.0,
        }
        return order(decision, **(fields | more))

    def close(self) -> None:
        """Release the file and the loop."""
        self.runner.close()
        self.store.close()

    @property
    def ends(self) -> list[str]:
        """Give how actions ended, in order."""
        return [reason for _, reason in self.meter.ends]

    @asynccontextmanager
    async def _reader(self, place: Location) -> AsyncIterator[FakeReader]:
        reader = FakeReader(self.provider, place, self.clock)
        reader.is_blind = reader.is_refused = self.sees_nothing
        yield reader


def unavailable() -> DiscoveryUnavailable:
    return DiscoveryUnavailable("server edge: it does not answer")
