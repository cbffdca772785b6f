"""Makes the still of a flag from the ring's packets: one picture as JPEG, and its BlurHash.

Rule: all of it happens in memory, and of a stretch of video one picture alone is kept.
"""

from fractions import Fraction

import av
import blurhash
import numpy as np
from av.packet import Packet as AvPacket
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from streamguard.adapters.pyav_decoder import open_context
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.types import Codec, Packet

STILL_MAX_WIDTH = 1280
"""A still is for recognising, not for enjoying: wider pictures are scaled down, pixels."""

JPEG_QSCALE = 4
"""Quantiser of the JPEG encoder, 2 (best) to 31."""

BLURHASH_WIDTH = 32
BLURHASH_COMPONENTS = (4, 3)


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
