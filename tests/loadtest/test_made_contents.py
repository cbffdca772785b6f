import numpy as np
import pytest

from loadtest.made_contents import EXTRA, UNRELATED
from loadtest.made_parts import HEIGHT, WIDTH
from streamguard.core.pdq import hash_luma
from streamguard.core.types import MATCH_DISTANCE_BITS, MIN_QUALITY


def luma_of(generator: str, seed: int, at_s: float) -> np.ndarray:
    made = {**UNRELATED, **EXTRA}[generator]
    return np.asarray(made(np.random.default_rng(seed))(at_s).convert("L"))


@pytest.mark.parametrize("generator", [*UNRELATED, *EXTRA])
def test_a_seed_paints_the_same_picture_each_time_and_another_seed_another(
    generator: str,
) -> None:
    picture = luma_of(generator, 1, 2.0)

    assert picture.shape == (HEIGHT, WIDTH)
    assert np.array_equal(picture, luma_of(generator, 1, 2.0))
    assert not np.array_equal(picture, luma_of(generator, 2, 2.0))


@pytest.mark.parametrize("generator", UNRELATED)
def test_pictures_move(generator: str) -> None:
    assert not np.array_equal(luma_of(generator, 1, 2.0), luma_of(generator, 1, 3.5))


def test_scenes_of_two_seeds_are_not_alike() -> None:
    one = hash_luma(luma_of("platformer", 1, 2.0), full_range=True)
    other = hash_luma(luma_of("platformer", 2, 2.0), full_range=True)

    assert min(one.quality, other.quality) >= MIN_QUALITY
    assert np.bitwise_count(one.bits ^ other.bits).sum() > MATCH_DISTANCE_BITS
