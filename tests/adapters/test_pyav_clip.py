import io
import os
import re
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import av
import blurhash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.adapters.pyav_clip import ClipMuxer
from streamguard.adapters.pyav_still import STILL_MAX_WIDTH, still_of
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.types import Codec, Packet
from tests.media import Recipe, damaged, packets, plain_decode, video

H264 = Recipe(bf=2, n_frames=75)
HEVC = Recipe(codec="libx265", bf=2, n_frames=75)
AV1 = Recipe(codec="libsvtav1", n_frames=75)
FRAME_US = 40_000


def clip_of(codec: Codec, found: tuple[Packet, ...]) -> bytes:
    muxer = ClipMuxer(codec, found, found[0].dts_us)
    return muxer.add(found) + muxer.close()


def slices(codec: str, payload: bytes) -> list[bytes]:
    """Give the coded pictures of an access unit, without parameter sets and remarks."""
    units = [unit.rstrip(b"\x00") for unit in re.split(rb"\x00\x00\x01", payload)[1:]]
    if codec == "h264":
        return [unit for unit in units if 1 <= unit[0] & 0x1F <= 5]
    return [unit for unit in units if unit[0] >> 1 & 0x3F < 32]


def all_slices(codec: Codec, found: list[Packet]) -> list[list[bytes]]:
    return [slices(codec.name, packet.payload) for packet in found]


@pytest.mark.parametrize("recipe", [H264, HEVC], ids=["h264", "hevc"])
@pytest.mark.parametrize("container", ["mpegts", "flv", "mp4"])
def test_a_clip_holds_the_publishers_packets_as_they_were(container: str, recipe: Recipe) -> None:
    codec, found = packets(video(container, recipe))

    clip = clip_of(codec, tuple(found))

    clip_codec, kept = packets(clip)
    assert clip_codec == codec
    assert all_slices(codec, kept) == all_slices(codec, found)
    assert [packet.is_keyframe for packet in kept] == [packet.is_keyframe for packet in found]
    assert kept[0].is_keyframe


@pytest.mark.parametrize("recipe", [H264, HEVC], ids=["h264", "hevc"])
@pytest.mark.parametrize("container", ["mpegts", "flv", "mp4"])
def test_a_clip_from_the_middle_plays_in_time(container: str, recipe: Recipe) -> None:
    codec, found = packets(video(container, recipe))

    clip = clip_of(codec, tuple(found[25:]))

    frames = plain_decode(clip, "mp4")
    assert len(frames) == 50
    assert not any(frame.is_corrupt for frame in frames)
    times_us = [round(frame.time * 1_000_000) for frame in frames if frame.time is not None]
    assert [then - now for now, then in pairwise(times_us)] == [FRAME_US] * 49
    with av.open(io.BytesIO(clip)) as container_of_clip:
        assert container_of_clip.duration is not None
        seconds = (container_of_clip.duration - (container_of_clip.start_time or 0)) / 1e6
    assert seconds == pytest.approx(2.0, abs=0.13)


def test_a_clip_shows_what_the_stream_showed() -> None:
    payload = video("mpegts", H264)
    codec, found = packets(payload)

    clip = clip_of(codec, tuple(found))

    for one, other in zip(plain_decode(clip, "mp4"), plain_decode(payload, "mpegts"), strict=True):
        assert np.array_equal(one.to_ndarray(), other.to_ndarray())


def test_making_a_clip_leaves_the_packets_as_they_were() -> None:
    codec, found = packets(video("mpegts", H264))
    before = [(packet.pts_us, packet.dts_us, packet.payload) for packet in found]

    assert clip_of(codec, tuple(found)) == clip_of(codec, tuple(found))

    assert [(packet.pts_us, packet.dts_us, packet.payload) for packet in found] == before


def test_packets_that_were_held_at_one_time_still_make_a_clip() -> None:
    """A step back in the stream's clock is held: packets then share a decode time."""
    codec, found = packets(video("mpegts", Recipe(n_frames=30)))
    held = [
        replace(packet, pts_us=400_000, dts_us=400_000) if 400_000 < packet.dts_us < 600_000
        else packet
        for packet in found
    ]  # fmt: skip

    clip = clip_of(codec, tuple(held))

    assert len(plain_decode(clip, "mp4")) == 30


def test_a_damaged_packet_stays_in_the_clip() -> None:
    codec, found = packets(video("mpegts", H264))
    found[30] = replace(found[30], payload=damaged(found[30].payload, 1, 50, start=6))

    _, kept = packets(clip_of(codec, tuple(found)))

    assert len(kept) == 75


