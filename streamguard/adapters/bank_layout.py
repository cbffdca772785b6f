"""The bytes of a bank file: packs a bank into sections, checks a mapped file, reads it in place.

Rule: nothing is parsed or unpickled; after the checks a section is an array where it lies. All
numbers are little-endian. A file is

    offset  bytes  what
         0      8  magic, b"SGBANK" 0x00 0x01
         8      4  u32   format version, 2
        12      4  u32   number of sections, 7
        16     32  ascii what made the hashes, padded with 0x00
        48      8  i64   made at, microseconds since 1970 UTC
        56      8  u64   N, number of hashes
        64      8  u64   E, number of entries
        72      8  u64   length of this file
        80   7*40  section table, a row a section in the order below:
                     0  16  ascii name, padded with 0x00
                    16   8  u64   offset in this file, a multiple of 64
                    24   8  u64   length in bytes, without the padding after it
                    32   4  u32   CRC-32 (as zlib) of the section
                    36   4  zero
       360      4  u32   CRC-32 of bytes 0 to 359
       364     20  zero
       384         the sections, each followed by zeros up to a multiple of 64:

    hashes        N * 32         PDQ, packed, most significant bit first
    entry_of      N * u32        row of the entries table that the hash belongs to
    offset_us     N * i64        time of the hash within its entry, microseconds
    variant       N * u8         how the picture was cut or turned before hashing, 0: not at all
    entries       E * 216        name, 128 bytes of UTF-8 and policy, 64 of ascii, both padded with
                                 0x00; duration i64, microseconds; first hash u32; number of hashes
                                 u32; kind u8, 0 video, 1 image; 7 zero. The hashes of the first row
                                 come first, then those of the second, and so on
    slot_offsets  S * (2**W + 1) u32 for each slot of a hash and each value, where in its line of
                                 slot_ids the hashes with that value begin
    slot_ids      S * N * B      numbers of hashes, each line sorted by the value of its slot

Slot s covers the W bits from s * W on, counted from the lowest bit of the first byte. A number
takes B bytes: 3, from N = 2**24 on 4. S = 16 and W = 16; from N = 2,000,000 on S = 12 and W = 20.

The last two are empty (length 0) in small banks, which are scanned.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank import ENTRY_DTYPE, Bank
from streamguard.core.bank_values import KINDS
from streamguard.core.index import LinearIndex, SlotIndex
from streamguard.core.slots import slot_shape
from streamguard.core.types import HASH_BYTES

FORMAT_VERSION = 2

HASHER = "pdq luma 1"
"""What makes the hashes: PDQ of the decoder's luma plane at its full size."""

_MAGIC = b"SGBANK\x00\x01"
_HEAD = struct.Struct("<8sII32sqQQQ")
_ROW = struct.Struct("<16sQQII")
_CRC = struct.Struct("<I")
_N_SECTIONS = 7
_TABLE_END = _HEAD.size + _N_SECTIONS * _ROW.size

_ALIGNMENT = 64
"""Bytes; a cache line, and a multiple of the size of every number in here."""

_FIRST = _TABLE_END + _CRC.size + -(_TABLE_END + _CRC.size) % _ALIGNMENT


@dataclass(frozen=True, slots=True)
class Header:
    """What a bank file says of itself.

    checksums: CRC-32 of each section, in their order.
    """

    made_at_us: int
    n_hashes: int
    n_entries: int
    has_slots: bool
    checksums: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Section:
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def end(self) -> int:
        return self.offset + self.n_bytes + -self.n_bytes % _ALIGNMENT


def pack(bank: Bank, made_at_us: int) -> Iterator[bytes | memoryview]:
    """Give the parts of the file in their order, ready to be written one after the other."""
    index = bank.index
    has_slots = isinstance(index, SlotIndex)
    slots = (index.offsets, index.ids) if isinstance(index, SlotIndex) else ((), ())
    tables = (bank.hashes, bank.entry_rows, bank.offset_us, bank.variant, bank.entries, *slots)
    layout = _layout(len(bank.hashes), len(bank.entries), has_slots=has_slots)
    parts = [
        np.ascontiguousarray(table, section.dtype).data
        for table, section in zip(tables, layout, strict=True)
    ]
    head = _HEAD.pack(
        _MAGIC,
        FORMAT_VERSION,
        _N_SECTIONS,
        HASHER.encode(),
        made_at_us,
        len(bank.hashes),
        len(bank.entries),
        layout[-1].end,
    )
    for section, part in zip(layout, parts, strict=True):
        row = section.name.encode(), section.offset, section.n_bytes, zlib.crc32(part), 0
        head += _ROW.pack(*row)
    yield (head + _CRC.pack(zlib.crc32(head))).ljust(_FIRST, b"\0")
    for part in parts:
        yield part
        yield bytes(-part.nbytes % _ALIGNMENT)


