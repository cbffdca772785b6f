"""Makes the clip of a flag from the ring's packets, piece by piece, as they come.

Rule: the clip holds the publisher's own packets, remuxed into fragmented MP4 and never encoded
anew. All of it happens in memory, of which no more is held than one fragment.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from typing import cast

import av
from av.container import OutputContainer
from av.packet import Packet as AvPacket
from av.video.stream import VideoStream

from streamguard.adapters.pyav_clip_sound import ClipSound, can_copy
from streamguard.adapters.pyav_decoder import IN_BAND
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.types import Codec, Packet

TIME_BASE = Fraction(1, 90_000)
"""Ticks of the clip's timeline: MPEG's clock, in which common frame rates are whole numbers."""

FRAGMENT_US = 500_000
"""Media time of a fragment: who looks on sees what happened so long ago at most. A fragment costs
200 bytes: 0.1 % of a stream of 4.5 Mbit/s."""

COPIED = IN_BAND | {"av1"}
"""Codecs whose video is copied into MP4."""

OPTIONS = {
    # absolute times, so that a later file of a clip goes on where the one before it ended
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer",
    "frag_duration": str(FRAGMENT_US),
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
    "flush_packets": "1",
    "max_interleave_delta": str(FRAGMENT_US),  # a silent track holds the other up so long at most
}

_AV1_CONFIG_BYTES = 4
"""Of av1C, before the units in it. Source: AV1 Codec ISO Media File Format Binding, 2.3.3."""

_AV1_SEQUENCE, _AV1_PICTURES = 1, {3, 6}  # a frame's header, alone or with the frame


class ClipMuxer:
    """One file of a clip; one thread at a time.

    Its timeline is that of the whole clip, which begins at `origin_us`.
    """

    def __init__(self, codec: Codec, packets: Sequence[Packet], origin_us: int) -> None:
        """Begin a file with packets, of which at the first decoding may begin; none is added yet.

        Raises:
            EvidenceUnavailable: the codec cannot be copied into MP4, or this is no video.
        """
        if codec.name not in COPIED:
            raise EvidenceUnavailable(
                f"clips are made of H.264, H.265 and AV1, not of {codec.name}"
            )
        first = packets[0]
        self._sink = _Sink()
        self._origin_us = origin_us
        self._next_dts = 0
        self._head = _sequence_head(codec, first)
        with _translated():
            self._container = av.open(self._sink, "w", format="mp4", options=OPTIONS)
            self._video = _video(self._container, codec, first)
            self._sound = _sound(self._container, codec, packets)

    def add(self, packets: Sequence[Packet]) -> bytes:
        """Take packets in the order of reading; give what is finished of the file.

        The first bytes are the file's head, and all but these are whole fragments.

        Raises:
            EvidenceUnavailable: they make no stream.
        """
        with _translated():
            for packet in packets:
                if self._sound:
                    self._container.mux(list(self._sound.copied(packet, self._origin_us)))
                self._container.mux(self._copied(packet))
        return self._sink.take()

    def close(self) -> bytes:
        """End the file; give the rest of it.

        Raises:
            EvidenceUnavailable: it cannot be ended.
        """
        with _translated():
            self._container.close()
        return self._sink.take()

    def _copied(self, packet: Packet) -> "AvPacket[VideoStream]":
        copy = cast("AvPacket[VideoStream]", AvPacket(self._head + packet.payload))
        self._head = b""
        copy.time_base = TIME_BASE
        copy.dts = max(_ticks(packet.dts_us - self._origin_us), self._next_dts)
        copy.pts = max(_ticks(packet.pts_us - self._origin_us), copy.dts)
        self._next_dts = copy.dts + 1  # MP4 takes no two packets of one time
        copy.is_keyframe = packet.is_keyframe
        copy.stream = self._video
        return copy


class _Sink:
    """Where FFmpeg writes to; it cannot seek here."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, content: bytes) -> int:
        """Take bytes."""
        self._written += content
        return len(content)

    def take(self) -> bytes:
        """Give what was written since."""
        taken, self._written = bytes(self._written), bytearray()
        return taken


@contextmanager
def _translated() -> Iterator[None]:
    """Say in our words what FFmpeg cannot do."""
    try:
        yield
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise EvidenceUnavailable(f"no clip could be made ({type(error).__name__})") from None


def _video(container: OutputContainer, codec: Codec, first: Packet) -> VideoStream:
    """Add the stream of the video; raises what FFmpeg raises."""
    if codec.name in IN_BAND:
        with av.open(BytesIO(first.payload), format=codec.name) as raw:
            video = container.add_stream_from_template(raw.streams.video[0])
    else:
        size = {"width": codec.width, "height": codec.height}
        video = cast("VideoStream", container.add_mux_stream(codec.name, **size))
    video.time_base = TIME_BASE
    if codec.quarter_turns:
        video.set_display_rotation(90 * codec.quarter_turns)
    return video


def _sound(container: OutputContainer, codec: Codec, packets: Sequence[Packet]) -> ClipSound | None:
    """Add the stream of the sound, where there is one that can be copied."""
    if codec.sound is None or not can_copy(codec.sound):
        return None
    first = next((sound for packet in packets for sound in packet.sounds), None)
    try:
        return ClipSound(container, codec.sound, first)
    except (av.FFmpegError, ValueError, IndexError):
        return None


def _sequence_head(codec: Codec, first: Packet) -> bytes:
    """Give what AV1 needs before its first picture where a container kept it aside."""
    if codec.name != "av1" or _has_sequence(first.payload):
        return b""
    return codec.extradata[_AV1_CONFIG_BYTES:]


def _has_sequence(payload: bytes) -> bool:
    """Say whether a sequence header stands before the first picture of AV1.

    Source: AV1 Bitstream & Decoding Process Specification, 5.3 and 4.10.5 (leb128).
    """
    at = 0
    while at < len(payload):
        kind, has_extension, has_size = (
            payload[at] >> 3 & 0xF,
            payload[at] >> 2 & 1,
            payload[at] & 2,
        )
        if kind == _AV1_SEQUENCE or kind in _AV1_PICTURES or not has_size:
            return kind == _AV1_SEQUENCE
        at += 1 + has_extension
        size = shift = 0
        while at < len(payload):
            byte, at = payload[at], at + 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        at += size
    return False


def _ticks(time_us: int) -> int:
    return round(time_us * TIME_BASE.denominator / 1_000_000)
