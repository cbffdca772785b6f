import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.batching import earliest, padded, sizes_up_to


@pytest.mark.parametrize(
    ("max_batch", "sizes"),
    [
        (1, (1,)),
        (2, (1, 2)),
        (3, (1, 2, 3)),
        (8, (1, 2, 4, 8)),
        (33, (1, 2, 4, 8, 16, 32, 33)),
    ],
)
def test_sizes_double_up_to_the_largest(max_batch: int, sizes: tuple[int, ...]) -> None:
    assert sizes_up_to(max_batch) == sizes


@given(max_batch=st.integers(1, 256), n=st.integers(1, 256))
def test_a_batch_is_at_most_doubled_by_what_fills_it_up(max_batch: int, n: int) -> None:
    n_pictures = min(n, max_batch)

    batch = padded([np.full((1, 1, 3), 7, np.uint8)] * n_pictures, sizes_up_to(max_batch))

    assert len(batch) in sizes_up_to(max_batch)
    assert len(batch) < 2 * n_pictures + 1
    assert sum(bool(one.any()) for one in batch) == n_pictures


def test_the_earliest_comes_first_and_equals_keep_their_order() -> None:
    assert earliest([3.0, 1.0, 2.0, 1.0]) == [1, 3, 2, 0]
