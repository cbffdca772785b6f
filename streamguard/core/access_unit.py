"""Reads what an encoder says of one picture: what may be left out, and what is not what it seems.

Rule: it looks at unit headers and at recovery points, never at pictures; damaged bytes give the
plain answer, not an error.
Source: ITU-T H.264 7.4.1 and D.2.8, H.265 table 7-1 and D.2.8.
"""

import re
from collections.abc import Iterator

_START_CODE = re.compile(rb"\x00\x00\x01")
_H264_SLICES, _H264_IDR, _H264_SEI = range(1, 6), 5, 6
_HEVC_LAST_SLICE, _HEVC_SEI = 31, 39
_HEVC_LAST_SUBLAYER = 14
_HEVC_KEYFRAMES, _HEVC_SPS = range(16, 24), 33
_RECOVERY_POINT = 6
_MAX_LEADING_ZEROS = 16
"""A recovery point further off than 65,535 frames is damage."""


def is_disposable(codec: str, payload: bytes) -> bool:
    """Say whether no other picture needs this one.

    Args:
        codec: FFmpeg's name; what is neither "h264" nor "hevc" is never disposable.
        payload: one access unit in Annex B form.
    """
    for kind, header, _ in _units(codec, payload):
        if codec == "h264" and kind in _H264_SLICES:
            return header >> 5 & 3 == 0  # nal_ref_idc
        if codec == "hevc" and kind <= _HEVC_LAST_SLICE:
            return kind <= _HEVC_LAST_SUBLAYER and kind % 2 == 0
    return False


def is_gradual(codec: str, payload: bytes) -> bool:
    """Say whether a picture only begins to be renewed here, over several frames.

    An encoder tells by a recovery point, or as x265 does by parameter sets, as if for a keyframe.

    Args:
        codec: FFmpeg's name.
        payload: one access unit in Annex B form; of H.264 one that the container calls a keyframe,
            as FFmpeg has it do with every recovery point.
    """
    has_sets = False
    for kind, _, body_at in _units(codec, payload):
        is_slice = kind in _H264_SLICES if codec == "h264" else kind <= _HEVC_LAST_SLICE
        if is_slice:
            return has_sets and kind not in _HEVC_KEYFRAMES
        has_sets |= codec == "hevc" and kind == _HEVC_SPS
        if kind == (_H264_SEI if codec == "h264" else _HEVC_SEI):
            n_frames = _recovery_frames(payload[body_at : body_at + 256])
            if n_frames:
                return True
    return False


def _units(codec: str, payload: bytes) -> Iterator[tuple[int, int, int]]:
    """Give of each unit its kind, its first byte and where its body begins."""
    if codec not in {"h264", "hevc"}:
        return
    for code in _START_CODE.finditer(payload):
        at = code.end()
        if at >= len(payload):
            return
        header = payload[at]
        is_h264 = codec == "h264"
        yield (header & 0x1F if is_h264 else header >> 1 & 0x3F), header, at + (1 if is_h264 else 2)


def _recovery_frames(body: bytes) -> int | None:
    """Give in how many frames the picture is whole, by the recovery point among these messages."""
    body, at = body.replace(b"\x00\x00\x03", b"\x00\x00"), 0
    while at + 2 < len(body):
        kind, at = _sized(body, at)
        size, at = _sized(body, at)
        if kind == _RECOVERY_POINT:
            return _exp_golomb(body[at : at + size])
        at += size
        if body[at : at + 1] == b"\x80" or body[at : at + 3] == b"\x00\x00\x01":
            return None
    return None


def _sized(body: bytes, at: int) -> tuple[int, int]:
    """Read a number that is written as a sum of bytes; give it and where it ends."""
    total = 0
    while at < len(body):
        total, at = total + body[at], at + 1
        if body[at - 1] != 0xFF:  # noqa: PLR2004  # the byte that means "and more"
            break
    return total, at


def _exp_golomb(body: bytes) -> int:
    """Read the first number of a bit string; 0 where it is damaged."""
    bits = "".join(f"{byte:08b}" for byte in body[:8])
    n_zeros = len(bits) - len(bits.lstrip("0"))
    end = 2 * n_zeros + 1
    if n_zeros > _MAX_LEADING_ZEROS or end > len(bits) or not bits:
        return 0
    return int(bits[n_zeros:end], 2) - 1
