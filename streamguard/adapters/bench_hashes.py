"""Draws the hashes that a bank is measured with: random ones, and ones that crowd as real ones do.

Rule: all is seeded, so that two runs measure the same work. Hashes crowd as they are grown from
those of pictures, by 8 to 40 flips each; from pictures drawn here, unless others are given.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamguard.core.errors import ConfigError
from streamguard.core.pdq import hash_thumbnail
from streamguard.core.types import HASH_BYTES

MIN_FLIPS, MAX_FLIPS = 8, 40
"""Bits that are flipped in the hash of a picture to grow another one from it."""

N_NEEDLES = 250
"""Hashes that are drawn beside those of the bank, to be looked for in it."""

_SEED = 20
_HEX = re.compile(rf"\b[0-9a-fA-F]{{{2 * HASH_BYTES}}}\b")

_N_CLIPS, _N_FRAMES = 50, 100
_SIDE = 256
"""Pixels; a frame is every fourth of them, so that it can move by a quarter of its own."""

_FASTEST = 0.6
"""Most pixels that a drawn clip moves from frame to frame. At that a needle among two million grown
hashes takes as long as among two million grown from 7,010 frames of real footage (0.41, 0.39 ms),
where 1.2 pixels make it 0.24 ms."""


def draw(
    entries: int, grown_from: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the hashes of a bank and the needles to look for, the same ones each time.

    Args:
        entries: number of hashes for the bank.
        grown_from: (n, 32) uint8, hashes of pictures; all that is drawn is one of them with 8 to
            40 flips. Without them it is random.

    Returns:
        (entries, 32) and (250, 32) uint8.
    """
    rng = np.random.default_rng(_SEED)
    n_drawn = entries + N_NEEDLES
    if grown_from is None:
        hashes = rng.integers(0, 256, (n_drawn, HASH_BYTES), dtype=np.uint8)
    else:
        hashes = grown_from[rng.integers(0, len(grown_from), n_drawn)]
        n_flips = rng.integers(MIN_FLIPS, MAX_FLIPS + 1, n_drawn)
        for flip in range(MAX_FLIPS):
            rows = np.flatnonzero(n_flips > flip)
            bits = rng.integers(0, 8 * HASH_BYTES, len(rows))
            hashes[rows, bits // 8] ^= (1 << bits % 8).astype(np.uint8)
    return hashes[:entries], hashes[entries:]


def hashes_of_drawn_clips() -> NDArray[np.uint8]:
    """Hash 50 clips of 100 frames, (5000, 32) uint8.

    Each is a landscape of noise whose amplitudes fall with frequency, as those of photographs do,
    along which the camera moves sideways at a pace of its own.
    """
    rng = np.random.default_rng(_SEED)
    size = _SIDE, _SIDE + int(_FASTEST * _N_FRAMES) + 4
    frequency = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1]))
    frequency[0, 0] = 1
    hashes = []
    for pace in rng.uniform(0, _FASTEST, _N_CLIPS):
        noise = np.fft.rfft2(rng.standard_normal(size))
        landscape = np.fft.irfft2(noise / frequency**1.5, size).astype(np.float32)
        for frame in range(_N_FRAMES):
            left = int(pace * frame)
            seen = landscape[:, left : left + _SIDE].reshape(64, 4, 64, 4).mean(axis=(1, 3))
            hashes.append(hash_thumbnail(seen, full_range=True).bits)
    return np.array(hashes)


def read_hashes(path: Path) -> NDArray[np.uint8]:
    """Read the hashes in a text file, (n, 32) uint8: 64 hex digits each, whatever stands around.

    Raises:
        ConfigError: it cannot be read, or there is none in it.
    """
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    digits = "".join(_HEX.findall(text))
    if not digits:
        raise ConfigError(f"{path} has no hash; print some with streamguard hash --every-frame")
    return np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(-1, HASH_BYTES)
