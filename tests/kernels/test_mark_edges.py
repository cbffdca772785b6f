import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core import edges
from streamguard.kernels.compiled import kernels
from tests.kernel_paths import guarded, instructions, needs_kernels

__all__ = ["instructions"]

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]

SIDES = st.integers(16, 1200)


@given(
    height=SIDES,
    width=SIDES,
    padding=st.sampled_from([0, 1, 64]),
    contrast=st.integers(2, 256),
    seed=st.integers(0, 99),
)
def test_density_is_numpys_to_the_last_bit(
    height: int, width: int, padding: int, contrast: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    luma = chance.integers(0, contrast, (height, width + padding), np.uint8)[:, :width]

    for lines_of in (edges.lines_between_rows, edges.lines_between_columns):
        ours = lines_of(luma)
        edges.kernels = None
        theirs = lines_of(luma)
        edges.kernels = kernels
        assert ours.density.tobytes() == theirs.density.tobytes()
        assert ours.step == theirs.step


@pytest.mark.parametrize("is_between_columns", [False, True])
def test_nothing_is_read_past_the_last_pixel(*, is_between_columns: bool) -> None:
    for height, width, step, along in [(100, 64, 1, 1), (101, 67, 2, 3), (64, 999, 3, 4)]:
        length, across = (width, height) if is_between_columns else (height, width)
        n_lines, n_samples = (
            len(range(step // 2, length, step)),
            len(range(along // 2, across, along)),
        )
        if not 16 <= n_samples <= 255:
            continue
        with guarded(height * width) as memory:
            luma = memory.reshape(height, width)
            density = np.ones((16, n_lines - 5), np.float32)

            kernels.mark_edges(luma, is_between_columns, step, along, 7, density)

            assert not density.any()
            del luma


def test_wrong_arguments_are_refused_and_nothing_is_written() -> None:
    luma = np.zeros((64, 80), np.uint8)
    density = np.full((16, 59), 0.5, np.float32)

    for wrong in (
        (luma, False, 0, 1, 7, density),
        (luma, False, 1, 0, 7, density),
        (luma, False, 1, 1, 0, density),
        (luma, False, 1, 1, 256, density),
        (luma, 2, 1, 1, 7, density),
        (luma, True, 1, 1, 7, density),
        (luma, False, 2, 1, 7, density),
        (luma, False, 1, 6, 7, density),
        (luma[:, :15], False, 1, 1, 7, density),
        (luma[:5], False, 1, 1, 7, density[:, :0]),
        (np.zeros((64, 256), np.uint8), False, 1, 1, 7, density),
        (luma.T, True, 1, 1, 7, density),
        (luma.astype(np.uint16), False, 1, 1, 7, density),
        (luma, False, 1, 1, 7, density.astype(np.float64)),
        (luma, False, 1, 1, 7, density[:8]),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  # each in its own words
            kernels.mark_edges(*wrong)
    with pytest.raises(TypeError):
        kernels.mark_edges(luma, 0, 1, 1, 7)

    assert (density == 0.5).all()
