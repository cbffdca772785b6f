import numpy as np
import pytest

from streamguard.adapters.bank_bench import bench, draw


@pytest.mark.parametrize("entries", [0, 1, 1_000])
def test_a_bench_gives_its_five_figures(entries: int) -> None:
    figures = bench(entries)

    assert figures["entries"] == entries
    assert set(figures) == {"entries", "ms_per_needle", "bytes_per_entry", "build_s", "start_s"}
    assert min(figures.values()) >= 0
    assert figures["ms_per_needle"] > 0


def test_an_entry_takes_the_bytes_that_its_columns_take() -> None:
    """A hash 32, its name 8, and where the name ends 4; all else is the same for all entries."""
    assert bench(10_000)["bytes_per_entry"] == pytest.approx(44, abs=1)


def test_the_same_hashes_are_drawn_each_time() -> None:
    first, again = draw(100), draw(100)

    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_a_grown_hash_lies_8_to_40_flips_from_a_real_one() -> None:
    real = np.zeros((1, 32), np.uint8)

    hashes, needles = draw(2_000, real)

    n_flipped = np.bitwise_count(hashes).sum(axis=1)
    assert len(needles) == 250
    assert n_flipped.max() <= 40
    assert 20 < n_flipped.mean() < 24
