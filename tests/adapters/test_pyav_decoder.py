import subprocess
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.adapters.pyav_decoder import MAX_CONTEXTS, PyavDecoder
from streamguard.adapters.pyav_source import PyavSource
from streamguard.core.errors import SourceCorrupt
from streamguard.core.limits import MAX_PIXELS, MAX_SIDE
from streamguard.core.location import parse_location
from streamguard.core.look import views_of
from streamguard.core.timeline import Timeline
from streamguard.core.types import NEAR_DISTANCE_BITS, Codec, Frame, Packet
from tests.clock import FakeClock
from tests.media import Recipe, damaged, image, packets, plain_decode, source_frame, video

AS_HERE = {"skip_loop_filter": "all"}
"""What this decoder leaves out, in a plain decoder too."""

REORDERED = Recipe(bf=3, options=(("x264-params", "scenecut=0:threads=1:b-adapt=0"),))
REORDERED_HEVC = Recipe(codec="libx265", bf=3)
BLACK, WHITE = 16, 235


def decoder() -> PyavDecoder:
    return PyavDecoder(FakeClock())


def plain_luma(payload: bytes, container: str) -> dict[int, NDArray[np.uint8]]:
    """Give each picture's luma by its time, microseconds, as an ordinary decoder sees it."""
    return {
        round(frame.time * 1_000_000): np.asarray(frame.to_ndarray()[: frame.height], np.uint8)
        for frame in plain_decode(payload, container, **AS_HERE)
        if frame.time is not None
    }


@pytest.mark.parametrize("recipe", [REORDERED, REORDERED_HEVC], ids=["h264", "hevc"])
@pytest.mark.parametrize("container", ["mpegts", "flv", "mp4"])
def test_a_keyframe_is_out_before_the_next_packet_is_read(
    tmp_path: Path, container: str, recipe: Recipe
) -> None:
    """With three B-frames and drained decoding: the right picture, and at once."""
    path = tmp_path / "some.video"
    path.write_bytes(video(container, recipe))
    expected = plain_luma(path.read_bytes(), container)
    one_decoder = decoder()
    n_read, done_after = 0, []

    with PyavSource(parse_location(str(path)), Timeline(), FakeClock()) as source:
        for packet in source.packets():
            n_read += 1
            if packet.is_keyframe:
                frame = one_decoder.keyframe(source.codec, packet)
                done_after.append(n_read)
                assert frame.packet is packet
                assert np.array_equal(frame.luma, expected[packet.pts_us])

    assert done_after == [1, 26]
    assert n_read == recipe.n_frames


@pytest.mark.parametrize("recipe", [REORDERED, REORDERED_HEVC], ids=["h264", "hevc"])
def test_packets_in_order_give_every_frame_with_its_time_and_pixels(recipe: Recipe) -> None:
    payload = video("mp4", recipe)
    codec, found = packets(payload)
    in_order = decoder().in_order(codec)

    frames = [frame for packet in found for frame in in_order.feed(packet)]
    held_back = in_order.finish()

    shown_us = [frame.packet.pts_us for frame in (*frames, *held_back)]
    expected = plain_luma(payload, "mp4")
    assert shown_us == sorted(expected)
    assert len(held_back) > 0
    for frame in (*frames, *held_back):
        assert np.array_equal(frame.luma, expected[frame.packet.pts_us])


def test_after_finishing_decoding_in_order_begins_anew() -> None:
    codec, found = packets(video("mp4", REORDERED))
    in_order = decoder().in_order(codec)
    first = [frame for packet in found[:20] for frame in in_order.feed(packet)]
    first += in_order.finish()

    second = [frame for packet in found[25:] for frame in in_order.feed(packet)]
    second += in_order.finish()

    assert len(first) == 20
    assert [frame.packet.pts_us for frame in second] == [p * 40_000 for p in range(25, 50)]


