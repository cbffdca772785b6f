import json
from itertools import accumulate, repeat
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamguard.core.pdq_reference import luma_of_rgb, reference_pdq

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "pdq.json").read_text())


def noise(seed: int, height: int, width: int) -> NDArray[np.int64]:
    """Fill a picture, row by row, from the vectors' linear congruential generator."""
    steps = accumulate(
        repeat(0, height * width), lambda s, _: (1103515245 * s + 12345) & 0x7FFFFFFF, initial=seed
    )
    return np.fromiter(steps, np.int64)[1:].reshape(height, width) >> 16


def picture(name: str, height: int, width: int) -> NDArray[np.uint8]:
    """Paint the picture of one vector: (H, W) uint8, or (H, W, 3) for the coloured one."""
    y, x = np.mgrid[0:height, 0:width]
    formulas = {
        "G1": lambda: 4 * x,
        "G2": lambda: x * y,
        "G3": lambda: (x * x + y * y) >> 7,
        "G4": lambda: (3 * x) ^ (5 * y),
        "G5": lambda: 200 * ((x // 40 + y // 40) % 2) + (x * y) % 50,
        "G6": lambda: noise(1, height, width),
        "G7": lambda: noise(7, height, width),
        "G8": lambda: 50 * x + 10 * y,
        "G9": lambda: 60 * x + y,
        "G10": lambda: (x * x * y) >> 10,
        "G11": lambda: (x * y) >> 3,
        "G12": lambda: np.full_like(x, 128),
        "G13": lambda: x ^ y,
        "C1": lambda: np.dstack([2 * x, 3 * y, x + y]),
    }
    return (formulas[name]() & 255).astype(np.uint8)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
def test_hash_and_quality_equal_the_published_vector(vector: dict[str, str | int]) -> None:
    painted = picture(vector["id"], vector["height"], vector["width"])
    luma = luma_of_rgb(painted) if painted.ndim == 3 else painted.astype(np.float32)

    pdq, quality = reference_pdq(luma)

    assert (pdq.tobytes().hex(), quality) == (vector["pdq"], vector["quality"])