@pytest.mark.parametrize(
    "codec", [Codec("mpeg4", b"", 160, 120), Codec("vp9", b"", 160, 120)], ids=lambda c: c.name
)
def test_other_codecs_make_no_clip(codec: Codec) -> None:
    _, found = packets(video("mpegts", H264))

    with pytest.raises(EvidenceUnavailable, match=codec.name):
        clip_of(codec, tuple(found))


@pytest.mark.parametrize("payload", [b"", b"\x00\x00\x00\x01", b"noise" * 99])
def test_what_is_no_video_makes_neither_clip_nor_still(payload: bytes) -> None:
    codec, found = packets(video("mpegts", H264))
    spoilt = tuple(replace(packet, payload=payload) for packet in found)

    with pytest.raises(EvidenceUnavailable):
        clip_of(codec, spoilt)
    with pytest.raises(EvidenceUnavailable):
        still_of(codec, spoilt, 0)


@given(st.sampled_from([H264, HEVC, AV1]), st.integers(0, 2**32), st.integers(1, 40))
def test_whatever_is_damaged_gives_evidence_or_says_that_there_is_none(
    recipe: Recipe, seed: int, n_flips: int
) -> None:
    codec, found = packets(video("mp4", recipe))
    spoilt = tuple(
        replace(packet, payload=damaged(packet.payload, seed + index, n_flips))
        for index, packet in enumerate(found[:10])
    )

    with suppress(EvidenceUnavailable):
        assert clip_of(codec, spoilt)
    with suppress(EvidenceUnavailable):
        assert all(still_of(codec, spoilt, 5 * FRAME_US))


def rgb_of(jpeg: bytes) -> NDArray[np.uint8]:
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)


def frame_shown(jpeg: bytes, payload: bytes, container: str) -> int:
    """Say which frame of a video looks most like a still."""
    shown = rgb_of(jpeg).astype(np.int16)
    errors = [
        float(np.abs(frame.to_ndarray(format="rgb24") - shown).mean())
        for frame in plain_decode(payload, container)
    ]
    return int(np.argmin(errors))


@pytest.mark.parametrize("recipe", [H264, HEVC], ids=["h264", "hevc"])
@pytest.mark.parametrize("index", [0, 1, 26, 40, 74])
def test_a_still_is_the_frame_at_the_time_asked_for(recipe: Recipe, index: int) -> None:
    payload = video("mp4", recipe)
    codec, found = packets(payload)

    jpeg, _ = still_of(codec, tuple(found), index * FRAME_US)

    assert frame_shown(jpeg, payload, "mp4") == index


@pytest.mark.parametrize(
    ("at_us", "index"), [(-1, 0), (FRAME_US + 1, 1), (10 * FRAME_US - 1, 9), (99_000_000, 74)]
)
def test_where_no_frame_has_that_time_it_is_the_one_before(at_us: int, index: int) -> None:
    payload = video("mp4", H264)
    codec, found = packets(payload)

    jpeg, _ = still_of(codec, tuple(found), at_us)

    assert frame_shown(jpeg, payload, "mp4") == index


def test_a_still_past_a_damaged_packet_is_the_last_one_that_can_be_seen() -> None:
    payload = video("mp4", Recipe())
    codec, found = packets(payload)
    spoilt = [*found[:10], *(replace(packet, payload=b"\x00\x00\x01") for packet in found[10:25])]

    jpeg, _ = still_of(codec, tuple(spoilt), 20 * FRAME_US)

    assert frame_shown(jpeg, payload, "mp4") == 9


@pytest.mark.parametrize("codec", ["mpeg4", "libvpx-vp9", "libsvtav1"])
def test_other_codecs_make_a_still(codec: str) -> None:
    payload = video("mp4", Recipe(codec=codec, n_frames=12))
    described, found = packets(payload)

    jpeg, _ = still_of(described, tuple(found), 5 * FRAME_US)

    assert frame_shown(jpeg, payload, "mp4") == 5