def test_h265_that_is_renewed_piece_by_piece_is_whole_when_that_was_done_twice() -> None:
    params = "intra-refresh=1:keyint=25:min-keyint=25:scenecut=0:bframes=0"
    quiet = "pools=none:frame-threads=1:log-level=none"
    options = (("preset", "fast"), ("x265-params", f"{params}:{quiet}"))
    codec, found = packets(video("mpegts", Recipe("libx265", n_frames=100, options=options)))
    begun, joined = decoder().in_order(codec), decoder().in_order(codec)
    first_us = found[0].pts_us

    whole = {
        frame.packet.pts_us: views_of(frame.luma, full_range=False)[0]
        for packet in found
        for frame in begun.feed(packet)
    }
    frames = [(frame, frame.is_whole) for each in found[10:] for frame in joined.feed(each)]
    seen = {
        frame.packet.pts_us: views_of(frame.luma, full_range=False)[0]
        for frame, is_whole in frames
        if is_whole
    }

    assert len(whole) >= 99
    assert frames[0][0].packet.pts_us == first_us + 25 * 40_000
    assert min(seen) == first_us + 3 * 25 * 40_000  # begun at the 25th frame, renewed by the 75th
    distances = [np.bitwise_count(view.pdq ^ whole[at].pdq).sum() for at, view in seen.items()]
    assert max(distances) <= NEAR_DISTANCE_BITS


def test_one_decoder_serves_streams_of_other_sizes_and_codecs_by_turns() -> None:
    recipes = [
        REORDERED,
        replace(REORDERED, size=(320, 180), seed=2),
        REORDERED_HEVC,
        replace(REORDERED_HEVC, size=(96, 64), seed=3),
        Recipe(codec="mpeg4", seed=4),
    ]
    streams = [packets(video("mp4", recipe)) for recipe in recipes]
    expected = [plain_luma(video("mp4", recipe), "mp4") for recipe in recipes]
    one_decoder = decoder()

    for which in (0, 25):
        for (codec, found), luma in zip(streams, expected, strict=True):
            frame = one_decoder.keyframe(codec, found[which])

            assert np.array_equal(frame.luma, luma[found[which].pts_us])


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("libsvtav1", "mp4"),
        ("libvpx-vp9", "webm"),
        ("libvpx", "webm"),
        ("mpeg4", "avi"),
        ("mjpeg", "avi"),
        ("mpeg2video", "mpegts"),
    ],
)
def test_other_codecs_are_decoded_alone_and_in_order(codec: str, container: str) -> None:
    payload = video(container, Recipe(codec=codec, n_frames=12, gop=6, pix_fmt=_format(codec)))
    found_codec, found = packets(payload)
    one_decoder = decoder()
    in_order = one_decoder.in_order(found_codec)

    alone = one_decoder.keyframe(found_codec, found[0])
    frames = [frame for packet in found for frame in in_order.feed(packet)] + in_order.finish()

    assert len(frames) == 12
    assert alone.luma.shape == (120, 160)
    assert np.array_equal(alone.luma, frames[0].luma)


def _format(codec: str) -> str:
    return "yuvj420p" if codec == "mjpeg" else "yuv420p"


def test_more_streams_than_contexts_are_kept_are_decoded_rightly() -> None:
    """A codec that is not in-band needs a context of its own for each stream."""
    sizes = [(64 + 16 * n, 64) for n in range(MAX_CONTEXTS + 2)]
    streams = [packets(video("avi", Recipe(codec="mpeg4", n_frames=1, size=s))) for s in sizes]
    one_decoder = decoder()

    for _ in range(2):
        shapes = [one_decoder.keyframe(codec, found[0]).luma.shape for codec, found in streams]

        assert shapes == [(height, width) for width, height in sizes]


def keyframe_of(picture: av.VideoFrame, codec: str = "libx264", **options: str) -> bytes:
    encoder = cast("VideoCodecContext", av.CodecContext.create(codec, "w"))
    encoder.width, encoder.height = picture.width, picture.height
    encoder.pix_fmt = picture.format.name
    encoder.time_base = Fraction(1, 25)
    encoder.color_range = picture.color_range
    encoder.options = {"preset": "ultrafast", "qp": "1"} | options
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def decoded(payload: bytes, codec: str = "h264") -> Frame:
    packet = Packet(0, 0, 0, is_keyframe=True, read_at_s=0.0, payload=payload)
    return decoder().keyframe(Codec(codec, b"", 0, 0), packet)


