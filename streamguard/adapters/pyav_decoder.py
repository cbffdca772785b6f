"""Decodes packets into luma planes with PyAV.

Rule: one codec thread each (parallelism comes from streams), a bound on the picture size, and no
frame leaves the thread that decoded it: `Frame.luma` is a view into the decoder's memory.
"""

import math
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import cast

import av
import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet as AvPacket
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from streamguard.core.errors import SourceCorrupt
from streamguard.core.limits import MAX_PIXELS, MAX_SIDE
from streamguard.core.ports import Clock
from streamguard.core.types import Codec, Frame, Packet

MAX_CONTEXTS = 8
"""Codec contexts one thread keeps: one for each codec whose keyframes stand alone, few others."""

IN_BAND = frozenset({"h264", "hevc"})
"""Codecs whose keyframes carry all that a decoder must know: one context serves every stream."""

_LUMA_FORMATS = frozenset(
    {"gray", "nv12", "nv21"}
    | {f"{family}{layout}p" for family in ("yuv", "yuvj") for layout in (420, 422, 444, 440, 411)}
    | {"yuv410p", "yuva420p", "yuva422p", "yuva444p"}
)
WHOLE_ROUNDS = 2
"""So often a picture without recovery points is renewed until it is as good as whole: x265 lets new
parts of it lean on old ones. Hashes of a real clip are 22 to 60 bits off after one round, up to 36
after two, and none after four (measured)."""

_UNSAID, _FULL = 0, 2  # AVCOL_RANGE_UNSPECIFIED, AVCOL_RANGE_JPEG
_DECODERS = {"av1": "libdav1d"}  # FFmpeg's own decoder of AV1 needs hardware


def open_context(
    codec: Codec, max_pixels: int = MAX_PIXELS, *, gives_all: bool = False
) -> VideoCodecContext:
    """Make a decoder for one codec, hardened and single-threaded.

    A bomb of a picture size must not take the memory: beyond `max_pixels` none is decoded.

    gives_all: also pictures of which parts are missing.
    """
    context = CodecContext.create(_DECODERS.get(codec.name, codec.name), "r")
    assert isinstance(context, VideoCodecContext)  # noqa: S101  # only video streams are chosen
    context.thread_count = 1
    context.copy_opaque = True
    # the loop filter moves a hash by 2 bits at most and costs 13 % of decoding (measured)
    context.options = {"skip_loop_filter": "all", "max_pixels": str(max_pixels)}
    if gives_all:
        context.options |= {"flags": "+output_corrupt"}
    if codec.name not in IN_BAND:
        context.width, context.height = codec.width, codec.height
        if codec.extradata:
            context.extradata = codec.extradata
    return context


class PyavInOrder:
    """Decodes one stream's packets in order; one thread at a time.

    Begun elsewhere than with a keyframe, it says of each picture whether it is whole. FFmpeg knows
    by recovery points and keyframes; without them it would give none ever.
    """

    def __init__(self, codec: Codec, clock: Clock, max_pixels: int = MAX_PIXELS) -> None:
        self._context = open_context(codec, max_pixels, gives_all=True)
        self._at_first = -1 if codec.name in IN_BAND else math.inf
        self._n_rounds = self._at_first  # how often the picture was renewed
        self._codec = codec
        self._reformatter = VideoReformatter()
        self._clock = clock

    def feed(self, packet: Packet) -> list[Frame]:
        """Decode a packet after its predecessors; frames come in the order of presentation.

        Raises:
            SourceCorrupt: the packet cannot be decoded; its successors may.
        """
        if packet.is_keyframe:
            self._n_rounds = math.inf
        self._n_rounds += packet.is_refresh
        return self._frames(_av_packet(packet))

    def finish(self) -> list[Frame]:
        """Give the frames that are held back, and forget all; the next packet is a keyframe.

        Raises:
            SourceCorrupt: what was held back cannot be decoded.
        """
        try:
            return self._frames(None)
        finally:
            self._context.flush_buffers()
            self._n_rounds = self._at_first

    def _frames(self, packet: "AvPacket[VideoStream] | None") -> list[Frame]:
        try:
            pictures = self._context.decode(packet)
        except (av.FFmpegError, ValueError) as error:
            raise _corrupt(error) from None
        return [
            self._frame(picture, picture.opaque)
            for picture in pictures
            if isinstance(picture.opaque, Packet)
        ]

    def _frame(self, picture: VideoFrame, packet: Packet) -> Frame:
        is_whole = self._n_rounds >= WHOLE_ROUNDS or not picture.is_corrupt
        frame = _frame(picture, packet, self._codec, self._reformatter, self._clock)
        return frame if is_whole else replace(frame, is_whole=False)


