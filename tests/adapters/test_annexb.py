import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.adapters.annexb import parameter_sets, sets_in_box
from tests.media import Recipe, packets, video

H264_SPS, H264_PPS = b"\x67\x64\x00\x0a", b"\x68\xe8\x43"
H264_IDR, H264_SEI, H264_AUD = b"\x65\x88\x84", b"\x06\x05\xff", b"\x09\xf0"
HEVC_VPS, HEVC_SPS, HEVC_PPS = b"\x40\x01\x0c", b"\x42\x01\x01", b"\x44\x01\xc1"
HEVC_IDR, HEVC_AUD = b"\x26\x01\xaf", b"\x46\x01\x50"
LONG, SHORT = b"\x00\x00\x00\x01", b"\x00\x00\x01"


def units(*found: bytes, start_code: bytes = LONG) -> bytes:
    return b"".join(start_code + unit for unit in found)


@pytest.mark.parametrize("start_code", [LONG, SHORT])
def test_h264_sets_are_found_before_the_slice(start_code: bytes) -> None:
    unit = units(H264_AUD, H264_SPS, H264_SEI, H264_PPS, H264_IDR, start_code=start_code)

    assert parameter_sets("h264", unit) == units(H264_SPS, H264_PPS)


@pytest.mark.parametrize("start_code", [LONG, SHORT])
def test_hevc_sets_are_found_before_the_slice(start_code: bytes) -> None:
    unit = units(HEVC_AUD, HEVC_VPS, HEVC_SPS, HEVC_PPS, HEVC_IDR, start_code=start_code)

    assert parameter_sets("hevc", unit) == units(HEVC_VPS, HEVC_SPS, HEVC_PPS)


def test_sets_after_the_first_slice_belong_to_another_picture() -> None:
    assert parameter_sets("h264", units(H264_SPS, H264_IDR, H264_PPS)) == units(H264_SPS)
    assert parameter_sets("h264", units(H264_IDR, H264_SPS, H264_PPS)) == b""


@pytest.mark.parametrize(
    ("codec", "payload"),
    [
        ("h264", units(H264_PPS, H264_IDR)),
        ("hevc", units(HEVC_VPS, HEVC_PPS, HEVC_IDR)),
        ("h264", b""),
        ("h264", LONG),
        ("h264", SHORT),
        ("h264", b"\x01\x64\x00\x0a\xff\xe1\x00\x04" + H264_SPS),  # the form that MP4 keeps
    ],
)
def test_without_a_sequence_set_there_is_nothing(codec: str, payload: bytes) -> None:
    assert parameter_sets(codec, payload) == b""


def test_zeros_between_units_are_no_part_of_a_set() -> None:
    padded = LONG + H264_SPS + b"\x00\x00" + LONG + H264_PPS + b"\x00" + LONG + H264_IDR

    assert parameter_sets("h264", padded) == units(H264_SPS, H264_PPS)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_what_is_found_in_real_video_lets_a_decoder_begin(codec: str) -> None:
    """A slice alone decodes with the sets of another keyframe, and not without."""
    recipe = Recipe(codec=codec, n_frames=2, gop=1)
    name = {"libx264": "h264", "libx265": "hevc"}[codec]
    with av.open(io.BytesIO(video("mpegts", recipe)), format="mpegts") as container:
        first, second = (bytes(p) for p in container.demux(video=0) if p.size)

    found = parameter_sets(name, first)

    bare = second[second.index(found[-8:]) + 8 :]
    assert n_pictures(name, found + bare) == 1
    assert n_pictures(name, bare) == 0


def n_pictures(codec: str, payload: bytes) -> int:
    context = av.CodecContext.create(codec, "r")
    try:
        return len([*context.decode(av.Packet(payload)), *context.decode(None)])
    except av.error.InvalidDataError:
        return 0


@given(st.sampled_from(["h264", "hevc"]), st.binary(max_size=200))
def test_any_bytes_give_sets_or_nothing(codec: str, payload: bytes) -> None:
    found = parameter_sets(codec, payload)

    assert found == b"" or found.startswith(LONG)


@given(
    st.lists(st.sampled_from([H264_AUD, H264_SPS, H264_PPS, H264_SEI, H264_IDR]), max_size=8),
    st.sampled_from([LONG, SHORT]),
)
def test_finding_sets_in_what_was_found_changes_nothing(
    found_units: list[bytes], start_code: bytes
) -> None:
    found = parameter_sets("h264", units(*found_units, start_code=start_code))

    assert parameter_sets("h264", found) == found


@pytest.mark.parametrize(("encoder", "codec"), [("libx264", "h264"), ("libx265", "hevc")])
def test_the_sets_in_a_header_are_those_of_the_stream(encoder: str, codec: str) -> None:
    recipe = Recipe(codec=encoder, n_frames=2)
    with av.open(io.BytesIO(video("mp4", recipe))) as opened:
        box = bytes(opened.streams.video[0].codec_context.extradata or b"")
    _, (first, *_) = packets(video("mpegts", recipe))

    assert sets_in_box(codec, box) == parameter_sets(codec, first.payload) != b""


@given(codec=st.sampled_from(["h264", "hevc"]), damaged=st.binary(max_size=80))
def test_a_damaged_header_gives_an_answer(codec: str, damaged: bytes) -> None:
    assert isinstance(sets_in_box(codec, damaged), bytes)
