"""Tells how large a stream's pictures are by its parameter sets, before one of them has come.

Rule: nothing is decoded. FFmpeg's parser reads the sets when a slice refers to them, so it is given
the beginning of one, which holds nothing else.
Source: ITU-T H.264 7.3.3 (first_mb_in_slice 0, slice_type 7, set 0), H.265 7.3.6.1.
"""

from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext

from streamguard.adapters.annexb import parameter_sets, sets_in_box

_CODE = b"\x00\x00\x01"
_SLICE_AND_END = {
    "h264": _CODE + b"\x65\x88\x80\x40\x00" + _CODE + b"\x09\xf0",
    "hevc": _CODE + b"\x26\x01\xac\x00\x80" + _CODE + b"\x46\x01\x50",
}


def size_of(context: VideoCodecContext) -> tuple[int, int]:
    """Give what FFmpeg found out when it opened a stream, else what its parameter sets tell.

    It opens RTMP within a certain number of bytes, which the first keyframe alone may exceed.
    """
    if context.width and context.height:
        return context.width, context.height
    return picture_size(context.codec.canonical_name, bytes(context.extradata or b""))


def picture_size(codec: str, head: bytes) -> tuple[int, int]:
    """Give width and height, pixels; 0 and 0 where that is not told.

    Args:
        codec: FFmpeg's name; only "h264" and "hevc" tell.
        head: what a container says for the decoder, in Annex B form or as MP4 and FLV have it.
    """
    if codec not in _SLICE_AND_END:
        return 0, 0
    sets = parameter_sets(codec, head) or sets_in_box(codec, head)
    if not sets:
        return 0, 0
    parser = CodecContext.create(codec, "r")
    assert isinstance(parser, VideoCodecContext)  # noqa: S101  # both are
    parser.parse(sets + _SLICE_AND_END[codec])
    parser.parse(None)
    return parser.width, parser.height
