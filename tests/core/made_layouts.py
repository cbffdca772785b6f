"""Pictures of layouts, painted: soft scenes that move, and windows over them."""

import numpy as np
from numpy.typing import NDArray

from streamguard.core.regions import Rectangle


def scene(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Paint soft blotches, as large as a tenth of the picture, and an encoder's noise."""
    chance = np.random.default_rng(seed)
    coarse = chance.uniform(30, 225, (11, 17))
    rows = np.linspace(0, 10, height)
    columns = np.linspace(0, 16, width)
    tall = np.stack([np.interp(rows, np.arange(11), line) for line in coarse.T])
    soft = np.stack([np.interp(columns, np.arange(17), line) for line in tall.T])
    noise = chance.integers(-1, 2, (height, width))
    painted: NDArray[np.uint8] = np.clip(soft + noise, 0, 255).astype(np.uint8)
    return painted


def window(shape: tuple[int, int], inset: Rectangle, seed: int) -> NDArray[np.uint8]:
    """Paint a scene over another one."""
    luma = scene(*shape, seed)
    inset.of(luma)[:] = scene(*inset.of(luma).shape, seed + 1000)
    return luma
