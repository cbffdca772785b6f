from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.access_unit import is_disposable, is_gradual
from streamguard.core.types import Packet
from tests.media import Recipe, packets, video


@lru_cache
def made(codec: str, bf: int, params: str = "") -> tuple[Packet, ...]:
    """Encode two seconds."""
    name = "x264-params" if codec == "libx264" else "x265-params"
    options = ((name, params),) if params else ()
    return tuple(packets(video("mpegts", Recipe(codec, bf=bf, options=options)))[1])


ONE_THREAD = "scenecut=0:pools=none:frame-threads=1:log-level=none"
REFRESHED = "intra-refresh=1:keyint=25:scenecut=0:threads=1:ref=1"


@pytest.mark.parametrize(("codec", "name"), [("libx264", "h264"), ("libx265", "hevc")])
def test_pictures_that_no_other_needs_are_told_apart(codec: str, name: str) -> None:
    plain, with_b = made(codec, 0), made(codec, 3)

    n_plain = sum(is_disposable(name, each.payload) for each in plain if each.is_keyframe)
    n_with_b = sum(is_disposable(name, each.payload) for each in with_b)

    assert n_plain == 0
    assert len(with_b) // 4 <= n_with_b < len(with_b)


def test_what_is_of_another_codec_is_never_left_out() -> None:
    assert not is_disposable("mpeg4", b"\x00\x00\x01\x01abc")


def test_a_keyframe_stands_alone_and_a_refresh_does_not() -> None:
    assert not any(is_gradual("h264", each.payload) for each in made("libx264", 0))
    refreshed = made("libx264", 0, REFRESHED)
    marks = [is_gradual("h264", each.payload) for each in refreshed]
    assert sum(marks) == sum(each.is_refresh for each in refreshed) >= 1


HEVC_REFRESHED = f"intra-refresh=1:keyint=25:{ONE_THREAD}"


def test_h265_tells_by_parameter_sets_where_a_picture_begins_to_be_renewed() -> None:
    plain, refreshed = made("libx265", 0), made("libx265", 0, HEVC_REFRESHED)

    assert not any(is_gradual("hevc", each.payload) for each in plain)
    marks = [at for at, each in enumerate(refreshed) if is_gradual("hevc", each.payload)]
    assert marks == [25]
    assert marks == [at for at, each in enumerate(refreshed) if each.is_refresh]


SPS, PPS, PICTURE, KEYFRAME = (b"\x00\x00\x01" + bytes([kind << 1, 1]) for kind in (33, 34, 1, 19))


@pytest.mark.parametrize(
    ("units", "is_one"),
    [
        (SPS + PPS + PICTURE, True),
        (SPS + PPS + KEYFRAME, False),
        (PPS + PICTURE, False),  # some cameras send it with every picture
        (PICTURE + SPS, False),  # after the picture: another's
        (SPS + PPS, False),
    ],
)
def test_parameter_sets_of_h265_begin_something_before_a_picture_that_is_no_keyframe(
    units: bytes, *, is_one: bool
) -> None:
    assert is_gradual("hevc", units) is is_one


RECOVERY = b"\x00\x00\x01\x06\x06\x01"


@pytest.mark.parametrize(
    ("message", "is_one"),
    [
        (RECOVERY + b"\xc4\x80", False),  # 0 frames: whole at once
        (RECOVERY + b"\x5c\x80", True),  # 1 frame
        (b"\x00\x00\x01\x06\x05\x02ab\x06\x01\x5c\x80", True),  # after another message
        (b"\x00\x00\x01\x41abc" + RECOVERY + b"\x5c\x80", False),  # after the picture: another's
    ],
)
def test_a_recovery_point_says_how_far_off_the_whole_picture_is(
    message: bytes, *, is_one: bool
) -> None:
    assert is_gradual("h264", message) is is_one


@given(codec=st.sampled_from(["h264", "hevc", "vp9"]), damaged=st.binary(max_size=64))
def test_damage_gives_an_answer(codec: str, damaged: bytes) -> None:
    for payload in (damaged, b"\x00\x00\x01" + damaged, RECOVERY + damaged):
        assert is_disposable(codec, payload) in (True, False)
        assert is_gradual(codec, payload) in (True, False)
