import ctypes
import mmap
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamguard.kernels.compiled import kernels

CAN_COMPILE = bool(shutil.which("cc") and Path(sysconfig.get_path("include"), "Python.h").exists())
"""There are a C compiler and Python's headers."""

PROT_NONE = 0
"""Not in `mmap`. Source: mprotect(2)."""

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


@contextmanager
def guarded(n_bytes: int) -> Iterator[NDArray[np.uint8]]:
    """Lend (n_bytes,) uint8 of zeros, right after which memory ends: a read past it is a crash."""
    n_pages = -(-n_bytes // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (n_pages + 1) * mmap.PAGESIZE)
    end = n_pages * mmap.PAGESIZE
    begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    assert protect(begin + end, mmap.PAGESIZE, PROT_NONE) == 0, ctypes.get_errno()
    try:
        yield np.frombuffer(memory, np.uint8)[end - n_bytes : end]
    finally:
        protect(begin + end, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)