def read_header(mapped: memoryview) -> Header:
    """Read the header of a file that `problems` has found nothing basic against."""
    _, _, _, _, made_at_us, n_hashes, n_entries, _ = _HEAD.unpack_from(mapped)
    rows = tuple(_ROW.iter_unpack(mapped[_HEAD.size : _TABLE_END]))
    has_slots = rows[-2][2] > 0
    return Header(made_at_us, n_hashes, n_entries, has_slots, tuple(row[3] for row in rows))


def read_bank(mapped: memoryview, name: str) -> Bank:
    """Give the bank that lies in a file without `problems`; nothing is copied."""
    tables = _tables(mapped, read_header(mapped))
    hashes, offsets, ids = tables["hashes"], tables["slot_offsets"], tables["slot_ids"]
    return Bank(
        name=name,
        hashes=hashes,
        entry_rows=tables["entry_of"],
        offset_us=tables["offset_us"],
        variant=tables["variant"],
        entries=tables["entries"],
        index=SlotIndex(hashes, offsets, ids) if offsets.size else LinearIndex(hashes),
    )


def problems(mapped: memoryview) -> Iterator[str]:
    """Say what is wrong with a file, most basic first; without any it may be read in place."""
    fault = _head_fault(mapped) or _fit_fault(mapped)
    if fault:
        yield fault
        return
    header = read_header(mapped)
    is_damaged = False
    for section, checksum in zip(_layout_of(header), header.checksums, strict=True):
        if zlib.crc32(mapped[section.offset : section.offset + section.n_bytes]) != checksum:
            is_damaged = True
            yield f"its section {section.name} is damaged"
    if not is_damaged:
        yield from _number_faults(_tables(mapped, header))


def _head_fault(mapped: memoryview) -> str | None:
    if len(mapped) < _FIRST:
        return f"it is cut short: {len(mapped)} bytes, less than a header"
    magic, version, n_sections, *_ = _HEAD.unpack_from(mapped)
    if magic != _MAGIC:
        return "it is no bank file"
    if (version, n_sections) != (FORMAT_VERSION, _N_SECTIONS):
        return f"it has format version {version}, this program reads {FORMAT_VERSION}"
    if zlib.crc32(mapped[:_TABLE_END]) != _CRC.unpack_from(mapped, _TABLE_END)[0]:
        return "its header is damaged"
    return None


def _fit_fault(mapped: memoryview) -> str | None:
    *_, hasher, _, _, _, n_bytes = _HEAD.unpack_from(mapped)
    if hasher.rstrip(b"\0") != HASHER.encode():
        return "its hashes were made by another hasher"
    if n_bytes != len(mapped):
        return f"it is {len(mapped)} bytes long and should be {n_bytes}"
    layout = _layout_of(read_header(mapped))
    expected = [(s.name.encode(), s.offset, s.n_bytes) for s in layout]
    rows = _ROW.iter_unpack(mapped[_HEAD.size : _TABLE_END])
    if n_bytes != layout[-1].end or expected != [(r[0].rstrip(b"\0"), *r[1:3]) for r in rows]:
        return "its section table does not fit its counts"
    return None


def _number_faults(tables: dict[str, NDArray[Any]]) -> Iterator[str]:
    """Check every number that is later used to reach into an array."""
    entries, n_hashes = tables["entries"], len(tables["hashes"])
    counts = entries["n_hashes"].astype(np.int64)
    if counts.sum() != n_hashes or np.any(entries["first"] != np.cumsum(counts) - counts):
        yield "its entries do not cover its hashes"
    elif np.any(tables["entry_of"] != np.repeat(np.arange(len(entries), dtype="<u4"), counts)):
        yield "its hashes name other entries than those that list them"
    if np.any(entries["kind"] >= len(KINDS)):
        yield "an entry is neither video nor image"
    if np.any(tables["offset_us"] < 0) or np.any(entries["duration_us"] < 0):
        yield "a time in it is negative"


def _layout(n_hashes: int, n_entries: int, *, has_slots: bool) -> list[_Section]:
    """Place the sections of a file that holds so much."""
    slots = slot_shape(n_hashes)
    n_slots = slots.n_slots if has_slots else 0
    u1, u4, i8 = np.dtype(np.uint8), np.dtype("<u4"), np.dtype("<i8")
    layout: list[_Section] = []
    offset = _FIRST
    for name, dtype, shape in (
        ("hashes", u1, (n_hashes, HASH_BYTES)),
        ("entry_of", u4, (n_hashes,)),
        ("offset_us", i8, (n_hashes,)),
        ("variant", u1, (n_hashes,)),
        ("entries", ENTRY_DTYPE, (n_entries,)),
        ("slot_offsets", u4, (n_slots, (1 << slots.width_bits) + 1)),
        ("slot_ids", u1, (n_slots, n_hashes, slots.id_bytes)),
    ):
        layout.append(_Section(name, dtype, shape, offset))
        offset = layout[-1].end
    return layout


def _layout_of(header: Header) -> list[_Section]:
    return _layout(header.n_hashes, header.n_entries, has_slots=header.has_slots)


def _tables(mapped: memoryview, header: Header) -> dict[str, NDArray[Any]]:
    return {
        section.name: np.ndarray(section.shape, section.dtype, mapped, section.offset)
        for section in _layout_of(header)
    }
