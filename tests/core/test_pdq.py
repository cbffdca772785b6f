from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core import pdq as pdq_module
from streamguard.core.pdq import MAX_TIES, TIE_REACH, hash_luma, hash_thumbnail, thumbnail
from streamguard.core.pdq_reference import dct_matrix, reference_pdq
from streamguard.core.types import MATCH_DISTANCE_BITS
from streamguard.kernels.compiled import kernels
from tests.kernel_paths import needs_kernels

sides = st.integers(64, 400)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(
    params=[pytest.param("kernel", marks=needs_kernels), "numpy"], scope="module", autouse=True
)
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run each test by the compiled kernel and by numpy."""
    pdq_module.kernels = kernels if request.param == "kernel" else None
    yield
    pdq_module.kernels = kernels


def scenery(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Paint a picture without symmetry: hills and dales over a grid of 40 x 40 random heights."""
    heights = np.random.default_rng(seed).uniform(30, 220, (40, 40))
    places = np.arange(40)
    down, across = np.linspace(0, 39, height), np.linspace(0, 39, width)
    columns = np.array([np.interp(down, places, column) for column in heights.T])
    return np.array([np.interp(across, places, row) for row in columns.T]).astype(np.uint8)


def hamming(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int(np.bitwise_count(one ^ other).sum())


def thumbnail_with(ties: int, *, apart: float) -> NDArray[np.float32]:
    """Build the picture whose DCT has `ties` terms at most `apart` from its median of 0."""
    distances = np.where(np.arange(256) < ties - 1, apart, 100.0)
    terms = np.where(np.arange(256) % 2, distances, -distances)
    terms[254] = 0.0  # the median: 127 terms lie below it and 128 above
    dct = dct_matrix()
    return (dct.T @ terms.reshape(16, 16) @ dct).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(seeds, sides, sides)
def test_folded_form_is_within_a_few_bits_of_the_reference(
    seed: int, height: int, width: int
) -> None:
    luma = scenery(seed, height, width)

    folded = hash_luma(luma, full_range=True)

    bits, quality = reference_pdq(luma.astype(np.float32))
    assert hamming(folded.bits, bits) <= 2
    assert abs(folded.quality - quality) <= 1


@settings(max_examples=20, deadline=None)
@given(seeds, sides, sides, st.integers(1, 70))
def test_padding_of_rows_changes_nothing(seed: int, height: int, width: int, padding: int) -> None:
    luma = scenery(seed, height, width)
    padded = np.full((height, width + padding), 255, np.uint8)
    padded[:, :width] = luma

    shrunk = thumbnail(padded[:, :width])

    assert np.array_equal(shrunk, thumbnail(luma))


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(0.4, 1.1), st.floats(-10, 30))
def test_brightness_and_contrast_leave_the_hash(seed: int, contrast: float, offset: float) -> None:
    thumb = thumbnail(scenery(seed, 180, 320))

    changed = (contrast * thumb + offset).astype(np.float32)

    before, after = (hash_thumbnail(t, full_range=True) for t in (thumb, changed))
    assert hamming(before.bits, after.bits) <= 2


@pytest.mark.parametrize("shape", [(5, 5), (64, 64), (63, 65), (128, 127), (1080, 1920)])
@pytest.mark.parametrize("level", [0, 16, 255])
def test_thumbnail_of_a_constant_is_constant(shape: tuple[int, int], level: int) -> None:
    shrunk = thumbnail(np.full(shape, level, np.uint8))

    assert shrunk.shape == (64, 64)
    assert np.abs(shrunk - level).max() < 1e-3


def test_mirrored_thumbnail_is_the_thumbnail_of_the_mirrored_picture() -> None:
    luma = scenery(5, 270, 480)

    mirrored = hash_luma(np.ascontiguousarray(luma[:, ::-1]), full_range=True)

    by_thumbnail = hash_thumbnail(thumbnail(luma)[:, ::-1], full_range=True)
    assert hamming(mirrored.bits, by_thumbnail.bits) <= 16


def test_hash_splits_the_terms_in_half() -> None:
    pdq = hash_luma(scenery(1, 360, 640), full_range=True)

    assert np.bitwise_count(pdq.bits).sum() == 128


def test_smallest_picture_that_can_be_hashed_has_sides_of_five() -> None:
    luma = np.random.default_rng(8).integers(0, 256, (5, 5), dtype=np.uint8)

    smallest, narrow = hash_luma(luma, full_range=True), hash_luma(luma[:, :4], full_range=True)

    bits, quality = reference_pdq(luma.astype(np.float32))
    assert (hamming(smallest.bits, bits), smallest.quality) == (0, quality)
    assert (narrow.bits.any(), narrow.quality, narrow.is_stable) == (False, 0, False)


