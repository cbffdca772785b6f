from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from streamguard.adapters.pyav_hasher import Hashed, hash_source
from streamguard.core.errors import ConfigError, SourceInvalid, SourceTruncated
from streamguard.core.location import parse_location
from streamguard.core.look import views_of
from streamguard.core.pdq import hash_luma
from streamguard.core.region_memory import RegionMemory
from streamguard.core.regions import Rectangle
from streamguard.core.types import MATCH_DISTANCE_BITS
from tests.clock import FakeClock
from tests.core.made_layouts import window
from tests.media import (
    TS_TICKS_S,
    Recipe,
    damaged,
    filmed,
    image,
    plain_decode,
    shifted,
    video,
    write_faststart_mp4,
)

FRAME_US = 40_000
H264 = Recipe(bf=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.video"


def hashed(path: Path, payload: bytes, *, every_frame: bool = True) -> list[Hashed]:
    path.write_bytes(payload)
    return list(hash_source(parse_location(str(path)), FakeClock(), every_frame=every_frame))


def offsets(found: list[Hashed]) -> list[int]:
    return [each.offset_us for each in found]


@pytest.mark.parametrize("container", ["mpegts", "flv", "mp4"])
def test_every_frame_is_hashed_as_screening_would(path: Path, container: str) -> None:
    payload = video(container, H264)

    found = hashed(path, payload)

    assert offsets(found) == [index * FRAME_US for index in range(50)]
    pictures = plain_decode(payload, container, skip_loop_filter="all")
    memory = RegionMemory()
    for each, picture in zip(found, pictures, strict=True):
        luma = np.asarray(picture.to_ndarray()[: picture.height], np.uint8)
        expected = views_of(luma, full_range=False, memory=memory)
        assert [v.pdq.tobytes() for v in each.views] == [v.pdq.tobytes() for v in expected]
        assert [v.quality for v in each.views] == [v.quality for v in expected]


def test_clip_shown_in_a_window_of_an_encoded_stream_hashes_like_the_clip(path: Path) -> None:
    inset = Rectangle(60, 330, 100, 580)
    pictures = [window((360, 640), inset, seed) for seed in range(6) for _ in range(5)]

    found = hashed(path, filmed(pictures, gop=5, crf=32), every_frame=False)

    assert len(found) == 6
    for each, picture in zip(found, pictures[::5], strict=True):
        clip = hash_luma(inset.of(picture), full_range=True).bits
        bits = [
            int(np.bitwise_count(view.pdq ^ clip).sum())
            for view in each.views
            if view.region == "inset"
        ]
        assert min(bits) <= MATCH_DISTANCE_BITS


def test_keyframes_alone_are_hashed_as_among_all_frames(path: Path) -> None:
    payload = video("mp4", H264)
    every = {each.offset_us: each.views[0].pdq.tobytes() for each in hashed(path, payload)}

    found = hashed(path, payload, every_frame=False)

    assert offsets(found) == [0, 25 * FRAME_US]
    assert all(each.views[0].pdq.tobytes() == every[each.offset_us] for each in found)


@pytest.mark.parametrize("every_frame", [False, True])
def test_an_image_is_one_frame(path: Path, every_frame: bool) -> None:  # noqa: FBT001
    assert offsets(hashed(path, image("png"), every_frame=every_frame)) == [0]


@pytest.mark.parametrize("every_frame", [False, True])
def test_time_counts_on_where_the_timeline_breaks(path: Path, every_frame: bool) -> None:  # noqa: FBT001
    second = shifted(video("mpegts", Recipe(seed=2)), 5_000 * TS_TICKS_S)

    found = hashed(path, video("mpegts", Recipe()) + second, every_frame=every_frame)

    counted = offsets(found)
    assert counted[0] == 0
    assert all(now <= then for now, then in pairwise(counted))
    assert counted[-1] < 5_000_000
    assert len(found) == (100 if every_frame else 4)


def test_a_change_of_size_is_hashed_through(path: Path) -> None:
    large = shifted(video("mpegts", Recipe(size=(320, 180), seed=2)), 2 * TS_TICKS_S)

    found = hashed(path, video("mpegts", Recipe()) + large)

    assert len(found) == 100


@pytest.mark.parametrize("every_frame", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_what_cannot_be_decoded_is_left_out(
    path: Path,
    seed: int,
    every_frame: bool,  # noqa: FBT001
) -> None:
    payload = damaged(video("mpegts", H264), seed, n_flips=30, start=1_000)

    found = hashed(path, payload, every_frame=every_frame)

    assert 0 < len(found) <= (50 if every_frame else 2)
    assert min(offsets(found)) >= 0


@pytest.mark.parametrize("every_frame", [False, True])
def test_of_a_file_cut_short_all_that_is_there_is_given_first(
    path: Path,
    every_frame: bool,  # noqa: FBT001
) -> None:
    write_faststart_mp4(path, Recipe(n_frames=100, bf=2, gop=10))
    payload = path.read_bytes()
    path.write_bytes(payload[: len(payload) // 2])
    found: list[Hashed] = []

    with pytest.raises(SourceTruncated) as caught:
        found.extend(hash_source(parse_location(str(path)), FakeClock(), every_frame=every_frame))

    step_us = FRAME_US if every_frame else 10 * FRAME_US
    assert offsets(found) == [step_us * index for index in range(len(found))]
    end_us = 4_000_000 - caught.value.missing_us
    assert end_us - found[-1].offset_us <= step_us + 2 * FRAME_US


def test_what_is_no_video_raises_what_opening_raises(path: Path) -> None:
    with pytest.raises(SourceInvalid):
        hashed(path, b"nothing of the kind")
    with pytest.raises(ConfigError):
        list(hash_source(parse_location(f"{path}.gone"), FakeClock(), every_frame=True))


@pytest.mark.parametrize("every_frame", [False, True])
def test_what_cannot_be_decoded_at_all_is_no_video(
    path: Path,
    every_frame: bool,  # noqa: FBT001
) -> None:
    """Raw pictures of an AVI need more than their packets."""
    with pytest.raises(SourceInvalid, match="no picture"):
        hashed(path, video("avi", Recipe(codec="rawvideo", n_frames=5)), every_frame=every_frame)