@pytest.mark.parametrize("height", [4320, 4336])
def test_pictures_are_decoded_up_to_8k_and_not_beyond(height: int) -> None:
    payload = keyframe_of(source_frame(Recipe(size=(8192, height), seed=0), 0), qp="40")

    if 8192 * height <= MAX_PIXELS:
        assert decoded(payload).luma.shape == (height, 8192)
    else:
        with pytest.raises(SourceCorrupt):
            decoded(payload)


@pytest.mark.parametrize("longer", [MAX_SIDE, MAX_SIDE + 16])
@pytest.mark.parametrize("is_wide", [True, False])
def test_a_side_may_be_so_long_and_no_longer(longer: int, *, is_wide: bool) -> None:
    size = (longer, 16) if is_wide else (16, longer)
    payload = image("bmp", size)

    if longer <= MAX_SIDE:
        assert decoded(payload, "bmp").luma.shape == size[::-1]
    else:
        with pytest.raises(SourceCorrupt, match="a side of more than 16384 pixels"):
            decoded(payload, "bmp")


@pytest.mark.parametrize("is_full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        ("libx264", name)
        for name in (
            "yuv420p",
            "yuv422p",
            "yuv444p",
            "nv12",
            "gray",
            "yuv420p10le",
            "yuv422p10le",
            "yuv444p10le",
            "gray10le",
        )
    ]
    + [("libx265", name) for name in ("yuv420p", "yuv420p10le", "gray", "yuv444p12le")],
)
def test_luma_is_eight_bits_and_its_range_is_told(codec: str, pix_fmt: str, is_full: bool) -> None:  # noqa: FBT001
    """Black and white are either the ends of 8 bits and said to be full range, or 16 and 235."""
    black, white = (0, 255) if is_full else (BLACK, WHITE)
    gray = np.full((64, 64), black, np.uint8)
    gray[:, 32:] = white
    options = {"x265-params": "log-level=none:pools=none:lossless=1"} if codec == "libx265" else {}

    frame = decoded(
        keyframe_of(in_format(gray, pix_fmt, is_full=is_full), codec, **options),
        {"libx264": "h264", "libx265": "hevc"}[codec],
    )

    expected = (0, 255) if frame.full_range else (BLACK, WHITE)
    assert frame.luma.dtype == np.uint8
    assert frame.full_range or not is_full
    assert abs(int(frame.luma[32, 8]) - expected[0]) <= 2
    assert abs(int(frame.luma[32, 56]) - expected[1]) <= 2


