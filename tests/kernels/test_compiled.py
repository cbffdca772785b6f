import numpy as np
import pytest

from streamguard.kernels.compiled import kernels
from tests.kernel_paths import CAN_COMPILE, needs_kernels


@pytest.mark.skipif(not CAN_COMPILE, reason="no C compiler or no Python headers")
def test_kernels_are_in_use_where_they_can_be_compiled() -> None:
    assert kernels is not None, "compile them: make kernels"
    assert kernels.instructions() in {"plain", "avx2", "avx512"}


@needs_kernels
class TestInstructions:
    def test_are_changed_by_name(self) -> None:
        best = kernels.instructions()

        kernels.use_instructions("plain")

        assert kernels.instructions() == "plain"
        kernels.use_instructions(best)
        assert kernels.instructions() == best

    @pytest.mark.parametrize("name", ["", "sse9", "PLAIN"])
    def test_unknown_ones_are_refused(self, name: str) -> None:
        best = kernels.instructions()

        with pytest.raises(ValueError, match="this processor has no"):
            kernels.use_instructions(name)
        with pytest.raises(TypeError):
            kernels.use_instructions(1)

        assert kernels.instructions() == best


@needs_kernels
def test_an_integer_has_bounds_and_an_array_its_kind() -> None:
    query, hashes = np.zeros(32, np.uint8), np.zeros((2, 32), np.uint8)
    rows, bits = np.zeros(2, np.intp), np.zeros(2, np.uint16)

    for wrong in (-1, 257, 1 << 63, -(1 << 63) - 1):
        with pytest.raises((ValueError, OverflowError)):
            kernels.hamming_scan(query, hashes, wrong, rows, bits)
    with pytest.raises(ValueError, match="query: expected 1 dimensions of u1, got 1 of 'b'"):
        kernels.hamming_scan(query.view(np.int8), hashes, 31, rows, bits)
