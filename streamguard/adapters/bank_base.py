"""The base of a bank as a file, which is written once and then only mapped.

Rule: what a section may not be left without at a start is checked at a start; every byte is checked
by whoever has the time. A file is a header of 128 bytes,

    offset  bytes  what
         0      8  magic, b"SGBANK" 0x00 0x02
         8     32  ascii what made the hashes, padded with 0x00
        40      8  i64   made at, microseconds since 1970 UTC
        48      8  u64   revision of the bank
        56      8  u64   length of this file
        64      4  u32   CRC-32 of bytes 0 to 63
        68     60  zero

and the sections of streamguard.adapters.bank_layout, for N hashes of E entries sorted by name:

    meta          B            JSON: terms (policy, kind, limits, quarantine), settings and memory
    hashes        N * 32       PDQ, packed, most significant bit first
    offsets_ms    N * u32      time of the hash within its entry, milliseconds
    variants      N * u8       how the picture was cut or turned before hashing, 0: not at all
    ends          E * u32      one past the last hash of each entry
    name_ends     E * u32      one past the last byte of each name
    name_bytes    B            the names, UTF-8
    durations_ms  E * u32      length of each video, 0 for an image
    terms_of      E * u8..u32  which of the terms an entry has
    slot_offsets, slot_ids     what streamguard.core.slots.build_slots gives

A column of zeros is left out, `ends` too where each entry has one hash, and the slots of a small
bank, which is scanned.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from streamguard.adapters.bank_columns import array_of, checked_bytes, read_table, table_arrays
from streamguard.adapters.bank_layout import ALIGNMENT, Damaged, Section, damage, pack, unpack
from streamguard.core.bank import Base
from streamguard.core.bank_values import Memory, Terms
from streamguard.core.index import Index, LinearIndex, SlotIndex

FORMAT_VERSION = 2

HASHER = "pdq luma 1"
"""What makes the hashes: PDQ of the decoder's luma plane at its full size."""

_MAGIC = b"SGBANK\x00\x02"
_HEAD = struct.Struct("<8s32sqQQ")
_CRC = struct.Struct("<I")
_HEAD_BYTES = 2 * ALIGNMENT


@dataclass(frozen=True, slots=True)
class BaseMeta:
    """What a base holds beside its arrays."""

    terms: tuple[Terms, ...]
    memory: Memory


@dataclass(frozen=True, slots=True)
class BaseHeader:
    """What a base says of itself."""

    made_at_us: int
    revision: int


_META = TypeAdapter(BaseMeta)


def pack_base(base: Base, made_at_us: int) -> Iterator[bytes | memoryview]:
    """Give the parts of the file in their order, ready to be written one after the other."""
    meta = _META.dump_json(BaseMeta(tuple(base.table.terms), base.memory))
    arrays = {"meta": np.frombuffer(meta, np.uint8)} | table_arrays(base.table)
    if isinstance(base.index, SlotIndex):
        arrays |= {"slot_offsets": base.index.offsets, "slot_ids": base.index.ids}
    parts = [*pack(arrays)]
    n_bytes = _HEAD_BYTES + sum(len(part) for part in parts)
    head = _HEAD.pack(_MAGIC, HASHER.encode(), made_at_us, base.revision, n_bytes)
    yield (head + _CRC.pack(zlib.crc32(head))).ljust(_HEAD_BYTES, b"\0")
    yield from parts


def read_header(raw: memoryview) -> BaseHeader:
    """Read the header of a base.

    Raises:
        Damaged: it is no base, of another version or hasher, damaged or not as long as it was.
    """
    if len(raw) < _HEAD_BYTES:
        raise Damaged(f"it is cut short: {len(raw)} bytes, less than a header")
    magic, hasher, made_at_us, revision, n_bytes = _HEAD.unpack_from(raw)
    if magic != _MAGIC:
        raise Damaged("it is no base of a bank, or of another version")
    if zlib.crc32(raw[: _HEAD.size]) != _CRC.unpack_from(raw, _HEAD.size)[0]:
        raise Damaged("its header is damaged")
    if hasher.rstrip(b"\0") != HASHER.encode():
        raise Damaged("its hashes were made by another hasher")
    if n_bytes != len(raw):
        raise Damaged(f"it is {len(raw)} bytes long and should be {n_bytes}")
    return BaseHeader(made_at_us, revision)


def read_base(raw: memoryview) -> Base:
    """Give the base that lies in a file; no array is copied, and none is read but a few pages.

    Raises:
        Damaged: its header, its section table, or the section that says what the others mean.
    """
    header = read_header(raw)
    sections = unpack(raw[_HEAD_BYTES:])
    meta = _meta_of(sections)
    table = read_table(sections, meta.terms)
    return Base(table, _index_of(sections, table.hashes), header.revision, meta.memory)


def base_damage(raw: memoryview) -> Iterator[str | None]:
    """Check every byte of a base; as `damage`.

    Raises:
        Damaged: as read_base.
    """
    read_base(raw)
    if any(raw[_HEAD.size + _CRC.size : _HEAD_BYTES]):
        yield "there is something after its header, where zeros should be"
    yield from damage(raw[_HEAD_BYTES:], unpack(raw[_HEAD_BYTES:]))


def _meta_of(sections: Mapping[str, Section]) -> BaseMeta:
    try:
        return _META.validate_json(checked_bytes(sections, "meta"))
    except ValidationError:
        raise Damaged("its section meta makes no sense") from None


def _index_of(sections: Mapping[str, Section], hashes: NDArray[np.uint8]) -> Index:
    if "slot_ids" not in sections:
        return LinearIndex(hashes)
    offsets = array_of(sections, "slot_offsets", np.uint32, 2)
    ids = array_of(sections, "slot_ids", np.uint8, 3)
    if offsets.shape[0] != ids.shape[0] or ids.shape[1] != len(hashes) or not len(offsets):
        raise Damaged("its slots do not fit its hashes")
    return SlotIndex(hashes, offsets, ids)
