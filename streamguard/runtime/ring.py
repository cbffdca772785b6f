"""The last seconds of a stream, as packets in memory: for catching up and for evidence.

Rule: bounded in media time and in bytes; whole GOPs leave, so it always begins with a keyframe, or
where a picture without keyframes begins to be renewed.
It never touches a disk.
"""

import threading
from collections import deque
from collections.abc import Callable

from streamguard.core.types import Packet

RING_US = 15_000_000
"""Media time kept behind the newest screened sample, microseconds."""

MAX_RING_BYTES = 32 * 1024 * 1024
"""Bytes kept of one stream: 15 s at 17 Mbit/s; a fatter stream keeps less time."""


class PacketRing:
    """The newest packets of a stream; the demux thread adds, others take copies of the list."""

    def __init__(
        self,
        watermark_us: Callable[[], int | None] = lambda: None,
        *,
        keep_us: int = RING_US,
        max_bytes: int = MAX_RING_BYTES,
    ) -> None:
        """watermark_us: media time up to which samples are judged; nothing near it may leave."""
        self._watermark_us = watermark_us
        self._keep_us = keep_us
        self._max_bytes = max_bytes
        self._packets: deque[Packet] = deque()
        self._previous: tuple[Packet, ...] = ()  # the end of the epoch before: evidence may want it
        self._previous_bytes = 0
        self._keyframes = 0
        self._size_bytes = 0
        self._lock = threading.Lock()

    def add(self, packet: Packet) -> None:
        """Append a packet in the order of reading; a new epoch begins a new run."""
        with self._lock:
            if self._packets and self._packets[-1].epoch != packet.epoch:
                self._previous, self._previous_bytes = tuple(self._packets), self._size_bytes
                self._packets.clear()
                self._keyframes = self._size_bytes = 0
            if not self._packets and not packet.is_start:
                return
            self._packets.append(packet)
            self._keyframes += packet.is_start
            self._size_bytes += packet.size_bytes
            if packet.is_start or self.size_bytes > self._max_bytes:
                self._evict(packet.pts_us)

    def gop(self) -> tuple[Packet, ...]:
        """Give the packets from the newest keyframe on, in the order of reading."""
        with self._lock:
            found: list[Packet] = []
            for packet in reversed(self._packets):
                found.append(packet)
                if packet.is_start:
                    break
            return tuple(reversed(found))

    def between(self, epoch: int, start_us: int, end_us: int) -> tuple[Packet, ...]:
        """Give what is held from the last keyframe at or before `start_us` up to `end_us`.

        Empty where that epoch is no longer held.
        """
        with self._lock:
            runs = (tuple(self._packets), self._previous)
        held = next((run for run in runs if run and run[0].epoch == epoch), ())
        first = 0
        for index, packet in enumerate(held):
            if packet.is_start and packet.pts_us <= start_us:
                first = index
        return tuple(packet for packet in held[first:] if packet.dts_us <= end_us)

    def since(self, last: Packet) -> tuple[Packet, ...]:
        """Give what was read after a packet, of its epoch; all that is held where it has left."""
        with self._lock:
            for run in (self._packets, self._previous):
                found: list[Packet] = []
                for packet in reversed(run):
                    if packet is last:
                        break
                    found.append(packet)
                if found and found[-1].epoch == last.epoch:
                    return tuple(reversed(found))
        return ()

    def holds(self, epoch: int, pts_us: int) -> bool:
        """Say whether packets around a media time are held."""
        with self._lock:
            runs = (tuple(self._packets), self._previous)
        return any(
            run[0].epoch == epoch and run[0].pts_us <= pts_us <= max(each.pts_us for each in run)
            for run in runs
            if run
        )

    @property
    def size_bytes(self) -> int:
        """Encoded bytes held."""
        return self._size_bytes + self._previous_bytes

    def _evict(self, newest_us: int) -> None:
        if self.size_bytes > self._max_bytes:
            self._forget_previous()
        watermark_us = self._watermark_us()
        behind_us = newest_us if watermark_us is None else min(watermark_us, newest_us)
        while self._keyframes > 1 and (
            self._size_bytes > self._max_bytes
            or self._second_keyframe_us() <= behind_us - self._keep_us
        ):
            self._drop_gop()
            self._forget_previous()
        if self._size_bytes > self._max_bytes:  # one endless GOP: begin anew at the next keyframe
            self._packets.clear()
            self._keyframes = self._size_bytes = 0

    def _forget_previous(self) -> None:
        self._previous, self._previous_bytes = (), 0

    def _second_keyframe_us(self) -> int:
        """Give the time from which the ring would still reach back if its first GOP left."""
        keyframes = (packet.pts_us for packet in self._packets if packet.is_start)
        next(keyframes)
        return next(keyframes)

    def _drop_gop(self) -> None:
        dropped = self._packets.popleft()
        self._keyframes -= 1
        self._size_bytes -= dropped.size_bytes
        while not self._packets[0].is_start:
            self._size_bytes -= self._packets.popleft().size_bytes


def last_gop() -> PacketRing:
    """Make a ring for a stream of which no evidence is kept: dense sampling may begin in its GOP.

    Fifteen seconds of packets would be 8 MB of a stream of 4.5 Mbit/s.
    """
    return PacketRing(keep_us=0)
