"""Makes the parts of an evidence, clip and stills, and has them kept.

Rule: one of the two is enough: a stream that gives no clip may still give a still, and a disk that
is too full for the clip may hold the still.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from streamguard.adapters.pyav_clip import COPIED, ClipMuxer
from streamguard.adapters.pyav_still import still_of
from streamguard.core.errors import EvidenceUnavailable, EvidenceWaits
from streamguard.core.kept import MAX_FILE_BYTES, Ends, Keeper, Kept, Part, Piece, Still, Subject
from streamguard.core.ports import Clock
from streamguard.core.types import Codec, Packet

PIECE_BYTES = 1 << 20
"""Packets that are handed over at a time, about: what came before a flag is 3 MB at 4.5 Mbit/s, of
which there would be four copies in memory, and whoever watches waits for the first bytes alone."""

FILE_US = 60_000_000
"""Media time of a file of a clip; the next one begins with the keyframe after it."""

DECODED = "one frame, decoded and encoded as JPEG"
"""What was done to what the publisher sent, for a still."""


class EvidenceMaker:
    """A store of evidence, but for the storing; in any thread."""

    def __init__(self, keeper: Keeper, clock: Clock) -> None:
        """Take who keeps them, and the clock by which the packets were read."""
        self._keeper = keeper
        self._clock = clock

    def still(
        self, subject: Subject, codec: Codec, packets: tuple[Packet, ...], at_us: int
    ) -> Still:
        """Keep a still of the frame at a media time.

        Raises:
            EvidenceUnavailable: it cannot be made.
            EvidenceWaits: it cannot be kept now.
        """
        if not packets:
            raise EvidenceUnavailable("the packets of this stretch are no longer held")
        jpeg, blurhash = still_of(codec, packets, at_us)
        at_ms = at_us // 1000
        shown = next((each for each in packets if each.pts_us == at_us), packets[0])
        said = (DECODED, "clip" if codec.name in COPIED else "", _ingest_ms(self._clock, shown))
        part = Part("still", "image/jpeg", at_ms, at_ms, False, jpeg, *said)  # noqa: FBT003  # a record
        with _held():
            return Still(self._keeper.collect(subject, (part,)), blurhash)

    def clip(self, subject: Subject, codec: Codec) -> "Clip":
        """Begin a clip; nothing is kept of it before packets are added."""
        return Clip(self._keeper, subject, codec, self._clock)


class Clip:
    """A clip that grows; one thread at a time."""

    def __init__(self, keeper: Keeper, subject: Subject, codec: Codec, clock: Clock) -> None:
        self._keeper = keeper
        self._clock = clock
        self._ingest_ms = 0
        self._subject = subject
        self._codec = codec
        self._muxer: ClipMuxer | None = None
        self._packets: list[Packet] = []  # that are in no piece yet
        self._piece: Piece | None = None  # that is not kept yet
        self._kept: list[Kept] = []  # that nobody was told of yet
        self._origin_us: int | None = None
        self._file_us = self._end_us = 0
        self._number = self._n_bytes = 0

    def add(self, packets: Sequence[Packet]) -> list[Kept]:
        """Take packets in the order of reading; give the files that were completed.

        Raises:
            EvidenceUnavailable: they cannot be copied.
            EvidenceWaits: they cannot be kept now; they are held.
        """
        self._packets += packets
        self._keep()
        kept, self._kept = self._kept, []
        return kept

    def close(self) -> list[Kept]:
        """End the clip; give its last file. Raises as `add`, and may be tried again as well."""
        self._keep()
        muxer, self._muxer = self._muxer, None
        if muxer is not None:
            self._piece = self._made(muxer.close(), "clip")
        return self.add(())

    def _keep(self) -> None:
        """Have kept what waits."""
        while self._piece or self._next_piece():
            assert self._piece is not None  # noqa: S101  # there is one
            with _held():
                kept = self._keeper.grow(self._subject, self._piece)
            self._piece = None
            if kept is not None:
                self._kept.append(kept)

    def _next_piece(self) -> bool:
        """Make a piece of packets that wait; say whether there is one."""
        try:
            self._make_piece()
        except EvidenceUnavailable:
            self._packets.clear()
            if self._muxer is not None and self._n_bytes and self._piece is None:
                self._piece = self._made(b"", "clip")  # it ends with what came before
            self._muxer = None
            raise
        return self._piece is not None

    def _make_piece(self) -> None:
        if self._muxer is None:
            starts = (at for at, packet in enumerate(self._packets) if packet.is_start)
            del self._packets[: next(starts, len(self._packets))]
        while self._packets:
            if self._muxer is None:
                self._begin()
            assert self._muxer is not None  # noqa: S101  # it was begun
            n_taken, is_full = self._run()
            taken = self._packets[:n_taken]
            del self._packets[:n_taken]
            content = self._muxer.add(taken)
            self._end_us = max([self._end_us, *(packet.pts_us for packet in taken)])
            if is_full:
                self._piece = self._made(content + self._muxer.close(), "file")
                self._number += 1
                self._begin()
            elif content:
                self._piece = self._made(content, "")
            if self._piece:
                return

    def _run(self) -> tuple[int, bool]:
        """Count the packets of the next piece, and say whether it is the last of its file."""
        n_bytes = 0
        for at, packet in enumerate(self._packets):
            if packet.is_keyframe and self._is_full(packet):
                return at, True
            n_bytes += packet.size_bytes
            if n_bytes >= PIECE_BYTES:
                return at + 1, False
        return len(self._packets), False

    def _begin(self) -> None:
        """Begin a file with the packets that wait."""
        first = self._packets[0]
        if self._origin_us is None:
            self._origin_us = first.dts_us
        self._muxer = ClipMuxer(self._codec, self._packets, self._origin_us)
        self._file_us = self._end_us = first.pts_us
        self._ingest_ms = _ingest_ms(self._clock, first)
        self._n_bytes = 0

    def _is_full(self, packet: Packet) -> bool:
        return packet.pts_us - self._file_us >= FILE_US or self._n_bytes >= MAX_FILE_BYTES

    def _made(self, content: bytes, ends: Ends) -> Piece:
        self._n_bytes += len(content)
        start_ms, end_ms = self._file_us // 1000, self._end_us // 1000
        return Piece(self._number, start_ms, end_ms, content, ends, self._ingest_ms)


def _ingest_ms(clock: Clock, packet: Packet) -> int:
    """Say when a packet was read, milliseconds since 1970 UTC."""
    return round((clock.wall() - clock.monotonic() + packet.read_at_s) * 1000)


@contextmanager
def _held() -> Iterator[None]:
    """Say that what cannot be kept is not lost by that."""
    try:
        yield
    except EvidenceUnavailable as error:
        raise EvidenceWaits(str(error)) from None
