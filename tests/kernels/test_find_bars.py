import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core import regions
from streamguard.core.regions import Rectangle
from streamguard.kernels.compiled import kernels
from tests.kernel_paths import guarded, needs_kernels

pytestmark = needs_kernels


@given(
    seed=st.integers(0, 2**32),
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    bars=st.tuples(*[st.sampled_from([0, 0, 1, 2, 3, 5, 9, 40, 200])] * 4),
    noise=st.integers(0, 7),
    padding=st.sampled_from([0, 1, 32]),
)
@settings(deadline=None)
def test_what_lies_between_bars_is_what_numpy_finds(
    seed: int,
    size: tuple[int, int],
    bars: tuple[int, int, int, int],
    noise: int,
    padding: int,
) -> None:
    random = np.random.default_rng(seed)
    height, width = size
    luma = random.integers(0, 256, (height, width + padding), np.uint8)[:, :width]
    top, bottom, left, right = bars
    level = int(random.integers(0, 249))
    for bar in (luma[:top], luma[height - bottom :], luma[:, :left], luma[:, width - right :]):
        bar[...] = random.integers(level, level + noise, bar.shape, np.uint8, endpoint=True)

    assert regions._by_kernel(luma) == regions._by_numpy(luma)


def test_turned_picture_has_its_bars_turned() -> None:
    luma = np.random.default_rng(1).integers(0, 256, (90, 160), np.uint8)
    luma[:20] = 16

    assert regions._by_kernel(luma.T) == Rectangle(0, 160, 20, 90)
    assert regions._by_kernel(luma[::-1]) == Rectangle(0, 70, 0, 160)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3), (64, 64)])
def test_nothing_is_read_past_the_end_of_a_picture(size: tuple[int, int]) -> None:
    with guarded(size[0] * size[1]) as memory:
        found = regions._by_kernel(memory.reshape(size))
        expected = regions._by_numpy(memory.reshape(size))

    assert found == expected


def test_empty_picture_has_no_bars() -> None:
    assert kernels.find_bars(np.zeros((0, 9), np.uint8), 128, 5, 0.9, 0.01) == (0, 0, 0, 9)
    assert kernels.find_bars(np.zeros((9, 0), np.uint8), 128, 5, 0.9, 0.01) == (0, 9, 0, 0)


def test_wrong_arguments_are_refused() -> None:
    luma = np.zeros((9, 9), np.uint8)
    wrong: tuple[tuple[NDArray[np.generic], object, object, object], ...] = (
        (luma.astype(np.int16), 128, 5, 0.9),
        (luma[:, ::2], 128, 5, 0.9),
        (luma[0], 128, 5, 0.9),
        (luma, 0, 5, 0.9),
        (luma, 128, 256, 0.9),
    )

    for arguments in wrong:
        with pytest.raises(ValueError, match=r"expected|within|contiguous"):
            kernels.find_bars(*arguments, 0.01)
    with pytest.raises(TypeError):
        kernels.find_bars(luma, 128, 5, "most", 0.01)
    with pytest.raises(TypeError):
        kernels.find_bars(luma, 128, 5, 0.9)