def in_format(gray: NDArray[np.uint8], pix_fmt: str, *, is_full: bool) -> av.VideoFrame:
    """Put luma as it is into a picture of another depth or layout, and say what its range is."""
    depth = next((bits for bits in (10, 12) if str(bits) in pix_fmt[4:]), 8)
    picture = av.VideoFrame(gray.shape[1], gray.shape[0], pix_fmt)
    dtype = np.uint8 if depth == 8 else np.uint16
    neutral = 1 << (depth - 1)
    for index, plane in enumerate(picture.planes):
        rows = np.full((plane.height, plane.line_size // dtype().itemsize), neutral, dtype)
        if index == 0:
            top = (1 << depth) - 1 if is_full else WHITE << (depth - 8)
            scaled = gray.astype(np.uint32) * top // int(gray.max())
            rows[:, : gray.shape[1]] = scaled.astype(dtype)
        plane.update(rows.tobytes())
    picture.color_range = 2 if is_full else 1
    return picture


def test_rgb_becomes_luma_of_full_range() -> None:
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, 32:] = 255

    frame = decoded(keyframe_of(av.VideoFrame.from_ndarray(rgb, "rgb24"), "libx264rgb"))

    assert frame.full_range
    assert abs(int(frame.luma[32, 8])) <= 2
    assert abs(int(frame.luma[32, 56]) - 255) <= 2


@pytest.mark.parametrize("turned", [0, 90])
def test_rgb_is_the_picture_in_colour_standing_upright(turned: int) -> None:
    payload = video("mp4", Recipe(n_frames=1, turned=turned))
    codec, found = packets(payload)

    rgb = decoder().keyframe(codec, found[0]).rgb()

    [picture] = plain_decode(payload, "mp4", **AS_HERE)
    expected = np.rot90(picture.to_ndarray(format="rgb24"), codec.quarter_turns)
    assert rgb.flags.c_contiguous
    assert np.array_equal(rgb, expected)


def test_luma_is_read_only_and_outlives_the_next_pictures() -> None:
    codec, found = packets(video("mpegts", Recipe(gop=1)))
    one_decoder = decoder()
    first = one_decoder.keyframe(codec, found[0])
    kept = first.luma.copy()

    for packet in found[1:]:
        one_decoder.keyframe(codec, packet)

    assert np.array_equal(first.luma, kept)
    assert not first.luma.flags.writeable


def test_a_frame_says_when_it_was_decoded() -> None:
    codec, found = packets(video("mpegts", Recipe(n_frames=1)))

    frame = PyavDecoder(FakeClock(3.5)).keyframe(codec, found[0])

    assert frame.decoded_at_s == 3.5


@pytest.mark.integration
@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_turned_picture_stands_as_players_show_it(
    tmp_path: Path, requires_ffmpeg: Path, turned: int
) -> None:
    path = tmp_path / "phone.mp4"
    path.write_bytes(video("mp4", Recipe(turned=turned, n_frames=1)))
    raw = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    shown = subprocess.run(
        [requires_ffmpeg, "-v", "error", "-skip_loop_filter", "all", "-i", path, *raw],
        check=True,
        capture_output=True,
    ).stdout
    codec, found = packets(path.read_bytes())

    frame = decoder().keyframe(codec, found[0])

    shape = (120, 160) if turned % 180 == 0 else (160, 120)
    expected = np.frombuffer(shown, np.uint8)[: 120 * 160].reshape(shape)
    assert np.array_equal(frame.luma, expected)


@given(st.sampled_from(["h264", "hevc", "mpeg4", "vp9", "mjpeg", "av1"]), st.binary(max_size=400))
def test_random_bytes_give_a_frame_or_a_corrupt_source(codec: str, payload: bytes) -> None:
    packet = Packet(0, 0, 0, is_keyframe=True, read_at_s=0.0, payload=payload)
    described = Codec(codec, b"", 64, 64)

    one_decoder = decoder()
    ordered = one_decoder.in_order(described)

    with suppress(SourceCorrupt):
        assert one_decoder.keyframe(described, packet).packet is packet
    with suppress(SourceCorrupt):
        assert all(frame.packet is packet for frame in ordered.feed(packet))
    with suppress(SourceCorrupt):
        assert all(frame.packet is packet for frame in ordered.finish())


@given(st.sampled_from(["libx264", "libx265", "mpeg4"]), st.integers(0, 2**32), st.integers(1, 60))
def test_damaged_packets_give_frames_or_a_corrupt_source(
    codec: str, seed: int, n_flips: int
) -> None:
    described, found = packets(video("mp4", Recipe(codec=codec, n_frames=10, gop=5)))
    spoilt = [
        replace(packet, payload=damaged(packet.payload, seed + index, n_flips))
        for index, packet in enumerate(found)
    ]
    one_decoder = decoder()
    ordered = one_decoder.in_order(described)

    for packet in spoilt:
        with suppress(SourceCorrupt):
            assert one_decoder.keyframe(described, packet).packet is packet
        with suppress(SourceCorrupt):
            assert all(frame.packet in spoilt for frame in ordered.feed(packet))


def test_a_decoder_that_damage_has_spoilt_is_replaced() -> None:
    """What three of these leave behind keeps FFmpeg's MPEG-4 decoder from decoding the next."""
    described, found = packets(video("mp4", Recipe(codec="mpeg4", n_frames=10, gop=5)))

    for seed in range(38, 48):
        one_decoder = decoder()
        for packet in found:
            with suppress(SourceCorrupt):
                spoilt = damaged(packet.payload, seed, n_flips=45)
                one_decoder.keyframe(described, replace(packet, payload=spoilt))
        with suppress(SourceCorrupt):
            one_decoder.keyframe(described, found[0])

        assert one_decoder.keyframe(described, found[0]).luma.shape == (120, 160)
