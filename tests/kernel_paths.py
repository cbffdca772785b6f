from collections.abc import Iterator

import pytest

from streamguard.kernels.compiled import kernels

needs_kernels = pytest.mark.skipif(kernels is None, reason="the kernels are not compiled")


def instructions_here() -> list[str]:
    """List the sets of instructions that the kernels can be told to use on this processor."""
    if kernels is None:
        return ["none"]
    names = ["plain", "avx2", "avx512"]
    return names[: 1 + names.index(kernels.instructions())]


@pytest.fixture(params=instructions_here(), scope="module")
def instructions(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a test by each set of instructions that this processor has."""
    best = kernels.instructions()
    kernels.use_instructions(request.param)
    yield request.param
    kernels.use_instructions(best)
