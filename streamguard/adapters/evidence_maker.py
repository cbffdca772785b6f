"""Makes the parts of an evidence, clip and stills, and has them kept.

Rule: one of the two is enough: a stream that gives no clip may still give a still, and a disk that
is too full for the clip may hold the still.
"""

from collections.abc import Iterator, Sequence

from streamguard.adapters.pyav_clip import COPIED, ClipMuxer
from streamguard.adapters.pyav_still import still_of
from streamguard.core.errors import EvidenceUnavailable
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
            EvidenceUnavailable: it cannot be made, or not be kept.
        """
        if not packets:
            raise EvidenceUnavailable("the packets of this stretch are no longer held")
        jpeg, blurhash = still_of(codec, packets, at_us)
        at_ms = at_us // 1000
        shown = next((each for each in packets if each.pts_us == at_us), packets[0])
        said = (DECODED, "clip" if codec.name in COPIED else "", _ingest_ms(self._clock, shown))
        part = Part("still", "image/jpeg", at_ms, at_ms, False, jpeg, *said)  # noqa: FBT003  # a record
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
        self._origin_us = self._file_us = self._end_us = 0
        self._number = self._n_bytes = 0

    def add(self, packets: Sequence[Packet]) -> list[Kept]:
        """Take packets in the order of reading; give the files that were completed.

        Raises:
            EvidenceUnavailable: they cannot be copied, or not be kept.
        """
        kept, since = [], 0
        for at, packet in enumerate(packets):
            if self._muxer is None:
                if not packet.is_start:
                    since = at + 1
                    continue
                self._origin_us = packet.dts_us
                self._begin(packets[at:])
            elif packet.is_keyframe and self._is_full(packet):
                kept += self._grow(self._muxer, packets[since:at], "file")
                self._number, since = self._number + 1, at
                self._begin(packets[at:])
        if self._muxer is not None:
            for some in _some_at_a_time(packets[since:]):
                self._grow(self._muxer, some, "")
        return kept

    def close(self) -> list[Kept]:
        """End the clip; give its last file.

        Raises:
            EvidenceUnavailable: it cannot be kept.
        """
        muxer, self._muxer = self._muxer, None
        return [] if muxer is None else self._grow(muxer, (), "clip")

    def _begin(self, packets: Sequence[Packet]) -> None:
        self._muxer = ClipMuxer(self._codec, packets, self._origin_us)
        self._file_us = self._end_us = packets[0].pts_us
        self._ingest_ms = _ingest_ms(self._clock, packets[0])
        self._n_bytes = 0

    def _is_full(self, packet: Packet) -> bool:
        return packet.pts_us - self._file_us >= FILE_US or self._n_bytes >= MAX_FILE_BYTES

    def _grow(self, muxer: ClipMuxer, packets: Sequence[Packet], ends: Ends) -> list[Kept]:
        self._end_us = max([self._end_us, *(packet.pts_us for packet in packets)])
        content = muxer.add(packets) + (muxer.close() if ends else b"")
        self._n_bytes += len(content)
        if not content and not ends:
            return []
        start_ms, end_ms = self._file_us // 1000, self._end_us // 1000
        piece = Piece(self._number, start_ms, end_ms, content, ends, self._ingest_ms)
        kept = self._keeper.grow(self._subject, piece)
        return [] if kept is None else [kept]


def _ingest_ms(clock: Clock, packet: Packet) -> int:
    """Say when a packet was read, milliseconds since 1970 UTC."""
    return round((clock.wall() - clock.monotonic() + packet.read_at_s) * 1000)


def _some_at_a_time(packets: Sequence[Packet]) -> Iterator[Sequence[Packet]]:
    """Give packets in their order, in pieces of about PIECE_BYTES."""
    since = n_bytes = 0
    for at, packet in enumerate(packets, 1):
        n_bytes += packet.size_bytes
        if n_bytes >= PIECE_BYTES or at == len(packets):
            yield packets[since:at]
            since, n_bytes = at, 0
