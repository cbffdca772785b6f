"""Videos that take long to make, kept by a digest of their recipe.

Rule: a file of the cache is whole or not there, also where two processes make it at once.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def digest_of(*recipe: Any) -> str:
    """Name a recipe: the same text gives the same 16 hex digits."""
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]


def cached_video(made: Path, make: Callable[[Path], None]) -> Path:
    """Give a file, made by `make` where it is missing."""
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=made.parent, prefix="part-") as folder:
            aside = Path(folder) / made.name
            make(aside)
            aside.replace(made)
    return made