class PyavDecoder:
    """The decoders of one pool thread."""

    def __init__(self, clock: Clock, max_pixels: int = MAX_PIXELS) -> None:
        self._clock = clock
        self._max_pixels = max_pixels
        self._reformatter = VideoReformatter()
        self._shared: OrderedDict[Codec | str, VideoCodecContext] = OrderedDict()

    def keyframe(self, codec: Codec, packet: Packet) -> Frame:
        """Decode a keyframe alone and drain it, so that it is out before the next packet is read.

        Drained, a decoder keeps nothing of a stream, so one serves all streams of a codec.

        Raises:
            SourceCorrupt: the packet cannot be decoded.
        """
        key = codec.name if codec.name in IN_BAND else codec
        context = self._shared.pop(key, None) or open_context(codec, self._max_pixels)
        try:
            pictures = [*context.decode(_av_packet(packet)), *context.decode(None)]
        except (av.FFmpegError, ValueError) as error:
            raise _corrupt(error) from None
        if not pictures:
            raise SourceCorrupt("a keyframe gave no picture")
        context.flush_buffers()
        self._shared[key] = context  # one that failed is not kept: damage may have stayed in it
        if len(self._shared) > MAX_CONTEXTS:
            self._shared.popitem(last=False)
        return _frame(pictures[0], packet, codec, self._reformatter, self._clock)

    def in_order(self, codec: Codec) -> PyavInOrder:
        """Open a decoder for one stream's packets in order."""
        return PyavInOrder(codec, self._clock, self._max_pixels)


def luma_plane(picture: VideoFrame, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    """Give the (H, W) uint8 luma plane, read-only; without a copy where the format has one."""
    if picture.format.name not in _LUMA_FORMATS:
        picture = reformatter.reformat(picture, format="gray", threads=1)
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    luma: NDArray[np.uint8] = rows[: picture.height, : picture.width]
    luma.flags.writeable = False
    return luma


def _frame(
    picture: VideoFrame, packet: Packet, codec: Codec, reformatter: VideoReformatter, clock: Clock
) -> Frame:
    if max(picture.width, picture.height) > MAX_SIDE:
        raise SourceCorrupt(f"a picture has a side of more than {MAX_SIDE} pixels")
    is_full = _is_full_range(picture)
    luma = luma_plane(picture, reformatter)
    if codec.quarter_turns:
        luma = np.rot90(luma, codec.quarter_turns)
    rgb = partial(_rgb, picture, codec, reformatter)
    return Frame(packet, luma, rgb, is_full, clock.monotonic())


def _rgb(picture: VideoFrame, codec: Codec, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    converted = reformatter.reformat(picture, format="rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(converted, codec.quarter_turns))


def _is_full_range(picture: VideoFrame) -> bool:
    """Say whether the luma plane spans 0..255, as it does after every conversion to gray."""
    name = picture.format.name
    if name not in _LUMA_FORMATS:
        return True
    if picture.color_range == _UNSAID:
        return name.startswith(("gray", "yuvj"))
    return picture.color_range == _FULL


def _av_packet(packet: Packet) -> "AvPacket[VideoStream]":
    made = cast("AvPacket[VideoStream]", AvPacket(packet.payload))
    made.pts, made.dts = packet.pts_us, packet.dts_us
    made.opaque = packet
    return made


def _corrupt(error: Exception) -> SourceCorrupt:
    return SourceCorrupt(f"a packet could not be decoded ({type(error).__name__})")
