"""Finds the compiled kernels, where they were built.

Rule: nothing may need them. Whoever calls one has a way in numpy or Pillow with the same results,
for machines without a C compiler.
"""

from types import ModuleType

kernels: ModuleType | None
"""The kernels, as `_kernels.pyi` describes them; None where they were not built."""

try:
    from streamguard.kernels import _kernels
except ImportError:
    kernels = None
else:
    kernels = _kernels
