"""Makes the clip and the still of a flag from the ring's packets.

Rule: the clip holds the publisher's own packets, remuxed into fragmented MP4 and never encoded
anew; only the still is decoded. All of it happens in memory.
"""

from fractions import Fraction
from io import BytesIO

import av
import blurhash
import numpy as np
from av.packet import Packet as AvPacket
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from streamguard.adapters.pyav_decoder import IN_BAND, open_context
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.types import Codec, Packet

TIME_BASE = Fraction(1, 90_000)
"""Ticks of the clip's timeline: MPEG's clock, in which common frame rates are whole numbers."""

STILL_MAX_WIDTH = 1280
"""A still is for recognising, not for enjoying: wider pictures are scaled down, pixels."""

JPEG_QSCALE = 4
"""Quantiser of the JPEG encoder, 2 (best) to 31."""

BLURHASH_WIDTH = 32
BLURHASH_COMPONENTS = (4, 3)


def clip_of(codec: Codec, packets: tuple[Packet, ...]) -> bytes:
    """Remux packets, beginning with a keyframe, into fragmented MP4.

    Raises:
        EvidenceUnavailable: the codec cannot be remuxed, or the packets make no stream.
    """
    if codec.name not in IN_BAND:
        raise EvidenceUnavailable(f"clips are made of H.264 and H.265, not of {codec.name}")
    made = BytesIO()
    start_us = packets[0].dts_us
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    try:
        with (
            av.open(BytesIO(packets[0].payload), format=codec.name) as raw,
            av.open(made, "w", format="mp4", options=options) as clip,
        ):
            stream = clip.add_stream_from_template(raw.streams.video[0])
            stream.time_base = TIME_BASE
            if codec.quarter_turns:
                stream.set_display_rotation(90 * codec.quarter_turns)
            next_dts = 0
            for packet in packets:
                copy = AvPacket(packet.payload)
                copy.time_base = TIME_BASE
                copy.dts = max(_ticks(packet.dts_us - start_us), next_dts)
                copy.pts = max(_ticks(packet.pts_us - start_us), copy.dts)
                next_dts = copy.dts + 1  # MP4 takes no two packets of one time
                copy.is_keyframe = packet.is_keyframe
                copy.stream = stream
                clip.mux(copy)
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise EvidenceUnavailable(f"no clip could be made ({type(error).__name__})") from None
    return made.getvalue()


def _ticks(time_us: int) -> int:
    return round(time_us * TIME_BASE.denominator / 1_000_000)


def still_of(codec: Codec, packets: tuple[Packet, ...], at_us: int) -> tuple[bytes, str]:
    """Decode the frame at a media time; give it as JPEG and as BlurHash.

    Raises:
        EvidenceUnavailable: no frame of these packets can be decoded.
    """
    picture = _upright(_picture_at(codec, packets, at_us), codec.quarter_turns)
    width = min(picture.width, STILL_MAX_WIDTH) // 2 * 2 or 2
    height = max(2, picture.height * width // picture.width // 2 * 2)
    try:
        jpeg = _jpeg(picture.reformat(width, height, format="yuvj420p"))
        small_height = max(1, BLURHASH_WIDTH * picture.height // picture.width)
        small = picture.reformat(BLURHASH_WIDTH, small_height, format="rgb24").to_ndarray()
    except (av.FFmpegError, ValueError) as error:
        raise EvidenceUnavailable(f"no still could be made ({type(error).__name__})") from None
    return jpeg, str(blurhash.encode(np.asarray(small), *BLURHASH_COMPONENTS))


def _upright(picture: VideoFrame, quarter_turns: int) -> VideoFrame:
    if not quarter_turns:
        return picture
    lying = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
    return VideoFrame.from_ndarray(np.rot90(lying, quarter_turns).copy(), format="rgb24")


def _picture_at(codec: Codec, packets: tuple[Packet, ...], at_us: int) -> VideoFrame:
    """Decode in order up to the wanted frame; give the last one before it where it is missing."""
    context = open_context(codec, gives_all=True)
    gop_start = max(
        (i for i, p in enumerate(packets) if p.is_keyframe and p.pts_us <= at_us), default=0
    )
    best: VideoFrame | None = None
    for packet in (*packets[gop_start:], None):
        for picture in _decoded(context, packet):
            origin = picture.opaque
            if isinstance(origin, Packet) and (best is None or origin.pts_us <= at_us):
                best = picture
                if origin.pts_us == at_us:
                    return best
    if best is None:
        raise EvidenceUnavailable("no frame of this stretch can be decoded")
    return best


def _decoded(context: VideoCodecContext, packet: Packet | None) -> list[VideoFrame]:
    """Decode past damaged packets: a still of what is left is better than none."""
    made = None
    if packet:
        made = AvPacket(packet.payload)
        made.pts, made.dts, made.opaque = packet.pts_us, packet.dts_us, packet
    try:
        return context.decode(made)
    except (av.FFmpegError, ValueError):
        return []


def _jpeg(picture: VideoFrame) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = picture.width, picture.height
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": str(JPEG_QSCALE), "qmax": str(JPEG_QSCALE)}
    picture.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))
