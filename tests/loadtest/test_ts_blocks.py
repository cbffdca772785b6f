import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.ts_blocks import COUNTERS, TICKS_S, TS_BYTES, WRAP_TICKS, block, stamp

FRAME_TICKS = TICKS_S // 30
PARAMETERS_AND_IDR = (
    bytes.fromhex(
        "000000010910"  # access unit delimiter
        "0000000167640029acd940780227e5c044000003000400000300f03c60c658"
        "0000000168ebe3cb22c00000000165"
    )
    + bytes(range(1, 255)) * 20
)
PICTURE = bytes.fromhex("0000000109300000000141") + bytes(range(1, 255)) * 3


def gop(n_frames: int, first_dts: int = 0) -> list[tuple[bytes, int, int]]:
    times = [first_dts + n * FRAME_TICKS for n in range(n_frames)]
    bodies = [PARAMETERS_AND_IDR, *[PICTURE] * (n_frames - 1)]
    return [(body, t + 2 * FRAME_TICKS, t) for body, t in zip(bodies, times, strict=True)]


def sent(n_frames: int, n_blocks: int, base_ticks: int = TICKS_S) -> bytes:
    made = block(gop(n_frames))
    bases = [base_ticks + n * n_frames * FRAME_TICKS for n in range(n_blocks)]
    return b"".join(frame.stamped(base) + frame.rest for base in bases for frame in made)


def packets_of(stream: bytes) -> list[bytes]:
    return [stream[at : at + TS_BYTES] for at in range(0, len(stream), TS_BYTES)]


@pytest.mark.parametrize("n_frames", [16, 30, 60, 240])
def test_blocks_follow_each_other_without_a_break_in_any_counter(n_frames: int) -> None:
    packets = packets_of(sent(n_frames, n_blocks=3))

    counters: dict[int, int] = {}
    for packet in packets:
        assert len(packet) == TS_BYTES
        assert packet[0] == 0x47
        pid, counter = int.from_bytes(packet[1:3]) & 0x1FFF, packet[3] & 0xF
        assert counter == (counters.get(pid, counter - 1) + 1) % COUNTERS
        counters[pid] = counter
    assert len(counters) == 3


def test_a_demuxer_gives_the_frames_and_their_times_back() -> None:
    stream = sent(30, n_blocks=3, base_ticks=5 * TICKS_S)

    with av.open(io.BytesIO(stream), format="mpegts") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]

    assert [packet.dts for packet in packets] == [5 * TICKS_S + n * FRAME_TICKS for n in range(90)]
    assert all(packet.pts == packet.dts + 2 * FRAME_TICKS for packet in packets)
    assert [n for n, packet in enumerate(packets) if packet.is_keyframe] == [0, 30, 60]
    assert bytes(packets[1]) == PICTURE


@given(st.integers(0, 2 * WRAP_TICKS))
def test_a_time_stamp_is_read_back_as_it_was_written_but_for_wraps(ticks: int) -> None:
    field = int.from_bytes(stamp(3, ticks))

    read = (field >> 33 & 7) << 30 | (field >> 17 & 0x7FFF) << 15 | field >> 1 & 0x7FFF

    assert read == ticks % WRAP_TICKS
    assert field >> 36 == 3
    assert field & 0x1_0001_0001 == 0x1_0001_0001
