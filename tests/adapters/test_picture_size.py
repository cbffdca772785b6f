import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.adapters.picture_size import picture_size
from tests.media import Recipe, video


def head_of(container: str, encoder: str, size: tuple[int, int]) -> bytes:
    recipe = Recipe(codec=encoder, n_frames=2, size=size)
    with av.open(io.BytesIO(video(container, recipe)), format=container) as opened:
        return bytes(opened.streams.video[0].codec_context.extradata or b"")


@pytest.mark.parametrize("size", [(160, 120), (322, 182), (1920, 1080)])
@pytest.mark.parametrize(("encoder", "codec"), [("libx264", "h264"), ("libx265", "hevc")])
@pytest.mark.parametrize("container", ["mpegts", "mp4"])
def test_the_size_stands_in_the_parameter_sets(
    container: str, encoder: str, codec: str, size: tuple[int, int]
) -> None:
    assert picture_size(codec, head_of(container, encoder, size)) == size


@pytest.mark.parametrize(("codec", "head"), [("h264", b""), ("hevc", b"\x01"), ("vp9", b"abc")])
def test_where_nothing_is_told_there_is_no_size(codec: str, head: bytes) -> None:
    assert picture_size(codec, head) == (0, 0)


SPS = b"\x00\x00\x01\x67", b"\x00\x00\x01\x42\x01"


@given(codec=st.sampled_from(["h264", "hevc"]), damaged=st.binary(max_size=60))
def test_damaged_sets_give_an_answer(codec: str, damaged: bytes) -> None:
    for sps in SPS:
        width, height = picture_size(codec, sps + damaged)
        assert width >= 0 <= height
