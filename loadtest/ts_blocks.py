"""MPEG-TS made ready for sending again and again: GOPs whose time stamps alone are filled in.

Rule: a block is one closed GOP and leaves every continuity counter where it found it, so that any
block may follow any other; what is sent is memory that was prepared, but for 16 bytes a frame.
Source: ISO/IEC 13818-1, 2.4.3 (transport packets) and 2.4.3.7 (time stamps).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

TS_BYTES = 188
BODY_BYTES = TS_BYTES - 4
COUNTERS = 16
"""Values of a continuity counter: so many packets, and it is where it was."""

TICKS_S = 90_000
"""Of PTS and DTS, a second."""

WRAP_TICKS = 1 << 33
PCR_LEAD_TICKS = TICKS_S // 10
"""How far the stream's clock runs behind decode times: 0.1 s, the length of a burst."""

PROGRAMME_PID, VIDEO_PID = 0x1000, 0x100

# one programme, its one stream H.264, which also carries the clock; with their CRC-32
_PAT = bytes.fromhex("00b00d0001c100000001f0002ab104b2")
_PMT = bytes.fromhex("02b0120001c10000e100f0001be100f00015bd4d56")
_PES_START = bytes.fromhex("000001e0000080c00a")  # video, of unsaid length, with PTS and DTS
_STAMP_BYTES = 5
_MARKERS = 0x1_0001_0001  # a bit that is set after each part of a time stamp
_PCR_FIELD_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class TsFrame:
    """One frame as transport packets.

    lead:  tables, if any, and the first packet of the frame, whose time stamps are to be filled in.
    rest:  the other packets.
    pcr_at, pes_at: where in `lead` the clock and the PES header's time stamps stand.
    pts_ticks, dts_ticks: since the first decode time of the block.
    """

    lead: bytes
    rest: bytes
    pcr_at: int
    pes_at: int
    pts_ticks: int
    dts_ticks: int

    def stamped(self, base_ticks: int) -> bytes:
        """Give `lead` for a block whose first decode time this is."""
        lead, pcr_at, pes_at = self.lead, self.pcr_at, self.pes_at
        dts = base_ticks + self.dts_ticks
        pts_bytes = stamp(3, base_ticks + self.pts_ticks)
        clock = ((dts - PCR_LEAD_TICKS) % WRAP_TICKS << 15 | 0x7E00).to_bytes(6, "big")
        stamps = pts_bytes + stamp(1, dts)
        end = pes_at + len(stamps)
        return lead[:pcr_at] + clock + lead[pcr_at + 6 : pes_at] + stamps + lead[end:]


Block = tuple[TsFrame, ...]
"""The frames of one GOP in the order of decoding."""


def stamp(prefix: int, ticks: int) -> bytes:
    """Give a PTS or DTS field; prefix: 3 a PTS that a DTS follows, 1 that DTS."""
    t = ticks % WRAP_TICKS
    high, middle, low = t >> 30, t >> 15 & 0x7FFF, t & 0x7FFF
    field = prefix << 36 | high << 33 | middle << 17 | low << 1 | _MARKERS
    return field.to_bytes(_STAMP_BYTES, "big")


def blocks_of(video: Path) -> list[Block]:
    """Cut a file of closed GOPs into blocks; PTS and DTS keep their distances."""
    with av.open(str(video)) as container:
        packets = [
            (bytes(packet), packet.pts or 0, packet.dts or 0, packet.is_keyframe)
            for packet in container.demux(video=0)
            if packet.size
        ]
    starts = [at for at, (_, _, _, is_keyframe) in enumerate(packets) if is_keyframe]
    ends = [*starts[1:], len(packets)]
    return [
        block([(payload, pts, dts) for payload, pts, dts, _ in packets[start:end]])
        for start, end in zip(starts, ends, strict=True)
    ]


def block(units: Sequence[tuple[bytes, int, int]]) -> Block:
    """Make a block of encoded frames: bytes in Annex B form, PTS and DTS in ticks."""
    first_dts = units[0][2]
    tables = Counter(len(units) * n // COUNTERS for n in range(COUNTERS))
    frames, n_sent, n_told = [], 0, 0
    for at, (payload, pts, dts) in enumerate(units):
        packets = list(_packets(payload, n_sent, is_first=at == 0))
        if at == len(units) - 1:  # a last NAL unit of filler brings the counter round
            n_short = -(n_sent + len(packets)) % COUNTERS
            packets = list(_packets(payload + _filler(n_short), n_sent, is_first=at == 0))
        head = b"".join(_tables(n) for n in range(n_told, n_told + tables[at]))
        first = packets[0]
        frames.append(
            TsFrame(
                head + first,
                b"".join(packets[1:]),
                len(head) + 6,
                len(head) + first.index(_PES_START) + len(_PES_START),
                pts - first_dts,
                dts - first_dts,
            )
        )
        n_sent += len(packets)
        n_told += tables[at]
    return tuple(frames)


def _packets(payload: bytes, n_sent: int, *, is_first: bool) -> Iterator[bytes]:
    """Yield the transport packets of a frame; the first one has the clock."""
    pes = _PES_START + bytes(2 * _STAMP_BYTES) + payload
    room = BODY_BYTES - _PCR_FIELD_BYTES
    body, n = pes[:room], n_sent
    flags = 0x50 if is_first else 0x10  # a place to begin, and the clock
    field = bytes((_PCR_FIELD_BYTES - 1 + room - len(body), flags)) + bytes(6)
    yield (
        _header(VIDEO_PID, 0x30 | n % COUNTERS, starts=True)
        + field
        + b"\xff" * (room - len(body))
        + body
    )
    for at in range(room, len(pes), BODY_BYTES):
        n += 1
        body = pes[at : at + BODY_BYTES]
        n_stuffed = BODY_BYTES - len(body)
        control = 0x30 if n_stuffed else 0x10
        field = _stuffing(n_stuffed)
        yield _header(VIDEO_PID, control | n % COUNTERS, starts=False) + field + body


def _stuffing(n_bytes: int) -> bytes:
    """Give an adaptation field that is nothing but so long."""
    if n_bytes < 2:
        return bytes(n_bytes)
    return bytes((n_bytes - 1, 0)) + b"\xff" * (n_bytes - 2)


def _filler(n_packets: int) -> bytes:
    """Give a NAL unit of filler data (H.264, 7.3.2.7) that takes so many packets."""
    if not n_packets:
        return b""
    return b"\x00\x00\x01\x0c" + b"\xff" * (n_packets * BODY_BYTES - 5) + b"\x80"


def _tables(counter: int) -> bytes:
    """Give both tables, a packet each."""
    control = 0x10 | counter % COUNTERS
    made = b""
    for pid, table in ((0, _PAT), (PROGRAMME_PID, _PMT)):
        section = b"\x00" + table
        made += _header(pid, control, starts=True) + section.ljust(BODY_BYTES, b"\xff")
    return made


def _header(pid: int, control: int, *, starts: bool) -> bytes:
    return bytes((0x47, (0x40 if starts else 0) | pid >> 8, pid & 0xFF, control))
