"""Arrays side by side in bytes: what a base and a committed edit of a bank consist of.

Rule: nothing is unpickled; a section is an array where it lies. All numbers are little-endian:

    offset   bytes  what
         0       4  u32    number of sections S
         4       4  u32    CRC-32 (as zlib) of the rows that follow
         8    S*64         a row a section:
                      0  16  ascii  name, padded with 0x00
                     16   4  ascii  "|u1", "<u2", "<u4" or "<u8", padded with 0x00
                     20   4  u32    number of dimensions, 1 to 3
                     24  24  3 u64  rows, columns, planes; 0 for dimensions that there are not
                     48   8  u64    where the section begins: the next multiple of 64
                     56   4  u32    CRC-32 of the section
                     60   4         zero
         …         the sections in the order of their rows, each followed by zeros up to a multiple
                   of 64
"""

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64
"""Bytes; a cache line, and a multiple of the size of every number in here."""

MAX_SECTIONS = 64
"""More than any version has; a count beyond it is damage, not a table to be read."""

_HEAD = struct.Struct("<II")
_ROW = struct.Struct("<16s4sI3QQII")
_DTYPES = {dtype.encode(): np.dtype(dtype) for dtype in ("|u1", "<u2", "<u4", "<u8")}
_STEP = 4 << 20
"""Bytes whose CRC is taken at once: a thread that checks lets others run in between."""


class Damaged(Exception):
    """What was read is not what was written; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One array where it lies.

    start: where it begins, of the bytes that were read.
    crc:   CRC-32 that it should have.
    """

    array: NDArray[Any]
    start: int
    crc: int


def pack(arrays: Mapping[str, NDArray[Any]]) -> Iterator[bytes | memoryview]:
    """Give the bytes of arrays by name, ready to be written one after the other."""
    parts = [np.ascontiguousarray(array) for array in arrays.values()]
    start = _aligned(_HEAD.size + len(parts) * _ROW.size)
    rows = b""
    for name, part in zip(arrays, parts, strict=True):
        shape = (*part.shape, 0, 0)[:3]
        dtype = part.dtype.str.encode()
        crc = zlib.crc32(_bytes_of(part))
        rows += _ROW.pack(name.encode(), dtype, part.ndim, *shape, start, crc, 0)
        start += _aligned(part.nbytes)
    yield _padded(_HEAD.pack(len(parts), zlib.crc32(rows)) + rows)
    for part in parts:
        yield _bytes_of(part)
        yield bytes(_aligned(part.nbytes) - part.nbytes)


def unpack(raw: memoryview) -> dict[str, Section]:
    """Find the arrays in bytes that `pack` gave; nothing is copied, and no array is read.

    Raises:
        Damaged: the rows are not what was written, or the bytes end too early or too late.
    """
    if len(raw) < _HEAD.size:
        raise Damaged("it is cut short")
    n_sections, crc = _HEAD.unpack_from(raw)
    end = _HEAD.size + n_sections * _ROW.size
    if n_sections > MAX_SECTIONS or end > len(raw) or zlib.crc32(raw[_HEAD.size : end]) != crc:
        raise Damaged("its section table is damaged")
    sections: dict[str, Section] = {}
    start = _aligned(end)
    for name, dtype, n_dims, *dims, at, section_crc, _ in _ROW.iter_unpack(raw[_HEAD.size : end]):
        known, shape = _DTYPES.get(dtype.rstrip(b"\0")), tuple(dims[:n_dims])
        is_array = 1 <= n_dims <= len(dims) and max(dims) <= len(raw)
        if known is None or not is_array or at != start:
            raise Damaged("its section table makes no sense")
        n_bytes = known.itemsize * math.prod(shape)
        if at + n_bytes > len(raw):
            raise Damaged("it is cut short")
        array = np.ndarray(shape, known, raw, at)
        sections[name.rstrip(b"\0").decode("ascii", "replace")] = Section(array, at, section_crc)
        start += _aligned(n_bytes)
    if start != len(raw):
        raise Damaged(f"it is {len(raw)} bytes long and should be {start}")
    return sections


def damage(raw: memoryview, sections: Mapping[str, Section]) -> Iterator[str | None]:
    """Check every byte of the sections and between them.

    Gives what is wrong as it is found, and None after each stretch of at most 4 MiB.
    """
    end = _HEAD.size + len(sections) * _ROW.size
    for name, section in sections.items():
        if any(raw[end : section.start]):
            yield f"there is something before its section {name}, where zeros should be"
        crc, end = 0, section.start + section.array.nbytes
        for at in range(section.start, end, _STEP):
            crc = zlib.crc32(raw[at : min(at + _STEP, end)], crc)
            yield None
        if crc != section.crc:
            yield f"its section {name} is damaged"
    if any(raw[end:]):
        yield "there is something after its sections, where zeros should be"


def _bytes_of(part: NDArray[Any]) -> memoryview:
    return part.reshape(-1).view(np.uint8).data if part.size else memoryview(b"")


def _aligned(n_bytes: int) -> int:
    return n_bytes + -n_bytes % ALIGNMENT


def _padded(raw: bytes) -> bytes:
    return raw.ljust(_aligned(len(raw)), b"\0")
