"""Pictures made for tests: as much coarse as fine in them as in photographs."""

import numpy as np
from numpy.typing import NDArray

from streamguard.core.variants import Half


def landscape(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw a luma plane, (H, W) uint8, whose amplitudes fall as 1/f, as in photographs.

    Source of the slope: Burton and Moorhead, Color and spatial structure in natural scenes, 1987.
    """
    rng = np.random.default_rng(seed)
    down, across = np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width) * width
    frequency = np.maximum(1.0, np.hypot(down, across))
    waves = rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)
    picture = np.fft.irfft2(waves / frequency, s=(height, width))
    spread = (picture - picture.min()) / (picture.max() - picture.min())
    return (16 + 219 * spread).astype(np.uint8)


def mirroring(half: Half, seed: int = 0) -> NDArray[np.uint8]:
    """Draw a picture, (360, 640), that mirrors itself."""
    picture = landscape(360, 640, seed)
    if half is not Half.LEFT:
        picture = np.vstack([picture[:180], picture[179::-1]])
    if half is not Half.UPPER:
        picture = np.hstack([picture[:, :320], picture[:, 319::-1]])
    return picture
