import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core import edges
from streamguard.kernels.compiled import kernels
from tests.kernel_paths import instructions, needs_kernels

__all__ = ["instructions"]

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]


@given(
    n_blocks=st.integers(1, 20),
    n_lines=st.integers(0, 70),
    n_seen=st.integers(1, 5),
    takes_blank=st.booleans(),
    most=st.sampled_from([0.0, 0.001, 1.0]),
    seed=st.integers(0, 99),
)
def test_lines_are_joined_to_numpys_last_bit(
    n_blocks: int, n_lines: int, n_seen: int, *, takes_blank: bool, most: float, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    now, last, mean = chance.random((3, n_blocks, n_lines), np.float32)
    now *= np.float32(most)
    our_mean, ours, theirs = mean.copy(), np.empty_like(now), np.empty_like(now)
    rules = (n_seen, takes_blank, 0.1, 0.2)

    we_say = kernels.join_edges(now, last, our_mean, ours, *rules)
    they_say = edges._join_by_numpy(now, last, mean, theirs, *rules)

    assert we_say is they_say
    assert ours.tobytes() == theirs.tobytes()
    assert our_mean.tobytes() == mean.tobytes()


def test_wrong_arguments_are_refused_and_nothing_is_written() -> None:
    lines = np.ones((4, 16, 8), np.float32)
    larger = np.ones((16, 9), np.float32)

    for at in range(4):
        given_lines = [larger if at == i else lines[i] for i in range(4)]
        with pytest.raises(ValueError, match="lines of one size"):
            kernels.join_edges(*given_lines, 1, 1, 0.1, 0.2)
    with pytest.raises(ValueError, match="n_seen"):
        kernels.join_edges(*lines, 0, 1, 0.1, 0.2)
    with pytest.raises(ValueError, match="takes_blank"):
        kernels.join_edges(*lines, 1, 2, 0.1, 0.2)
    with pytest.raises(TypeError):
        kernels.join_edges(*lines, 1, 1, 0.1, "much")
    with pytest.raises(TypeError):
        kernels.join_edges(*lines, 1, 1, 0.1)

    assert lines.min() == lines.max() == 1.0
