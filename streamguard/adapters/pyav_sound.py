"""Takes the sound along with the video, for evidence.

Rule: it is never decoded; its times are put on the timeline of the video, and what cannot be is
left out.
"""

from fractions import Fraction

from av.audio.stream import AudioStream
from av.packet import Packet as AvPacket
from av.stream import Stream
from av.video.stream import VideoStream

from streamguard.adapters.pyav_open import Opened
from streamguard.core.timeline import Stamp
from streamguard.core.types import Sound, SoundPacket

MAX_APART_US = 10_000_000
"""Sound so far from its picture is not of the same timeline: a clock that wrapped, or broke."""

MAX_BYTES = 256 * 1024
"""Sound between two packets of video: 10 s of 200 kbit/s; more is left out."""


class Sounds:
    """The sound of one source; one thread."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._stream: AudioStream | None = None  # that was asked for what follows
        self._tick_s, self._head = Fraction(1, 90_000), b""
        self._waiting: list[tuple[int, bytes]] = []  # their own times, microseconds
        self._n_bytes = 0
        self.described = _described(opened)
        """What it is; None where there is none."""

    def take(self, packet: "AvPacket[Stream]") -> None:
        """Take a packet, if it is one of the sound."""
        sound = self._opened.sound
        if sound is None or packet.stream_index != sound.index or packet.pts is None:
            return
        self._n_bytes += packet.size
        if self._n_bytes <= MAX_BYTES:
            if self._stream is not sound:  # of FLV the head is there with the first packet alone
                self._stream, self._head = sound, bytes(sound.codec_context.extradata or b"")
                self._tick_s = sound.time_base or self._tick_s
            self._waiting.append((_us(packet.pts, self._tick_s), bytes(packet)))

    def placed(
        self, video: "AvPacket[VideoStream]", time_base: Fraction, stamp: Stamp
    ) -> tuple[SoundPacket, ...]:
        """Give what came before a packet of video, on the timeline of that."""
        waiting, self._waiting, self._n_bytes = self._waiting, [], 0
        ticks = video.dts if video.dts is not None else video.pts
        if ticks is None or not waiting:
            return ()
        shift_us = stamp.dts_us - _us(ticks, time_base)
        head = self._head
        placed = (SoundPacket(at_us + shift_us, payload, head) for at_us, payload in waiting)
        return tuple(each for each in placed if abs(each.pts_us - stamp.dts_us) <= MAX_APART_US)


def _described(opened: Opened) -> Sound | None:
    sound = opened.sound
    if sound is None:
        return None
    context = sound.codec_context
    return Sound(context.codec.canonical_name, context.layout.nb_channels)


def _us(ticks: int, time_base: Fraction) -> int:
    return ticks * time_base.numerator * 1_000_000 // time_base.denominator
