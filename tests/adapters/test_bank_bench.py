import numpy as np
import pytest

from streamguard.adapters.bank_bench import BATCH, bench, mean_ms


@pytest.mark.parametrize("entries", [0, 1, 1_000])
def test_a_bench_gives_its_figures(entries: int) -> None:
    figures = bench(entries, grown_from=np.zeros((1, 32), np.uint8))

    assert list(figures) == [
        *("entries", "ms_per_needle", "bytes_per_entry", "build_s", "start_s"),
        *("ms_per_needle_of_16", "index_ms_within_31", "index_ms_within_61"),
        *("skewed_ms_per_needle", "skewed_ms_per_needle_of_16"),
        *("skewed_index_ms_within_31", "skewed_index_ms_within_61", "skewed_start_s"),
    ]
    assert figures["entries"] == entries
    assert min(figures.values()) >= 0
    assert figures["ms_per_needle"] > 0


def test_an_entry_takes_the_bytes_that_its_columns_take() -> None:
    """A hash 32, its name 8, and where the name ends 4; all else is the same for all entries."""
    assert bench(10_000, np.zeros((1, 32), np.uint8))["bytes_per_entry"] == pytest.approx(44, abs=1)


@pytest.mark.parametrize(("batch", "n_asked"), [(1, 250), (BATCH, 240)])
def test_needles_are_asked_in_whole_batches(batch: int, n_asked: int) -> None:
    asked: list[int] = []

    ms = mean_ms(lambda some: asked.append(len(some)), np.zeros((250, 32), np.uint8), batch)

    assert set(asked) == {batch}
    assert sum(asked) == n_asked
    assert ms >= 0
