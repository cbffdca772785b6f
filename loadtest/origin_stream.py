"""One live stream of the origin: which frames are due when, and who gets them.

Rule: it goes on by the clock whether anybody listens or not; who cannot keep up is let go. An
instant of sending is that of the first try: what a full socket delays is the receiver's doing.
"""

import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from loadtest.origin_content import RATE
from loadtest.ts_blocks import TICKS_S, Block, TsFrame

MAX_BEHIND_BYTES = 8 * 1024 * 1024
"""What waits for one listener before it is let go: 14 s of 4.5 Mbit/s."""

KNOWN_BLOCKS_S = 2
"""Seconds of the known clip at least; whole GOPs, so with long ones more."""

START_TICKS = 3600 * TICKS_S
"""First decode time of a stream: no zero that might hide a mistake."""

Tell = Callable[[str, str, int, float], None]
"""Takes what happened, the stream, the PTS in ticks and the instant.

A "keyframe" or the first one of a "clip" was sent; of a connection, by which time it came
("connect"), had its first frames ("join") or would take no more ("gone")."""


@dataclass(slots=True)
class Listener:
    """A connection that gets a stream, and what its socket would not take yet."""

    connection: socket.socket
    waiting: bytes = b""
    is_new: bool = True

    def send(self, parts: Sequence[bytes]) -> bool:
        """Send, never waiting; False when the listener is gone or too slow."""
        if self.waiting:
            parts = (self.waiting, *parts)
        try:
            n_sent = self.connection.sendmsg(parts)
        except BlockingIOError:
            n_sent = 0
        except OSError:
            return False
        is_all = n_sent == sum(map(len, parts))
        self.waiting = b"" if is_all else b"".join(parts)[n_sent:]
        return len(self.waiting) <= MAX_BEHIND_BYTES


class LiveStream:
    """One stream, from its phase on."""

    def __init__(
        self,
        name: str,
        source: Sequence[Block],
        known: Sequence[Block],
        tell: Tell,
        insert_every_s: float,
    ) -> None:
        """Make it ready; insert_every_s: mean distance of two known clips, 0 for none."""
        self.name = name
        self.listeners: list[Listener] = []
        self.n_let_go = 0
        self._source, self._known, self._tell = source, known, tell
        self._insert_every_s = insert_every_s
        self._random = random.Random(name)
        self._n_known_left = 0
        self._n_blocks = self._random.randrange(len(source))
        self._base_ticks = START_TICKS
        self._block: Block = source[0]
        self._at = len(self._block)
        self._insert_at_s = self._next_insert_s()

    def join(self, listener: Listener, came_s: float) -> None:
        """Let a listener have the stream from its next frame on."""
        self._tell("connect", self.name, 0, came_s)
        self.listeners.append(listener)

    def send(self, n_frames: int) -> None:
        """Send so many frames to all who listen."""
        parts: list[bytes] = []
        told: list[tuple[str, int]] = []
        for _ in range(n_frames):
            if self._at == len(self._block):
                self._next_block(told)
            frame = self._block[self._at]
            self._at += 1
            if self.listeners:
                parts += (frame.stamped(self._base_ticks), frame.rest)
        if self.listeners:
            told += ((kind, 0) for kind in self._send_chunk(parts))
        now_s = time.monotonic()
        for kind, pts in told:
            self._tell(kind, self.name, pts, now_s)

    def _send_chunk(self, parts: list[bytes]) -> Iterator[str]:
        """Send one chunk of HTTP/1.1; say which listeners join with it, and which are gone."""
        chunk = [b"%x\r\n" % sum(map(len, parts)), *parts, b"\r\n"]
        for listener in tuple(self.listeners):
            if not listener.send(chunk):
                listener.connection.close()
                self.listeners.remove(listener)
                self.n_let_go += 1
                yield "gone"
            elif listener.is_new:
                listener.is_new = False
                yield "join"

    def end(self) -> None:
        """Let all listeners go, as when a broadcast ends."""
        for listener in self.listeners:
            listener.send([b"0\r\n\r\n"])
            listener.connection.close()
        self.listeners.clear()

    def _next_block(self, told: list[tuple[str, int]]) -> None:
        """Go on with the next GOP: of the source, or of the known clip where one is due."""
        if self._at:
            self._base_ticks += len(self._block) * TICKS_S // RATE
        self._at = 0
        self._n_blocks += 1
        is_first = self._is_insert_due()
        if is_first:
            gop_s = len(self._source[0]) / RATE
            self._n_known_left = max(1, round(KNOWN_BLOCKS_S / gop_s))
            self._insert_at_s = self._next_insert_s()
        blocks = self._known if self._n_known_left else self._source
        self._n_known_left = max(0, self._n_known_left - 1)
        self._block = blocks[self._n_blocks % len(blocks)]
        pts = self._base_ticks + first(self._block).pts_ticks
        told.append(("clip" if is_first else "keyframe", pts))

    def _is_insert_due(self) -> bool:
        is_due = self._insert_every_s > 0 and self._media_s() >= self._insert_at_s
        return is_due and not self._n_known_left

    def _next_insert_s(self) -> float:
        """Draw when the next clip begins: half to one and a half times the mean distance."""
        return self._media_s() + self._insert_every_s * self._random.uniform(0.5, 1.5)

    def _media_s(self) -> float:
        return (self._base_ticks - START_TICKS) / TICKS_S


def first(block: Block) -> TsFrame:
    """Give a block's keyframe."""
    return block[0]
