import io
from itertools import pairwise

import av
import pytest

from streamguard.demo.live_encoder import LiveEncoder, pts_ms
from streamguard.demo.programme import BIT_RATE, HEIGHT, WIDTH
from streamguard.demo.scenes import Scene, scene_frame

N_FRAMES = 150
FORCED = {0, 45}
TS_PACKET_BYTES = 188
LOW_FROM = 75
TICKS_PER_MS = 90  # of MPEG-TS

Encoded = list[tuple[bytes, int | None]]


@pytest.fixture(scope="module")
def encoded() -> Encoded:
    """Five seconds with a keyframe forced at 45 and a third of the bit rate from 75 on."""
    encoder = LiveEncoder()
    scene = Scene("any", 3)
    packets: Encoded = []
    for index in range(N_FRAMES):
        picture = scene_frame(scene, index / 30, WIDTH, HEIGHT)
        rate = BIT_RATE if index < LOW_FROM else BIT_RATE // 3
        packets += encoder.encode(picture, index, bit_rate=rate, is_keyframe=index in FORCED)
    packets += encoder.drain()
    encoder.close()
    return packets


def test_each_packet_is_whole(encoded: Encoded) -> None:
    assert len(encoded) == N_FRAMES
    for payload, _ in encoded:
        assert payload
        assert len(payload) % TS_PACKET_BYTES == 0
        assert set(payload[::TS_PACKET_BYTES]) == {0x47}


def test_keyframes_come_where_forced_and_two_seconds_after(encoded: Encoded) -> None:
    assert [index for _, index in encoded if index is not None] == [0, 45, 105]


def test_stream_can_be_read_from_any_keyframe_and_has_the_pts_that_was_told(
    encoded: Encoded,
) -> None:
    start = next(at for at, (_, index) in enumerate(encoded) if index == 45)
    stream = io.BytesIO(b"".join(payload for payload, _ in encoded[start:]))

    with av.open(stream, "r", format="mpegts") as container:
        frames = list(container.decode(video=0))

    shown_ms = [(frame.pts or 0) // TICKS_PER_MS for frame in frames]
    assert shown_ms == [pts_ms(index) for index in range(45, N_FRAMES)]
    assert frames[0].key_frame
    assert (frames[0].width, frames[0].height) == (WIDTH, HEIGHT)


def test_packets_are_reordered_for_b_frames(encoded: Encoded) -> None:
    stream = io.BytesIO(b"".join(payload for payload, _ in encoded))

    with av.open(stream, "r", format="mpegts") as container:
        pts = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]

    assert any(then < now for now, then in pairwise(pts))


def test_lower_bit_rate_is_heeded_at_once(encoded: Encoded) -> None:
    sizes = [len(payload) for payload, index in encoded if index is None]
    before, after = sizes[15:LOW_FROM], sizes[LOW_FROM + 15 :]

    assert sum(after) / len(after) < 0.7 * sum(before) / len(before)
