"""The demux thread of one stream: reads packets, keeps the ring, chooses what is decoded.

Rule: it never decodes and never judges. Whatever happens to the source, the lane hears of each
epoch's begin and end and, last, of the source's end, so that segments and gaps always close.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import structlog

from streamguard.core.access_unit import is_disposable
from streamguard.core.coverage import LossLedger
from streamguard.core.drift import Drift
from streamguard.core.errors import StreamguardError
from streamguard.core.hands import MARK, NO_HANDS, SINCE_US, Hand, Hands
from streamguard.core.kept import CLIP_SOUNDS
from streamguard.core.sampling import Sampler, Step
from streamguard.core.types import Codec, GapReason, Packet
from streamguard.runtime.lane import Lane
from streamguard.runtime.notes import CaughtUp, EpochBegan, EpochEnded, SourceEnded, SourceOpened
from streamguard.runtime.ring import PacketRing

log = structlog.get_logger()


class Source(Protocol):
    """An opened stream."""

    codec: Codec

    def hear(self) -> None:
        """Read the sound, too, before all packets; `codec` tells of it then."""
        ...

    def packets(self, may_pass_over: Callable[[], bool]) -> Iterator[Packet]:
        """Yield the packets in the order of reading; raises a StreamguardError when it breaks.

        may_pass_over: asked after each keyframe whether what comes before the next matters.
        """
        ...


OpenSource = Callable[[], AbstractContextManager[Source]]
"""Opens the stream in the calling thread; raises a StreamguardError where that fails."""


class Feeder:
    """Reads one connection of one stream in a thread of its own."""

    def __init__(
        self,
        open_source: OpenSource,
        lane: Lane,
        ring: PacketRing,
        sampler: Sampler,
        losses: LossLedger,
        name: str,
        *,
        patience_s: float = 0.0,
        keeps_all: bool = True,
    ) -> None:
        """Make it for one connection.

        name: id of the stream.
        patience_s: how long to wait after each keyframe until it is judged, so that what comes
            close is sampled densely in time; 0 where that is known before a packet is asked for.
        keeps_all: evidence wants all packets, also those that are not decoded.
        """
        self._keeps_all = keeps_all
        self._patience_s = patience_s
        self._caught_up = threading.Event()
        self._is_ahead = False
        self._open_source = open_source
        self._lane = lane
        self._ring = ring
        self._sampler = sampler
        self._losses = losses
        self._name = name
        self._codec_name = ""
        self._stop = threading.Event()
        self.n_packets = 0
        self.newest: tuple[int, int] | None = None
        """The current epoch and its newest media time, microseconds; None before the first packet.

        One value, for it is read in another thread.
        """
        self.drift = Drift()
        """How far this connection has fallen behind."""
        self.read_until_s: float | None = None
        """When the last packet was read; None before the first one."""
        self._hands: Hands = NO_HANDS
        self._thread = threading.Thread(target=self._run, name=f"demux-{name}", daemon=True)

    def start(self, hands: Hands = NO_HANDS) -> None:
        """Begin to open and read; `hands` is where the thread leaves word of its stream."""
        self._hands = hands
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end after the packet it is waiting for; returns at once."""
        self._stop.set()
        self._caught_up.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; False when it is still blocked in a read."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._hands.run(self._read_all)

    def _read_all(self, hand: Hand) -> None:
        hand[SINCE_US], hand[MARK] = 0, self._lane.mark  # only a crash tells that it was at it
        for _ in self.packets():
            pass

    def packets(self) -> Generator[Packet, None, None]:
        """Read the connection to its end, in the calling thread, instead of starting one.

        Yields:
            Each packet when it has been handed on.
        """
        error: Exception | None = None
        try:
            with self._open_source() as source:
                if self._keeps_all:
                    self._hear(source)
                self._codec_name = source.codec.name
                if source.codec.n_tracks > 1:
                    others = source.codec.n_tracks - 1
                    log.warning("tracks_not_screened", stream_id=self._name, n_tracks=others)
                self._lane.open(source.codec)
                self._lane.note(SourceOpened(source.codec))
                yield from self._read(source)
        except StreamguardError as known:
            error = known
        except Exception as bug:  # noqa: BLE001  # handed to the task that watches this stream
            error = bug
        if self.newest is not None:
            self._lane.note(EpochEnded(*self.newest, is_last=True))
        self._lane.note(SourceEnded(error, self.n_packets))

    def _hear(self, source: Source) -> None:
        """Have the sound come along; say so where clips will be without it."""
        source.hear()
        sound = source.codec.sound
        if sound is not None and sound.name not in CLIP_SOUNDS:
            log.warning("sound_not_kept", stream_id=self._name, codec=sound.name)

    def _read(self, source: Source) -> Iterator[Packet]:
        for packet in source.packets(self._may_pass_over):
            self.n_packets += 1 + packet.n_passed_over
            if self.newest is None or packet.epoch != self.newest[0]:
                self._begin_epoch(packet)
            else:
                self.newest = (packet.epoch, max(self.newest[1], packet.pts_us))
            self.read_until_s = packet.read_at_s
            self.drift.read(packet.epoch, packet.dts_us, packet.read_at_s)
            self._ring.add(packet)
            self._hand_on(packet)
            if self._lane.failure is not None:
                raise self._lane.failure
            yield packet
            if self._stop.is_set():
                return

    def _begin_epoch(self, packet: Packet) -> None:
        if self.newest is not None:
            self._lane.note(EpochEnded(*self.newest, is_last=False))
        self.newest = (packet.epoch, packet.pts_us)
        self._lane.note(EpochBegan(packet.epoch, packet.pts_us, packet.read_at_s))
        if not packet.is_keyframe:
            self._losses.note(packet.epoch, packet.pts_us, GapReason.NO_KEYFRAME)

    def _hand_on(self, packet: Packet) -> None:
        if self._is_ahead and not packet.is_keyframe:
            self._wait_for_judgement()
        match self._sampler.step(packet):
            case Step.SKIP:
                pass
            case Step.KEYFRAME:
                self._lane.put(packet, in_order=False)
                self._is_ahead = self._patience_s > 0
            case Step.DENSE:
                self._put_in_order(packet)
            case Step.CATCH_UP:
                for earlier in self._ring.gop():
                    self._put_in_order(earlier, begins=earlier.is_start)

    def _put_in_order(self, packet: Packet, *, begins: bool = False) -> None:
        if self._sampler.needs_all_frames or not is_disposable(self._codec_name, packet.payload):
            self._lane.put(packet, in_order=True, begins=begins)

    def _may_pass_over(self) -> bool:
        if self._is_ahead:
            self._wait_for_judgement()
        return not self._keeps_all and self._sampler.wants_keyframes_alone

    def _wait_for_judgement(self) -> None:
        """Wait until all that was handed on has been judged, for a stop, or as long as allowed."""
        self._is_ahead = False
        self._caught_up.clear()
        if not self._stop.is_set():  # set before `stop` lets this thread go
            self._lane.note(CaughtUp(self._caught_up.set))
            self._caught_up.wait(self._patience_s)
