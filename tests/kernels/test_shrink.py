import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core import pdq
from streamguard.core.pdq import hash_thumbnail
from streamguard.kernels.compiled import kernels
from tests.kernel_paths import guarded, instructions, needs_kernels

__all__ = ["instructions"]

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]

SIDES = st.integers(5, 400)


def scenery(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Make clouds, whose hash has few ties."""
    random = np.random.default_rng(seed)
    coarse = random.normal(0, 50, (9, 9))
    y, x = np.linspace(0, 8, height), np.linspace(0, 8, width)
    along = np.array([np.interp(x, np.arange(9), line) for line in coarse])
    clouds = np.array([np.interp(y, np.arange(9), line) for line in along.T]).T
    return np.clip(clouds + 128 + random.normal(0, 4, clouds.shape), 0, 255).astype(np.uint8)


@given(height=SIDES, width=SIDES, padding=st.sampled_from([0, 1, 64]), seed=st.integers(0, 99))
def test_thumbnail_is_numpys_but_for_rounding(
    height: int, width: int, padding: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    luma = random.integers(0, 256, (height, width + padding), np.uint8)[:, :width]

    shrunk = pdq._by_kernel(luma)

    assert np.allclose(shrunk, pdq._by_numpy(luma), rtol=0, atol=0.001)


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080), (2160, 3840), (360, 640), (64, 64)])
def test_hash_moves_by_two_bits_at_most(size: tuple[int, int]) -> None:
    """A term that ties with the median may change sides with the last bit of a sum."""
    for seed in range(3):
        luma = scenery(*size, seed)

        ours = hash_thumbnail(pdq._by_kernel(luma), full_range=False)

        theirs = hash_thumbnail(pdq._by_numpy(luma), full_range=False)
        assert np.bitwise_count(ours.bits ^ theirs.bits).sum() <= 2
        assert (ours.quality, ours.is_stable) == (theirs.quality, theirs.is_stable)


@pytest.mark.parametrize("size", [(5, 5), (37, 900), (1080, 1920)])
def test_sums_are_the_same_by_all_instructions(size: tuple[int, int], instructions: str) -> None:
    luma = np.random.default_rng(4).integers(0, 256, size, np.uint8)

    shrunk = pdq._by_kernel(luma)

    kernels.use_instructions("plain")
    plain = pdq._by_kernel(luma)
    kernels.use_instructions(instructions)
    assert shrunk.tobytes() == plain.tobytes()


def test_mirrored_and_turned_pictures_are_hashed_as_their_copies() -> None:
    luma = scenery(90, 160, 1)

    for turned in (luma[:, ::-1], luma[::-1], luma.T, np.rot90(luma)):
        assert np.array_equal(pdq._by_kernel(turned), pdq._by_kernel(turned.copy()))


@pytest.mark.parametrize("size", [(5, 5), (5, 64), (64, 5), (17, 33), (480, 270)])
def test_nothing_is_read_past_the_end_of_a_picture(size: tuple[int, int]) -> None:
    with guarded(size[0] * size[1]) as memory:
        shrunk = pdq._by_kernel(memory.reshape(size))

    assert not shrunk.any()


def test_wrong_arguments_are_refused() -> None:
    luma, out = np.zeros((40, 80), np.uint8), np.ones((64, 64), np.float32)
    firsts, few = np.zeros(64, np.intp), np.zeros((64, 8), np.float32)
    good = (luma, firsts, few, firsts, few, out)

    def but(at: int, wrong: NDArray[np.generic]) -> tuple[NDArray[np.generic], ...]:
        return (*good[:at], wrong, *good[at + 1 :])

    for arguments in (
        but(0, luma.astype(np.uint16)),
        but(0, luma[::-1]),
        but(0, luma.T),
        but(1, firsts[:63]),
        but(1, firsts - 1),
        but(1, firsts + 33),  # the last of 8 rows would be the 41st
        but(2, np.zeros((64, 41), np.float32)),
        but(2, few.astype(np.float64)),
        but(3, firsts - 1),
        but(3, firsts + 81),
        but(4, np.zeros((64, 12), np.float32)),
        but(5, out[:63]),
    ):
        with pytest.raises(ValueError, match=r"64 rows|expected|contiguous"):
            kernels.shrink(*arguments)
    with pytest.raises(TypeError):
        kernels.shrink(*good[:5])
    assert out.all()
    kernels.shrink(*but(1, firsts + 32))
    assert not out.any()
