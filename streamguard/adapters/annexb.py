"""Reads just enough of an H.264 or H.265 Annex B byte stream to find parameter sets.

Rule: it looks at unit headers only, never inside; damaged bytes give an empty answer, not an error.
Source: ITU-T H.264 table 7-1, H.265 table 7-1.
"""

import re

_START_CODE = re.compile(rb"\x00\x00\x01")
_H264_SPS, _H264_PPS = 7, 8
_HEVC_VPS, _HEVC_PPS = 32, 34
_H264_LAST_SLICE, _HEVC_LAST_SLICE = 5, 31


def parameter_sets(codec: str, payload: bytes) -> bytes:
    """Give the parameter sets before the first slice; empty where there is no sequence set.

    Args:
        codec: "h264" or "hevc".
        payload: one access unit, or extradata, in Annex B form.

    """
    found = bytearray()
    has_sequence_set = False
    set_from: int | None = None
    for code in _START_CODE.finditer(payload):
        if set_from is not None:
            found += _unit(payload[set_from : code.start()])
        header = payload[code.end() : code.end() + 1] or b"\x00"
        kind = header[0] & 0x1F if codec == "h264" else (header[0] >> 1) & 0x3F
        if codec == "h264":
            is_slice, is_set = 1 <= kind <= _H264_LAST_SLICE, kind in (_H264_SPS, _H264_PPS)
            has_sequence_set |= kind == _H264_SPS
        else:
            is_slice, is_set = kind <= _HEVC_LAST_SLICE, _HEVC_VPS <= kind <= _HEVC_PPS
            has_sequence_set |= kind == _HEVC_VPS + 1
        set_from = code.start() if is_set else None
        if is_slice:
            break  # a picture is long: it is not searched for what comes after it
    if set_from is not None:
        found += _unit(payload[set_from:])
    return bytes(found) if has_sequence_set else b""


def _unit(unit: bytes) -> bytes:
    return b"\x00" + unit.rstrip(b"\x00")
