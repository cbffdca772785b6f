import numpy as np

from loadtest.contents import SEED
from loadtest.made_contents import CONTENTS, UNRELATED
from loadtest.unrelated import Scene, count_distinct, recipes, unrelated_table


def hash_with(n_bits: int) -> np.ndarray:
    bits = np.zeros(256, np.uint8)
    bits[:n_bits] = 1
    return np.packbits(bits)


def test_hashes_count_as_distinct_from_32_bits_on() -> None:
    assert count_distinct([]) == 0
    assert count_distinct([hash_with(0), hash_with(31)]) == 1
    assert count_distinct([hash_with(0), hash_with(32)]) == 2
    assert count_distinct([hash_with(0), hash_with(32), hash_with(1), hash_with(33)]) == 2


def test_the_unrelated_footage_is_an_hour_of_at_least_twenty_generators() -> None:
    made = recipes()

    assert sum(recipe.length_s for recipe in made) >= 3600
    assert len({recipe.generator for recipe in made}) >= 20


def test_no_scene_has_the_seed_of_another_or_of_a_content() -> None:
    seeds = [recipe.seed for recipe in recipes()]

    assert len(set(seeds)) == len(seeds)
    assert set(seeds).isdisjoint(range(SEED, SEED + len(CONTENTS)))


def test_contents_have_generators_that_unrelated_footage_has_too() -> None:
    assert len(CONTENTS) == 20
    assert CONTENTS.keys() <= UNRELATED.keys()


def test_the_table_sums_up_the_scenes_of_a_generator() -> None:
    scene = Scene("maze", 1, 30.0, 90, 20, 120, None, ())
    flagged = Scene("maze", 2, 30.0, 100, 40, 120, 58, ("auto: one at 2.00 s, 30 bits",))

    line = list(unrelated_table([scene, flagged]))[-1]
    assert line == "| maze | 60 | 95 | 60 | 58 | auto: one at 2.00 s, 30 bits |"