@pytest.mark.parametrize(
    ("size", "still_size"),
    [
        ((160, 120), (160, 120)),
        ((STILL_MAX_WIDTH, 64), (STILL_MAX_WIDTH, 64)),
        ((STILL_MAX_WIDTH + 2, 64), (STILL_MAX_WIDTH, 62)),
        ((2560, 1440), (STILL_MAX_WIDTH, 720)),
        ((64, 640), (64, 640)),
        ((2560, 4), (STILL_MAX_WIDTH, 2)),
    ],
)
def test_a_still_is_as_large_as_the_picture_up_to_its_bound(
    size: tuple[int, int], still_size: tuple[int, int]
) -> None:
    codec, found = packets(video("mpegts", Recipe(n_frames=1, size=size, seed=0)))

    jpeg, _ = still_of(codec, tuple(found), 0)

    height, width, _ = rgb_of(jpeg).shape
    assert (width, height) == still_size


def test_black_is_black_in_a_still() -> None:
    codec, found = packets(video("mpegts", Recipe(n_frames=1, seed=0)))

    jpeg, _ = still_of(codec, tuple(found), 0)

    assert rgb_of(jpeg).max() <= 3


def test_a_blurhash_looks_like_the_still() -> None:
    codec, found = packets(video("mpegts", H264))

    jpeg, blurred = still_of(codec, tuple(found), 0)

    shown = rgb_of(jpeg).mean(axis=(0, 1))
    told = np.asarray(blurhash.decode(blurred, 16, 12)).reshape(-1, 3).mean(axis=0)
    assert np.abs(shown - told).max() < 12


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_clip_and_still_of_a_turned_video_stand_upright(turned: int) -> None:
    codec, found = packets(video("mp4", Recipe(n_frames=1, turned=turned)))
    lying, _ = still_of(replace(codec, quarter_turns=0), tuple(found), 0)

    jpeg, _ = still_of(codec, tuple(found), 0)
    clip_codec, _ = packets(clip_of(codec, tuple(found)))

    expected = np.rot90(rgb_of(lying), codec.quarter_turns).astype(np.int16)
    assert np.abs(rgb_of(jpeg) - expected).mean() < 4
    assert clip_codec == codec
    assert codec.quarter_turns == turned // 90


def test_making_av1_leaves_the_tests_no_higher_priority_than_others() -> None:
    before = os.sched_getscheduler(0)

    video("mp4", replace(AV1, n_frames=2))

    assert os.sched_getscheduler(0) == before


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_av1_is_copied_as_it_was(container: str) -> None:
    payload = video(container, AV1)
    codec, found = packets(payload)

    clip = clip_of(codec, tuple(found))

    _, kept = packets(clip)
    assert [packet.payload for packet in kept] == [packet.payload for packet in found]
    for one, other in zip(plain_decode(clip, "mp4"), plain_decode(payload, container), strict=True):
        assert np.array_equal(one.to_ndarray(), other.to_ndarray())


def test_av1_whose_head_a_container_kept_aside_plays() -> None:
    codec, found = packets(video("mp4", AV1))
    head = found[0].payload[: 2 + found[0].payload[1]]  # the sequence header is its first unit
    aside = replace(codec, extradata=codec.extradata[:4] + head)
    bare = [replace(each, payload=each.payload.removeprefix(head)) for each in found]

    assert len(bare[0].payload) < len(found[0].payload)
    assert len(plain_decode(clip_of(aside, tuple(bare)), "mp4")) == 75


@pytest.mark.parametrize("recipe", [H264, HEVC, AV1], ids=["h264", "hevc", "av1"])
def test_a_later_file_goes_on_where_the_one_before_it_ended(recipe: Recipe) -> None:
    codec, found = packets(video("mp4", recipe))
    origin_us, files = found[0].dts_us, []
    for piece in (found[:50], found[50:]):
        muxer = ClipMuxer(codec, piece, origin_us)
        files.append(muxer.add(piece) + muxer.close())
    second_without_head = files[1][files[1].index(b"moof") - 4 :]

    frames = plain_decode(files[0] + second_without_head, "mp4")

    times_us = [round(frame.time * 1_000_000) for frame in frames if frame.time is not None]
    assert [then - now for now, then in pairwise(times_us)] == [FRAME_US] * 74
    assert [len(plain_decode(file, "mp4")) for file in files] == [50, 25]


def test_a_clip_comes_piece_by_piece_half_a_second_late_at_most() -> None:
    codec, found = packets(video("mpegts", H264))
    muxer = ClipMuxer(codec, found, found[0].dts_us)

    clip = b""
    for index, packet in enumerate(found):
        clip += muxer.add([packet])
        n_frames = len(plain_decode(clip, "mp4")) if index > 25 and index % 10 == 0 else None
        assert n_frames is None or n_frames >= index - 15

    assert len(plain_decode(clip + muxer.close(), "mp4")) == 75
