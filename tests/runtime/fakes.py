"""What stands behind the ports in tests of the runtime: decoders, sources, logs and stores.

Rule: each does what its port promises; a packet's payload says what becomes of it.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.coverage import LossLedger
from streamguard.core.errors import EvidenceWaits, SourceCorrupt
from streamguard.core.event_data import Artifact
from streamguard.core.hands import Hand
from streamguard.core.kept import Kept, Still, Subject
from streamguard.core.types import Codec, Frame, Packet, Sample
from streamguard.runtime.lane import Lane
from streamguard.runtime.mailbox import Mailbox
from streamguard.runtime.notes import Item, Note
from tests.clock import FakeClock

CODEC = Codec("h264", b"", 64, 64)
CORRUPT, BUG = b"corrupt", b"bug"
CORRUPT_AT_END, BUG_AT_END = b"corrupt at end", b"bug at end"
FRAME_US = 40_000

T = TypeVar("T")

BOXED, BLACK = b"boxed", b"black"

_NOISE = np.random.default_rng(5).integers(0, 256, (64, 64), dtype=np.uint8)
_PICTURES = {
    BOXED: np.pad(_NOISE[12:-12, 12:-12], 12, constant_values=16),
    BLACK: np.full_like(_NOISE, 16),
}


def packet(
    pts_us: int,
    *,
    is_keyframe: bool = True,
    epoch: int = 0,
    read_at_s: float | None = None,
    payload: bytes = b"x",
) -> Packet:
    """Give a packet that was read when it was presented, unless said otherwise."""
    at_s = pts_us / 1e6 if read_at_s is None else read_at_s
    return Packet(epoch, pts_us, pts_us, is_keyframe, at_s, payload)


def frame_of(packet: Packet) -> Frame:
    """Give a picture that can be matched, or what the payload says."""
    luma = _PICTURES.get(packet.payload, _NOISE)
    return Frame(packet, luma, lambda: np.dstack([luma] * 3), full_range=True, decoded_at_s=0.0)


@dataclass
class FakeInOrder:
    """Gives each frame when its successor comes, as a decoder of B-frames does."""

    decoded: list[Packet]
    held: list[Packet] = field(default_factory=list)

    def feed(self, packet: Packet) -> Sequence[Frame]:
        check(packet)
        self.decoded.append(packet)
        self.held.append(packet)
        return [frame_of(self.held.pop(0))] if len(self.held) > 1 else []

    def finish(self) -> Sequence[Frame]:
        held, self.held = self.held, []
        if any(packet.payload == BUG_AT_END for packet in held):
            raise ZeroDivisionError("a bug on purpose")
        if any(packet.payload == CORRUPT_AT_END for packet in held):
            raise SourceCorrupt("damaged on purpose")
        return [frame_of(packet) for packet in held]


@dataclass
class FakeDecoder:
    """Remembers what it was given, across its decoders in order."""

    alone: list[Packet] = field(default_factory=list)
    ordered: list[list[Packet]] = field(default_factory=list)
    codecs: list[Codec] = field(default_factory=list)

    def keyframe(self, codec: Codec, packet: Packet) -> Frame:
        check(packet)
        self.codecs.append(codec)
        self.alone.append(packet)
        return frame_of(packet)

    def in_order(self, codec: Codec) -> FakeInOrder:
        self.codecs.append(codec)
        self.ordered.append([])
        return FakeInOrder(self.ordered[-1])


def check(packet: Packet) -> None:
    """Fail as the payload says."""
    if packet.payload == CORRUPT:
        raise SourceCorrupt("damaged on purpose")
    if packet.payload == BUG:
        raise ZeroDivisionError("a bug on purpose")


@dataclass
class FakeSource:
    """Gives packets, and an error at their end; calls `on_read` before each."""

    given: Sequence[Packet]
    error: Exception | None = None
    on_read: Callable[[Packet], None] = lambda _: None
    codec: Codec = CODEC
    is_closed: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.is_closed = True

    def hear(self) -> None:
        """Have no sound."""

    def packets(self, may_pass_over: Callable[[], bool]) -> Iterator[Packet]:
        for packet in self.given:
            self.on_read(packet)
            yield packet
        if self.error is not None:
            raise self.error


@dataclass
class Bench:
    """A lane between a reader and a decode pool of the test's own hands."""

    waits: bool
    meter: PrometheusMeter = field(default_factory=PrometheusMeter)
    losses: LossLedger = field(default_factory=LossLedger)
    clock: FakeClock = field(default_factory=FakeClock)
    decoder: FakeDecoder = field(default_factory=FakeDecoder)
    n_ready: int = 0

    def __post_init__(self) -> None:
        self.mailbox: Mailbox[Sample, Note] = Mailbox(1_000_000, on_drop=lambda _: None)
        self.lane = Lane(
            self.mailbox, self.losses, self._ready, self.clock, self.meter, waits=self.waits
        )
        self.lane.open(CODEC)

    def _ready(self, _: Lane) -> None:
        self.n_ready += 1

    def work_off(self) -> None:
        """Do all that waits, as a pool thread does."""
        while self.n_ready:
            self.n_ready -= 1
            while self.lane.work(self.decoder):
                pass

    async def items(self) -> list[Item]:
        """Take what has reached the mailbox."""
        return [item for _ in range(len(self.mailbox)) if (item := await self.mailbox.get(0))]

    async def sampled_us(self) -> list[int]:
        return [item.pts_us for item in await self.items() if isinstance(item, Sample)]

    def dropped(self, reason: str) -> float:
        name = "streamguard_samples_dropped_total"
        return self.meter.registry.get_sample_value(name, {"reason": reason}) or 0.0