def test_odd_terms_are_next_to_nothing_where_a_picture_mirrors_itself() -> None:
    half = scenery(4, 32, 64).astype(np.float32)
    mirroring = np.vstack([half, half[::-1]])
    negative = np.vstack([half, 255 - half[::-1]])

    down, across = (hash_thumbnail(t, full_range=True).odd for t in (mirroring, mirroring.T))

    assert down[0] < 1e-9
    assert down[1] > 0.1
    assert across == pytest.approx(down[::-1])
    assert hash_thumbnail(negative, full_range=True).odd[0] > 1 - 1e-3
    assert hash_thumbnail(np.zeros((64, 64), np.float32), full_range=True).odd == (1.0, 1.0)


def test_limited_range_scores_the_quality_of_the_stretched_picture() -> None:
    stretched = (scenery(2, 64, 64) * 0.05).astype(np.float32)
    limited = stretched * np.float32(219 / 255) + np.float32(16)

    quality = hash_thumbnail(limited, full_range=False).quality

    expected = hash_thumbnail(stretched, full_range=True).quality
    assert 0 < expected < 100
    assert abs(quality - expected) <= 1
    assert hash_thumbnail(limited, full_range=True).quality < expected - 1


def test_as_many_ties_as_allowed_are_stable_and_one_more_is_not() -> None:
    allowed = hash_thumbnail(thumbnail_with(MAX_TIES, apart=0.9 * TIE_REACH), full_range=True)
    too_many = hash_thumbnail(thumbnail_with(MAX_TIES + 1, apart=0.9 * TIE_REACH), full_range=True)

    assert (allowed.is_stable, too_many.is_stable) == (True, False)


def test_terms_just_out_of_reach_are_no_ties() -> None:
    far = hash_thumbnail(thumbnail_with(200, apart=1.1 * TIE_REACH), full_range=True)
    near = hash_thumbnail(thumbnail_with(200, apart=0.9 * TIE_REACH), full_range=True)

    assert (far.is_stable, near.is_stable) == (True, False)


def pattern(name: str) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:360, 0:640]
    patterns = {
        "flat": np.full_like(x, 128),
        "ramp": 4 * x & 255,
        "colour bars": np.array([180, 162, 131, 112, 84, 65, 35])[x * 7 // 640],
        "split": np.where(x < 320, 235, 16),
        "quadrant": np.where((x < 320) & (y < 180), 235, 16),
        "checkers": np.where((x // 40 + y // 40) % 2, 235, 16),
        "stripes": np.where(y // 30 % 2, 235, 16),
        "box": np.where((abs(x - 319.5) < 160) & (abs(y - 179.5) < 90), 235, 16),
    }
    return patterns[name].astype(np.uint8)


@pytest.mark.parametrize(
    "name", ["flat", "ramp", "colour bars", "split", "quadrant", "checkers", "stripes", "box"]
)
def test_pattern_that_moves_with_noise_is_unstable(name: str) -> None:
    luma = pattern(name)
    noise = np.random.default_rng(3).integers(-1, 2, luma.shape)

    clean = hash_luma(luma, full_range=True)
    noisy = hash_luma(np.clip(luma + noise, 0, 255).astype(np.uint8), full_range=True)

    assert hamming(clean.bits, noisy.bits) > MATCH_DISTANCE_BITS
    assert (clean.is_stable, noisy.is_stable) == (False, False)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_scenery_is_stable_with_and_without_noise(seed: int) -> None:
    luma = scenery(seed, 180, 320)
    noise = np.random.default_rng(seed).integers(-1, 2, luma.shape)

    clean = hash_luma(luma, full_range=True)
    noisy = hash_luma((luma + noise).astype(np.uint8), full_range=True)

    assert hamming(clean.bits, noisy.bits) <= MATCH_DISTANCE_BITS
    assert (clean.is_stable, noisy.is_stable) == (True, True)


def test_threads_that_share_the_matrices_get_the_same_hashes() -> None:
    pictures = [scenery(seed, 90 + seed, 160 + 2 * seed) for seed in range(12)]
    alone = [hash_luma(picture, full_range=False) for picture in pictures]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda p: hash_luma(p, full_range=False), pictures * 8))

    for i, pdq in enumerate(together):
        expected = alone[i % len(pictures)]
        assert np.array_equal(pdq.bits, expected.bits)
        assert pdq.quality == expected.quality
