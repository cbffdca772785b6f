import re
from base64 import b64decode

import pytest

from loadtest.hostile_clips import N_FRAMES, clip
from loadtest.rtsp_wire import RTP_BYTES, description

H264, HEVC = 0, 5
"""Variants of clips."""

_MARKER = 0x80


def packets_of(interleaved: bytes) -> list[tuple[int, bytes]]:
    """Take what goes over the connection apart into channels and packets."""
    found, at = [], 0
    while at < len(interleaved):
        assert interleaved[at : at + 1] == b"$"
        size = int.from_bytes(interleaved[at + 2 : at + 4])
        found.append((interleaved[at + 1], interleaved[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


@pytest.mark.parametrize("variant", [H264, HEVC])
def test_packets_are_small_and_end_each_picture_with_a_mark(variant: int) -> None:
    packets = packets_of(clip("rtp", variant))

    video = [packet for channel, packet in packets if channel == 0]
    assert max(map(len, video)) <= RTP_BYTES
    assert sum(packet[1] & _MARKER > 0 for packet in video) == N_FRAMES


def test_reports_of_the_sender_go_over_a_channel_of_their_own() -> None:
    channels = [channel for channel, _ in packets_of(clip("rtp", H264))]

    assert set(channels) == {0, 1}


def test_a_description_of_h264_tells_its_parameter_sets() -> None:
    text = description(clip("rtp", H264), is_hevc=False).decode()

    found = re.search(r"sprop-parameter-sets=(\S+)", text)
    assert found
    assert [b64decode(one)[0] & 31 for one in found[1].split(",")] == [7, 8]


def test_a_description_of_h265_leaves_them_to_the_stream() -> None:
    assert b"fmtp" not in description(clip("rtp", HEVC), is_hevc=True)
