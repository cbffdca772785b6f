import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from streamguard.kernels.compiled import kernels
from tests.kernel_paths import guarded, instructions, needs_kernels

__all__ = ["instructions"]

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]

LINES_FIRST, COLUMNS_FIRST = False, True
"""The orders of the passes, by `is_vertical_first`."""

Part = tuple[int, int, int, int]
"""Left, top, right and bottom edge within the scaled picture."""


def noise(height: int, width: int, seed: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def by_pillow(
    picture: NDArray[np.uint8], width: int, height: int, *, is_vertical_first: bool
) -> NDArray[np.uint8]:
    """Scale one side after the other, each by Pillow, which rounds to 8 bits after each."""
    image = Image.fromarray(picture)
    between = (image.width, height) if is_vertical_first else (width, image.height)
    halfway = image.resize(between, Image.Resampling.BILINEAR)
    return np.asarray(halfway.resize((width, height), Image.Resampling.BILINEAR))


def by_kernel(
    picture: NDArray[np.uint8], width: int, height: int, part: Part, *, is_vertical_first: bool
) -> NDArray[np.uint8]:
    left, top, right, bottom = part
    out = np.zeros((bottom - top, right - left, 3), np.uint8)
    kernels.scale_part(picture, width, height, left, top, is_vertical_first, out)
    return out


@st.composite
def parts(draw: st.DrawFn) -> tuple[int, int, Part]:
    width, height = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    return width, height, (left, top, right, bottom)


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    scaled=parts(),
    is_vertical_first=st.booleans(),
    padding=st.sampled_from([0, 1, 32]),
    seed=st.integers(0, 99),
)
def test_every_pixel_of_every_part_is_pillows(
    size: tuple[int, int],
    scaled: tuple[int, int, Part],
    is_vertical_first: bool,  # noqa: FBT001  # hypothesis names it
    padding: int,
    seed: int,
) -> None:
    width, height, part = scaled
    padded = noise(size[0], size[1] + padding, seed)
    picture = padded[:, : size[1]]

    ours = by_kernel(picture, width, height, part, is_vertical_first=is_vertical_first)

    whole = by_pillow(picture.copy(), width, height, is_vertical_first=is_vertical_first)
    left, top, right, bottom = part
    assert np.array_equal(ours, whole[top:bottom, left:right])


@pytest.mark.parametrize("is_vertical_first", [False, True])
@pytest.mark.parametrize(
    ("height", "width"), [(1080, 1920), (1920, 1080), (720, 1280), (2160, 3840), (144, 176)]
)
def test_sizes_of_video_come_out_as_by_pillow(
    height: int, width: int, *, is_vertical_first: bool
) -> None:
    picture = noise(height, width)

    ours = by_kernel(picture, 256, 256, (16, 16, 240, 240), is_vertical_first=is_vertical_first)

    whole = by_pillow(picture, 256, 256, is_vertical_first=is_vertical_first)
    assert np.array_equal(ours, whole[16:240, 16:240])


@pytest.mark.parametrize("value", [0, 255])
def test_black_stays_black_and_white_white(value: int) -> None:
    picture = np.full((37, 59, 3), value, np.uint8)

    ours = by_kernel(picture, 16, 16, (0, 0, 16, 16), is_vertical_first=False)

    assert (ours == value).all()


@pytest.mark.parametrize("order", [LINES_FIRST, COLUMNS_FIRST])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (4, 64), (9, 64), (64, 9)])
def test_nothing_is_read_past_the_end_of_a_picture(size: tuple[int, int], *, order: bool) -> None:
    height, width = size

    with guarded(height * width * 3) as memory:
        by_kernel(memory.reshape(height, width, 3), 8, 8, (0, 0, 8, 8), is_vertical_first=order)


def test_bytes_around_the_result_are_left_alone() -> None:
    memory = np.full((3, 8, 8, 3), 7, np.uint8)

    kernels.scale_part(noise(30, 30), 8, 8, 0, 0, LINES_FIRST, memory[1])
    kernels.scale_part(noise(30, 30), 8, 8, 0, 0, COLUMNS_FIRST, memory[1])

    assert (memory[0] == 7).all()
    assert (memory[2] == 7).all()


def test_wrong_arguments_are_refused() -> None:
    picture, out = noise(8, 8), np.zeros((4, 4, 3), np.uint8)

    for wrong in (
        (picture[:0], 8, 8, 0, 0, LINES_FIRST, out),
        (picture[:, :0], 8, 8, 0, 0, LINES_FIRST, out),
        (picture[..., :2], 8, 8, 0, 0, LINES_FIRST, out),
        (picture[::-1], 8, 8, 0, 0, LINES_FIRST, out),
        (picture.transpose(1, 0, 2), 8, 8, 0, 0, LINES_FIRST, out),
        (picture[..., 0], 8, 8, 0, 0, LINES_FIRST, out),
        (picture, 8, 8, 5, 0, LINES_FIRST, out),
        (picture, 8, 8, 0, 5, LINES_FIRST, out),
        (picture, 0, 8, 0, 0, LINES_FIRST, out),
        (picture, 8, 8, -1, 0, LINES_FIRST, out),
        (picture, 1 << 17, 8, 0, 0, LINES_FIRST, out),
        (picture, 8, 8, 0, 0, LINES_FIRST, out[:0]),
        (picture, 8, 8, 0, 0, LINES_FIRST, out[:, ::2]),
        (picture.astype(np.int8), 8, 8, 0, 0, LINES_FIRST, out),
    ):
        with pytest.raises((ValueError, BufferError)):
            kernels.scale_part(*wrong)
    with pytest.raises(TypeError):
        kernels.scale_part(picture, 8, 8, 0, 0, out)
    assert not out.any()


def test_part_may_reach_the_last_row_and_column() -> None:
    picture, out = noise(8, 8), np.zeros((4, 4, 3), np.uint8)

    kernels.scale_part(picture, 8, 8, 4, 4, LINES_FIRST, out)

    assert np.array_equal(out, picture[4:, 4:])
