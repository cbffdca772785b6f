"""One stream's way through the decode pool: bounded, in order, every loss counted.

Rule: a live lane drops its oldest packets when it is full; a file's is worked off by its reader.
Decoding in order that lost a packet resumes at the next keyframe, never in the middle.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from streamguard.core.budget import ErrorBudget
from streamguard.core.coverage import LossLedger
from streamguard.core.errors import SourceCorrupt
from streamguard.core.look import views_of
from streamguard.core.ports import Clock, Decoder, DropReason, InOrder, Meter
from streamguard.core.region_memory import RegionMemory
from streamguard.core.sampling import FramePicker
from streamguard.core.types import Codec, Frame, GapReason, Packet, Sample
from streamguard.runtime.asker import Asker
from streamguard.runtime.mailbox import Mailbox
from streamguard.runtime.notes import EpochEnded, Note, SourceEnded

MAX_WAITING = 512
"""Packets that one lane holds: eight seconds of dense 60 fps video, minutes of keyframes."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Encoded bytes that one lane holds, whichever is reached first."""

MAX_AGE_S = 5.0
"""A live lane sheds when its oldest packet has waited so long: newer ones matter more."""

AT_ONCE_S = -math.inf
"""When a note is due: before every packet."""

_GAP_REASONS: Mapping[DropReason, GapReason] = {
    "lane_full": GapReason.OVERLOAD,
    "mailbox_full": GapReason.OVERLOAD,
    "decode_error": GapReason.DECODE_ERROR,
    "stopped": GapReason.INTERRUPTED,
    "model_full": GapReason.OVERLOAD,
    "stale": GapReason.OVERLOAD,
}


@dataclass(frozen=True, slots=True)
class Work:
    """One packet to decode: alone (a keyframe), or after its predecessors.

    begins: what was decoded in order before does not lead here.
    """

    packet: Packet
    in_order: bool
    begins: bool = False


