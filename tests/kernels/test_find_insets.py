import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core import insets
from streamguard.core.edges import N_BLOCKS, Lines
from streamguard.kernels.compiled import kernels
from tests.kernel_paths import needs_kernels

pytestmark = needs_kernels

SIZES = [(120, 160), (160, 120), (360, 640), (1080, 1920), (1920, 1080)]


def lines(random: np.random.Generator, length: int, n_marked: int) -> Lines:
    """Make lines of which some are marked, evenly or in part, the same ones at times."""
    step = max(1, length // 270)
    density = (random.random((N_BLOCKS, length // step - 5)) * 0.2).astype(np.float32)
    for line in random.integers(0, density.shape[1], n_marked):
        start, end = np.sort(random.integers(0, N_BLOCKS + 1, 2))
        density[start:end, line] = random.choice([0.27, 0.36, 0.5, 0.6, 0.75, 1.0])
    return Lines(density, step)


@given(st.integers(0, 2**32), st.sampled_from(SIZES), st.integers(0, 20), st.integers(0, 20))
@settings(deadline=None)
def test_rectangles_are_those_of_numpy_in_the_same_order(
    seed: int, size: tuple[int, int], n_rows: int, n_columns: int
) -> None:
    random = np.random.default_rng(seed)
    rows, columns = lines(random, size[0], n_rows), lines(random, size[1], n_columns)

    ours = insets._by_kernel(rows, columns, *size)

    assert ours == insets._by_numpy(rows, columns, *size)


def test_picture_without_lines_has_no_insets() -> None:
    none = Lines(np.zeros((N_BLOCKS, 0), np.float32), 1)

    assert insets._by_kernel(none, none, 10, 10) == []


def test_wrong_arguments_are_refused() -> None:
    density = np.zeros((N_BLOCKS, 20), np.float32)
    numbers, rules, out = np.array([3.0, 1.0, 25.0, 0.2]), np.ones(11), np.zeros((6, 4), np.int64)
    good = (density, density, numbers, numbers, rules, out)

    def but(at: int, wrong: NDArray[np.generic]) -> tuple[NDArray[np.generic], ...]:
        return (*good[:at], wrong, *good[at + 1 :])

    for arguments in (
        but(0, density[:15]),
        but(1, density.astype(np.float64)),
        but(1, density[:, ::2]),
        but(2, numbers[:3]),
        but(3, numbers.astype(np.float32)),
        but(4, rules[:10]),
        but(5, out[:, :3].copy()),
        but(5, out.astype(np.int32)),
    ):
        with pytest.raises(ValueError, match=r"expected|16 blocks|contiguous"):
            kernels.find_insets(*arguments)
    with pytest.raises(TypeError):
        kernels.find_insets(*good[:5])
    assert kernels.find_insets(*good) == 0
