"""The delta of a bank: the edits since its base, a frame each, one after the other.

Rule: a delta only grows at its end, and a frame counts when it is there whole. What a killed writer
left behind the last one is passed over, and never written over: the next edit begins a new delta. A
file is a header of 32 bytes,

    offset  bytes  what
         0      8  magic, b"SGDELTA" 0x02
         8      8  u64   revision of the bank before the first frame
        16      4  u32   seed of the frames' checksums, the same for all deltas of a bank
        20      4  u32   CRC-32 (as zlib) of bytes 0 to 19
        24      8  zero

and frames, each a header of 32 bytes and its payload (streamguard.adapters.bank_commit):

         0      8  magic, b"SGEDIT" 0x00 0x02
         8      8  u64   revision, one more than that of the frame before
        16      8  u64   length of the payload, a multiple of 64
        24      4  u32   CRC-32 of the payload
        28      4  u32   CRC-32 of bytes 0 to 27, begun with the seed
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from streamguard.adapters.bank_layout import Damaged

HEAD_BYTES = 32

_MAGIC = b"SGDELTA\x02"
_HEAD = struct.Struct("<8sQI")
_CRC = struct.Struct("<I")

_FRAME_MAGIC = b"SGEDIT\x00\x02"
_FRAME = struct.Struct("<8sQQI")

Rest = Literal["none", "torn", "spoilt"]
"""What follows the last whole frame: nothing, the beginning of a frame, or as much as a frame that
is none: blocks that a power cut kept from the disk, or an edit that was whole once."""


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """What stands in a delta from some place on.

    payloads: of the whole frames, in their order; the first follows the revision asked for.
    n_bytes:  how many bytes they take, headers included.
    """

    payloads: tuple[memoryview, ...]
    n_bytes: int
    rest: Rest


def delta_header(revision: int, seed: int) -> bytes:
    """Give the header of a delta whose first edit follows a revision."""
    head = _HEAD.pack(_MAGIC, revision, seed)
    return (head + _CRC.pack(zlib.crc32(head))).ljust(HEAD_BYTES, b"\0")


def read_delta_header(raw: bytes) -> tuple[int, int]:
    """Give the revision before the first edit, and the seed.

    Raises:
        Damaged: it is no delta, of another version, or damaged.
    """
    if len(raw) < HEAD_BYTES or raw != delta_header(*_HEAD.unpack_from(raw)[1:]):
        raise Damaged("its header is damaged, or of another version")
    _, revision, seed = _HEAD.unpack_from(raw)
    return revision, seed


def frame(payload: bytes, revision: int, seed: int) -> bytes:
    """Give a frame, ready to be put at the end of a delta."""
    head = _FRAME.pack(_FRAME_MAGIC, revision, len(payload), zlib.crc32(payload))
    return head + _CRC.pack(zlib.crc32(head, seed)) + payload


def read_frames(raw: memoryview, revision: int, seed: int) -> Frames:
    """Read the frames after a revision.

    Raises:
        Damaged: something that is no frame stands before one that is.
    """
    payloads: list[memoryview] = []
    at = 0
    while (head := _head_at(raw, at, seed)) is not None and head[0] == revision + 1:
        payload = raw[at + HEAD_BYTES : at + HEAD_BYTES + head[1]]
        if len(payload) < head[1] or zlib.crc32(payload) != head[2]:
            break
        payloads.append(payload)
        at += HEAD_BYTES + len(payload)
        revision += 1
    if at == len(raw):
        return Frames(tuple(payloads), at, "none")
    if any(_head_at(raw, later, seed) for later in _magics_after(raw, at)):
        raise Damaged(f"its edit {revision + 1} is damaged, and there are edits after it")
    n_expected = HEAD_BYTES + (head[1] if head else 0)
    return Frames(tuple(payloads), at, "torn" if len(raw) - at < n_expected else "spoilt")


def _head_at(raw: memoryview, at: int, seed: int) -> tuple[int, int, int] | None:
    """Give revision, length and checksum of the frame that begins here; None where none does."""
    head = raw[at : at + _FRAME.size]
    if len(raw) < at + HEAD_BYTES or zlib.crc32(head, seed) != _CRC.unpack_from(raw, at + 28)[0]:
        return None
    magic, revision, length, checksum = _FRAME.unpack(head)
    return (revision, length, checksum) if magic == _FRAME_MAGIC else None


def _magics_after(raw: memoryview, at: int) -> Iterator[int]:
    """Find what looks like the beginning of a frame past some place."""
    rest = raw.tobytes()
    while (at := rest.find(_FRAME_MAGIC, at + 1)) >= 0:
        yield at
