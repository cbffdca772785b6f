import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.pdq import TIE_REACH, hash_terms
from streamguard.core.pdq_reference import dct_matrix, quality_of
from streamguard.kernels.compiled import kernels
from tests.kernel_paths import instructions, needs_kernels

__all__ = ["instructions"]

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]

DCT = dct_matrix().astype(np.float32)


def clouds(seed: int, contrast: float = 40.0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    coarse = np.kron(random.normal(0, contrast, (16, 16)), np.ones((4, 4)))
    return (128 + coarse + random.normal(0, 1, (64, 64))).astype(np.float32)


def by_kernel(
    thumb: NDArray[np.float32], luma_span: int = 255, tie_reach: float = TIE_REACH
) -> tuple[NDArray[np.uint8], int, int]:
    bits = np.full(32, 0xA5, np.uint8)
    quality, n_ties, *_ = kernels.hash_thumbnail(thumb, DCT, luma_span, tie_reach, bits)
    return bits, quality, n_ties


def odd_by_kernel(thumb: NDArray[np.float32]) -> tuple[float, float]:
    _, _, down, across = kernels.hash_thumbnail(thumb, DCT, 255, 1.0, np.zeros(32, np.uint8))
    return down, across


@given(st.integers(0, 2**32), st.sampled_from([0.5, 5.0, 40.0]), st.sampled_from([219, 255]))
def test_bits_and_quality_are_numpys_but_for_terms_that_tie(
    seed: int, contrast: float, luma_span: int
) -> None:
    thumb = clouds(seed, contrast)

    bits, quality, _ = by_kernel(thumb, luma_span)

    theirs, _ = hash_terms((DCT @ thumb @ DCT.T).reshape(1, -1))
    assert np.bitwise_count(bits ^ theirs[0]).sum() <= 2
    assert quality == quality_of(thumb, luma_span)


def test_result_is_the_same_by_all_instructions(instructions: str) -> None:
    results = []
    for name in (instructions, "plain"):
        kernels.use_instructions(name)
        results.append([by_kernel(clouds(seed)) for seed in range(20)])
    kernels.use_instructions(instructions)

    for ours, plain in zip(*results, strict=True):
        assert ours[0].tobytes() == plain[0].tobytes()
        assert ours[1:] == plain[1:]


@pytest.mark.parametrize("seed", range(4))
def test_as_many_terms_tie_as_lie_within_reach_of_the_median(seed: int) -> None:
    thumb = clouds(seed)
    terms = (DCT.astype(np.float64) @ thumb @ DCT.T).ravel()
    from_median = np.sort(np.abs(terms - np.sort(terms)[127]))

    for n_ties in (1, 2, 65, 256):
        after = from_median[n_ties] if n_ties < 256 else from_median[-1] + 2
        reach = (from_median[n_ties - 1] + after) / 2
        assert by_kernel(thumb, tie_reach=reach)[2] == n_ties


@given(st.integers(0, 2**32), st.floats(0, 1))
def test_odd_terms_are_weighed_as_in_numpy(seed: int, share: float) -> None:
    thumb = clouds(seed)
    mirrored = (thumb + np.float32(share) * thumb[::-1]).astype(np.float32)

    down, across = odd_by_kernel(mirrored)

    energy = (DCT.astype(np.float64) @ mirrored @ DCT.T) ** 2
    assert down == pytest.approx(energy[::2].sum() / energy.sum(), abs=1e-5)
    assert across == pytest.approx(energy[:, ::2].sum() / energy.sum(), abs=1e-5)


def test_nothing_is_odd_of_nothing() -> None:
    assert odd_by_kernel(np.zeros((64, 64), np.float32)) == (1.0, 1.0)
    assert odd_by_kernel(np.full((64, 64), np.nan, np.float32)) == (1.0, 1.0)


def test_half_of_the_terms_lie_above_the_median() -> None:
    assert [int(np.bitwise_count(by_kernel(clouds(seed))[0]).sum()) for seed in range(9)] == [
        128
    ] * 9


def test_flat_picture_has_no_quality_and_ties_in_all_terms() -> None:
    bits, quality, n_ties = by_kernel(np.full((64, 64), 77, np.float32))

    assert (quality, n_ties) == (0, 256)
    assert bits.shape == (32,)


def test_numbers_that_are_none_do_no_harm() -> None:
    thumb = clouds(1)
    thumb[3, 3] = np.nan

    bits, _, n_ties = by_kernel(thumb)

    assert not bits.any()
    assert n_ties == 0


def test_wrong_arguments_are_refused() -> None:
    thumb, bits = clouds(1), np.zeros(32, np.uint8)

    for wrong in (
        (thumb[:63], DCT, 255, 1.0, bits),
        (thumb[:, ::-1], DCT, 255, 1.0, bits),
        (thumb.astype(np.float64), DCT, 255, 1.0, bits),
        (thumb, DCT[:15], 255, 1.0, bits),
        (thumb, DCT, 0, 1.0, bits),
        (thumb, DCT, 256, 1.0, bits),
        (thumb, DCT, 255, 1.0, bits[:31]),
    ):
        with pytest.raises(ValueError, match=r"64|expected|within|contiguous"):
            kernels.hash_thumbnail(*wrong)
    with pytest.raises(TypeError):
        kernels.hash_thumbnail(thumb, DCT, 255, "much", bits)
    with pytest.raises(TypeError):
        kernels.hash_thumbnail(thumb, DCT, 255, 1.0)
    assert not bits.any()
