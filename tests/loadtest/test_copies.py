from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.copies import SHORTEST_S, drawn_stretch, is_read_from_its_start, scaled
from loadtest.transforms import BY_NAME, TRANSFORMS, Size, Transform


@given(
    duration_s=st.floats(4.0, 90.0),
    transform=st.sampled_from(TRANSFORMS),
    seed=st.integers(0, 1000),
)
def test_a_copy_shows_4_to_15_seconds_that_the_content_has(
    duration_s: float, transform: Transform, seed: int
) -> None:
    stretch = drawn_stretch("any", transform, duration_s, seed)

    assert min(SHORTEST_S, duration_s) - 0.001 <= stretch.length_s <= 15.001
    assert stretch.start_s >= 0
    assert stretch.start_s + stretch.length_s <= duration_s + 0.002


def test_a_clip_within_a_stream_has_the_length_that_its_name_says() -> None:
    assert drawn_stretch("any", BY_NAME["within-5s"], 60.0, 1).length_s == 5.0
    assert drawn_stretch("any", BY_NAME["within-15s"], 60.0, 1).length_s == 15.0
    assert drawn_stretch("any", BY_NAME["within-15s"], 9.0, 1).length_s == 9.0


def test_a_clip_enters_a_stream_after_some_seconds_and_else_at_once() -> None:
    assert 4.0 <= drawn_stretch("any", BY_NAME["within-5s"], 60.0, 1).enters_s <= 10.0
    assert drawn_stretch("any", BY_NAME["mirror"], 60.0, 1).enters_s == 0.0


def test_the_same_seed_draws_the_same_stretch_and_another_content_another() -> None:
    first = drawn_stretch("one", BY_NAME["mirror"], 60.0, 1)

    assert drawn_stretch("one", BY_NAME["mirror"], 60.0, 1) == first
    assert drawn_stretch("other", BY_NAME["mirror"], 60.0, 1) != first
    assert drawn_stretch("one", BY_NAME["mirror"], 60.0, 2) != first


@pytest.mark.parametrize(("pix_fmt", "expected"), [("yuv444p", True), ("yuv420p", False)])
def test_a_decoder_begins_at_the_start_where_pictures_are_4_4_4(
    tmp_path: Path, pix_fmt: str, *, expected: bool
) -> None:
    path = tmp_path / "video.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, pix_fmt
        container.mux(stream.encode(av.VideoFrame(64, 64, pix_fmt)))
        container.mux(stream.encode())

    assert is_read_from_its_start(path) is expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (Size(1280, 720), Size(640, 360)),
        (Size(640, 272), Size(640, 272)),
        (Size(480, 720), Size(240, 360)),
        (Size(176, 144), Size(440, 360)),
    ],
)
def test_pictures_fit_into_the_frame_of_a_rung(size: Size, expected: Size) -> None:
    assert scaled(size, 360) == expected
