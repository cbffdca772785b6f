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


def sets_in_box(codec: str, box: bytes) -> bytes:
    """Give the parameter sets of an MP4 or FLV header, in Annex B form; empty where it is damaged.

    Args:
        codec: "h264" or "hevc".
        box: avcC or hvcC. Source: ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1.
    """
    units = _units_of_avcc(box) if codec == "h264" else _units_of_hvcc(box)
    return parameter_sets(codec, b"".join(b"\x00\x00\x01" + unit for unit in units))


def _units_of_avcc(box: bytes) -> list[bytes]:
    found, at = _counted(box, 6, box[5] & 0x1F if len(box) > 6 else 0)  # noqa: PLR2004  # its head
    more, _ = _counted(box, at + 1, box[at] if at < len(box) else 0)
    return found + more


def _units_of_hvcc(box: bytes) -> list[bytes]:
    found: list[bytes] = []
    at = 23
    for _ in range(box[22] if len(box) > at else 0):
        units, at = _counted(box, at + 3, int.from_bytes(box[at + 1 : at + 3]))
        found += units
    return found


def _counted(box: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """Read so many units, each after its length; give them, and where they end."""
    found: list[bytes] = []
    while len(found) < count and at + 2 <= len(box):
        size = int.from_bytes(box[at : at + 2])
        found.append(box[at + 2 : at + 2 + size])
        at += 2 + size
    return found, at


def _unit(unit: bytes) -> bytes:
    return b"\x00" + unit.rstrip(b"\x00")