def on_loop(test: Callable[[Bench], object], *, waits: bool = False) -> None:
    """Run a test with a bench on an event loop."""

    async def main() -> None:
        result = test(Bench(waits))
        if asyncio.iscoroutine(result):
            await result

    asyncio.run(main())


def wait_for(event: threading.Event) -> None:
    """Wait for another thread; fail where it does not come."""
    assert event.wait(30)


@dataclass
class FakeHands:
    """Keeps the hands that threads were given, each as it stands."""

    given: list[list[int]] = field(default_factory=list)

    def run(self, work: Callable[[Hand], T]) -> T:
        hand = [0, 0]
        self.given.append(hand)
        return work(hand)


@dataclass
class FakeClip:
    """A clip of one file; `error` is raised instead of taking packets.

    away: is raised, one after another, by calls that keep nothing; what they bring is held.
    """

    name: str
    error: Exception | None = None
    packets: list[Packet] = field(default_factory=list)
    is_closed: bool = False
    away: list[EvidenceWaits] = field(default_factory=list)

    def add(self, packets: Sequence[Packet]) -> list[Kept]:
        if self.error is not None:
            raise self.error
        self.packets += packets
        if self.away:
            raise self.away.pop()
        return []

    def close(self) -> list[Kept]:
        if self.away:
            raise self.away.pop()
        self.is_closed = True
        return [kept(f"{self.name}/clip.mp4", len(self.packets))] if self.packets else []


@dataclass
class FakeStore:
    """Keeps what it is asked to store, of one session or all; `error` is raised instead.

    away: as FakeClip's, of all clips and stills.
    """

    error: Exception | None = None
    away: list[EvidenceWaits] = field(default_factory=list)
    stills: list[tuple[str, int, tuple[Packet, ...]]] = field(default_factory=list)
    clips: list[FakeClip] = field(default_factory=list)

    def still(
        self, name: str | Subject, codec: Codec, packets: tuple[Packet, ...], at_us: int
    ) -> Still:
        if self.error is not None:
            raise self.error
        if self.away:
            raise self.away.pop()
        self.stills.append((named(name), at_us, packets))
        return Still(kept(f"{named(name)}/{at_us}.jpg", len(packets)), "blurred")

    def clip(self, name: str | Subject, codec: Codec) -> FakeClip:
        self.clips.append(FakeClip(named(name), self.error, away=self.away))
        return self.clips[-1]


def named(name: str | Subject) -> str:
    return name.evidence_id if isinstance(name, Subject) else name


def kept(name: str, size_bytes: int) -> Kept:
    return Kept((Artifact(uri=f"file:///{name}", sha256="0" * 64, size_bytes=size_bytes),))
