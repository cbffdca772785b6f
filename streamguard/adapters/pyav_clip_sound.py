"""Puts the sound of a clip beside its video in MP4: AAC and Opus are copied, others are left out.

Rule: without its sound a clip is still a clip: whatever is wrong with the sound costs that alone.
"""

import struct
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet as AvPacket

from streamguard.core.kept import CLIP_SOUNDS
from streamguard.core.types import Packet, Sound, SoundPacket

MAX_OPUS_CHANNELS = 2
"""More need a mapping that only the source's own header tells."""

MICROSECOND = Fraction(1, 1_000_000)

MIN_STEP_US = 1_000
"""MP4 takes no two packets of one time; the shortest of Opus has 2.5 ms."""

ADTS_BYTES, ADTS_CRC_BYTES = 7, 2
_SYNC = 0xFFF
_AAC_IN_FLV = 0xAF


class ClipSound:
    """The sound of one file of a clip."""

    def __init__(self, container: OutputContainer, sound: Sound, first: SoundPacket | None) -> None:
        """Add its track; raises what FFmpeg raises.

        first: the first packet that is known; None where none has come yet, as AAC cannot begin.
        """
        self._is_adts = sound.name == "aac" and not (first and first.head)
        self._stream = _track(container, sound, first)
        self._last_us = -MIN_STEP_US

    def copied(self, packet: Packet, origin_us: int) -> "Iterator[AvPacket[AudioStream]]":
        """Give the sound that came before a packet of video, as it goes into the file."""
        for sound in packet.sounds:
            at_us = sound.pts_us - origin_us
            if at_us < max(
                0, self._last_us + MIN_STEP_US
            ):  # before the clip, or a step back of its clock
                continue
            payload = without_adts(sound.payload) if self._is_adts else sound.payload
            copy = cast("AvPacket[AudioStream]", AvPacket(payload))
            copy.time_base, copy.pts, copy.dts = MICROSECOND, at_us, at_us
            copy.is_keyframe = True
            copy.stream = self._stream
            self._last_us = at_us
            yield copy


def can_copy(sound: Sound) -> bool:
    """Say whether this sound goes into MP4 as it is."""
    is_plain = sound.name != "opus" or sound.n_channels <= MAX_OPUS_CHANNELS
    return sound.name in CLIP_SOUNDS and is_plain


def _track(container: OutputContainer, sound: Sound, first: SoundPacket | None) -> AudioStream:
    if sound.name == "opus":
        layout = "mono" if sound.n_channels == 1 else "stereo"
        return container.add_stream("libopus", rate=48_000, layout=layout)  # it makes but a header
    if first is None:
        raise ValueError("no AAC without its config")
    config = first.head or config_of(first.payload)
    flv = struct.pack(">3sBBII", b"FLV", 1, 4, 9, 0) + _flv_tag(bytes((_AAC_IN_FLV, 0)) + config)
    with av.open(BytesIO(flv), format="flv") as raw:
        return container.add_stream_from_template(raw.streams.audio[0])


def config_of(adts: bytes) -> bytes:
    """Give the AudioSpecificConfig of an AAC frame with a header of its own.

    Source: ISO/IEC 14496-3, 1.A.2.2 (ADTS) and 1.6.2.1.

    Raises:
        ValueError: it has no such header.
    """
    if len(adts) < ADTS_BYTES or int.from_bytes(adts[:2]) >> 4 != _SYNC:
        raise ValueError("no ADTS header")
    fields = int.from_bytes(adts[2:4])
    kind, rate_index, channels = (fields >> 14) + 1, fields >> 10 & 0xF, fields >> 6 & 0x7
    return (kind << 11 | rate_index << 7 | channels << 3).to_bytes(2)


def without_adts(frame: bytes) -> bytes:
    """Leave out the header of an AAC frame, where it has one."""
    if len(frame) < ADTS_BYTES or int.from_bytes(frame[:2]) >> 4 != _SYNC:
        return frame
    has_crc = not frame[1] & 1
    return frame[ADTS_BYTES + ADTS_CRC_BYTES * has_crc :]


def _flv_tag(content: bytes) -> bytes:
    """Give a tag of sound at time 0. Source: Adobe FLV 10.1, E.4."""
    tag = b"\x08" + len(content).to_bytes(3) + bytes(7) + content
    return tag + len(tag).to_bytes(4)
