"""A process that screens streams, with a decode pool, a writer and sources of the test's own."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.account import Account
from streamguard.core.bank_values import BankSettings
from streamguard.core.banks import Banks
from streamguard.core.events import Event, EventType
from streamguard.core.location import Location, parse_location
from streamguard.core.look import views_of
from streamguard.core.policy import Policy
from streamguard.core.ports import Decoder
from streamguard.core.record import Row
from streamguard.core.sampling import Sampling
from streamguard.core.timeline import Timeline
from streamguard.runtime.evidence import EvidenceStore
from streamguard.runtime.feeder import Source
from streamguard.runtime.parts import Parts, Stream
from streamguard.runtime.pool import DecodePool
from streamguard.runtime.rechecker import Rechecker
from streamguard.runtime.scheduler import Scheduler
from streamguard.runtime.stop import Stop
from streamguard.runtime.writer import LogWriter
from tests.clock import FakeClock
from tests.core_fakes import Pdq, banks, entry, flipped
from tests.runtime.fakes import FakeDecoder, frame_of, packet

PATIENCE_S = 60.0
LIVE = parse_location("http://127.0.0.1/live.ts")
FILE = parse_location("some.mp4")

T = TypeVar("T")
Opener = Callable[[Timeline], AbstractContextManager[Source]]


@dataclass
class EventList:
    """An event log in memory."""

    events: list[Event] = field(default_factory=list)

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        assert not accounts
        self.events += [event for event in events if isinstance(event, Event)]


@dataclass
class Stage:
    """What streams are screened with; `parts` is there while `run` runs."""

    make_decoder: Callable[[], Decoder] = FakeDecoder
    banks: Banks = field(default_factory=lambda: Banks(()))
    store: EvidenceStore | None = None
    clock: FakeClock = field(default_factory=lambda: FakeClock(1_000.0))
    meter: PrometheusMeter = field(default_factory=PrometheusMeter)
    log: EventList = field(default_factory=EventList)
    openers: dict[str, Iterator[Opener]] = field(default_factory=dict)
    n_opened: int = 0

    def stream(
        self,
        *openers: Opener,
        stream_id: str = "lobby",
        location: Location = LIVE,
        sampling: Sampling = Sampling.KEYFRAMES,
    ) -> Stream:
        """Describe a stream whose connections are opened one after another like this."""
        self.openers[stream_id] = iter(openers)
        return Stream(stream_id, Location(location.protocol, stream_id, location.label), sampling)

    def run(self, test: Callable[[Parts, Stop], Coroutine[Any, Any, T]]) -> T:
        """Run a test beside the pool and the writer; give what it returned."""

        async def main() -> T:
            writer = LogWriter(self.log, self.clock, self.meter)
            ids = iter(range(1, 1_000_000))
            with DecodePool(2, self.make_decoder, self.clock) as pool:
                parts = Parts(
                    source="/streamguard/test",
                    open_location=self._open,
                    banks=lambda: self.banks,
                    policy=Policy(),
                    pool=pool,
                    make_decoder=self.make_decoder,
                    writer=writer,
                    store=self.store,
                    clock=self.clock,
                    meter=self.meter,
                    mint=lambda: UUID(int=next(ids)),
                    rechecker=Rechecker(),
                    scheduler=Scheduler(pool, self.clock, self.meter, 0.5),
                )
                async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
                    tasks.create_task(writer.run())
                    try:
                        return await test(parts, Stop())
                    finally:
                        await writer.stop()

        return asyncio.run(main())

    def told(self, kind: EventType) -> list[Any]:
        """Give the data of all events of a kind."""
        return [event.data for event in self.log.events if event.type is kind]

    @property
    def kinds(self) -> list[str]:
        """Give the kinds of all events in a word or two: "stream.started"..."""
        return [event.type.removeprefix("org.streamguard.")[:-3] for event in self.log.events]

    def value(self, name: str, **labels: str) -> float:
        return self.meter.registry.get_sample_value(f"streamguard_{name}", labels) or 0.0

    def _open(self, location: Location, timeline: Timeline) -> AbstractContextManager[Source]:
        self.n_opened += 1
        return next(self.openers[location.url])(timeline)


def shown_hash() -> Pdq:
    """Give the hash of what every frame of the fake decoder shows."""
    frame = frame_of(packet(0))
    return views_of(frame.luma, full_range=frame.full_range)[0].pdq


def known_picture(
    n_bits: int = 0, *, name: str = "known", settings: BankSettings | None = None
) -> Banks:
    """Give a bank of what every frame of the fake decoder shows, or of what is so many bits off."""
    known = entry("film", {0: flipped(shown_hash(), n_bits)})
    return banks(known, name=name, settings=settings)