class Lane:
    """The bounded queue of one stream, and what decoding it needs from one packet to the next."""

    def __init__(
        self,
        mailbox: Mailbox[Sample, Note],
        losses: LossLedger,
        on_ready: Callable[["Lane"], None],
        clock: Clock,
        meter: Meter,
        *,
        waits: bool,
        asker: Asker | None = None,
        mark: int = 0,
    ) -> None:
        """Make it empty.

        mark: of the stream, for whoever has it in hand.
        on_ready: is told when there is work; it may do it at once.
        waits: a file has time: nothing is shed, and damage is reckoned by the file's own time.
        """
        self.mark = mark
        self._asker = asker
        self._mailbox = mailbox
        self._losses = losses
        self._on_ready = on_ready
        self._clock = clock
        self._meter = meter
        self._waits = waits
        self._waiting: deque[Work | Note] = deque()
        self._waiting_bytes = 0
        self._is_busy = False
        self._working_us: int | None = None
        self._needs_keyframe = False
        self._is_closed = False
        self._lock = threading.Lock()
        self._picker = FramePicker()
        self._epoch = -1
        self._memory = RegionMemory()
        self._budget = ErrorBudget()
        self._in_order: InOrder | None = None
        self._codec = Codec("", b"", 0, 0)
        self.n_frames = 0
        """Frames that were decoded."""
        self.n_dropped = 0
        """Packets that were not decoded for want of time."""
        self.failure: Exception | None = None
        """Why this stream cannot go on; the reader raises it."""

    def open(self, codec: Codec) -> None:
        """Begin a connection: decoders of the one before do not fit."""
        with self._lock:
            self._codec = codec
            self._in_order = None
            self._needs_keyframe = False
            self.failure = None

    def put(self, packet: Packet, *, in_order: bool, begins: bool = False) -> None:
        """Queue a packet for decoding; the demux thread."""
        with self._lock:
            is_late = self._is_full() or packet.read_at_s - self._oldest_s() > MAX_AGE_S
            if is_late and not self._waits:
                self._shed()
            if self._is_closed or (self._needs_keyframe and not packet.is_start):
                self._drop(packet, "stopped" if self._is_closed else "lane_full")
                return
            begins = begins or (self._needs_keyframe and packet.is_poor_start)
            self._needs_keyframe = False
            self._waiting_bytes += len(packet.payload)
            was_idle = self._append(Work(packet, in_order, begins))
        if was_idle:
            self._on_ready(self)

    def note(self, note: Note) -> None:
        """Queue a note; it reaches the mailbox after all samples of earlier packets."""
        with self._lock:
            was_idle = self._append(note)
        if was_idle:
            self._on_ready(self)

    def close(self) -> None:
        """Take no more packets; what is queued is still decoded."""
        with self._lock:
            self._is_closed = True

    @property
    def due_s(self) -> float:
        """When the next piece of work was read; notes come at once."""
        with self._lock:
            head = self._waiting[0] if self._waiting else None
        return head.packet.read_at_s if isinstance(head, Work) else AT_ONCE_S

    def floor_us(self) -> int | None:
        """Media time before which no sample is outstanding here; None when nothing is."""
        with self._lock:
            times = [w.packet.pts_us for w in self._waiting if isinstance(w, Work)]
            if self._working_us is not None:
                times.append(self._working_us)
            return min(times, default=None)

    def oldest_s(self) -> float | None:
        """Give when the oldest packet that waits was read; None when none waits."""
        with self._lock:
            oldest_s = self._oldest_s()
        return None if oldest_s == math.inf else oldest_s

    def work(self, decoder: Decoder) -> bool:
        """Do the oldest piece of work; return whether more waits. One pool thread at a time.

        All of it may have been shed since the lane was offered: then there is nothing to do.

        Raises:
            Exception: a bug; the caller notes it and calls `settle`.
        """
        with self._lock:
            work = self._waiting.popleft() if self._waiting else None
            if isinstance(work, Work):
                self._waiting_bytes -= len(work.packet.payload)
                self._working_us = work.packet.pts_us
        if isinstance(work, Work):
            self._decode(decoder, work)
        elif work is not None:
            self._pass_on(work)
        return self.settle()

    def settle(self) -> bool:
        """End a piece of work; return whether more waits."""
        with self._lock:
            self._is_busy = bool(self._waiting)
            if not self._is_busy:
                self._working_us = None
            return self._is_busy

    def _pass_on(self, note: Note) -> None:
        """Let a note follow the last sample before it; whatever happens, it arrives."""
        try:
            self._finish_order()
        except Exception as bug:  # noqa: BLE001  # told with the end of the source
            self.failure = bug
        if isinstance(note, SourceEnded) and note.error is None:
            note = replace(note, error=self.failure)
        self._mailbox.note(note)
        if self._asker and isinstance(note, EpochEnded):
            self._asker.epoch_ended(note)

    def _append(self, work: Work | Note) -> bool:
        """Queue a piece of work; say whether nobody is at work, so that the lane is to be offered.

        It is offered without the lock: whoever takes it may decode at once.
        """
        self._waiting.append(work)
        was_idle, self._is_busy = not self._is_busy, True
        return was_idle

    def _is_full(self) -> bool:
        return len(self._waiting) >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES

    def _oldest_s(self) -> float:
        times = (work.packet.read_at_s for work in self._waiting if isinstance(work, Work))
        return next(times, math.inf)

    def _shed(self) -> None:
        """Drop the oldest packet, and with it all that cannot be decoded without it."""
        works, self._waiting = self._waiting, deque()
        is_first, is_shedding = True, True
        for work in works:
            if is_shedding and isinstance(work, Work):
                if is_first or not work.packet.is_keyframe:
                    is_first = False
                    self._waiting_bytes -= len(work.packet.payload)
                    self._drop(work.packet, "lane_full")
                    continue
                is_shedding = False
            self._waiting.append(work)
        self._needs_keyframe = is_shedding

    def _drop(self, packet: Packet, reason: DropReason) -> None:
        self.n_dropped += 1
        self._lose(packet, reason)

    def _lose(self, packet: Packet, reason: DropReason) -> None:
        self._losses.note(packet.epoch, packet.pts_us, _GAP_REASONS[reason])
        self._meter.dropped(reason)

    def _decode(self, decoder: Decoder, work: Work) -> None:
        start_s = self._clock.monotonic()
        self._meter.stage("queue", start_s - work.packet.read_at_s)
        try:
            if work.begins:
                self._finish_order()
            if work.in_order:
                self._in_order = self._in_order or decoder.in_order(self._codec)
                frames = self._in_order.feed(work.packet)
            else:
                self._finish_order()
                frames = [decoder.keyframe(self._codec, work.packet)]
        except SourceCorrupt as error:
            self._lose(work.packet, "decode_error")
            # a file is read in no time: its own tells whether damage comes in bursts
            if not self._budget.spend(work.packet.pts_us / 1e6 if self._waits else start_s):
                self.failure = error
            return
        self._meter.stage("decode", self._clock.monotonic() - start_s)
        self.n_frames += len(frames)
        for frame in frames:
            self._look(frame)

    def _finish_order(self) -> None:
        """Leave decoding in order: give out what was held back, and free the decoder."""
        in_order, self._in_order = self._in_order, None
        if in_order is None:
            return
        try:
            frames = in_order.finish()
        except SourceCorrupt:
            self._meter.dropped("decode_error")
            return
        for frame in frames:
            self._look(frame)

    def _look(self, frame: Frame) -> None:
        """Reduce a frame to hashes; the picture goes no further."""
        packet = frame.packet
        if not self._picker.wants(packet.epoch, packet.pts_us, is_keyframe=packet.is_keyframe):
            return
        if packet.epoch != self._epoch:
            self._epoch, self._memory = packet.epoch, RegionMemory()
        start_s = self._clock.monotonic()
        memory = self._memory if frame.is_whole else RegionMemory()
        views = views_of(frame.luma, full_range=frame.full_range, memory=memory)
        now_s = self._clock.monotonic()
        self._meter.stage("hash", now_s - start_s)
        self._mailbox.put(
            Sample(
                *(packet.epoch, packet.pts_us, packet.is_keyframe, packet.read_at_s, now_s),
                views,
                is_whole=frame.is_whole,
            )
        )
        if self._asker and frame.is_whole:
            self._asker.ask(frame)  # after the hashes are on their way: they wait for no model
