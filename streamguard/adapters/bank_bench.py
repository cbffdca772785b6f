"""Measures a bank of a given size on this machine: what a query, an entry and a start cost.

Rule: it measures what production runs, from the file on disk to the list of matches, on one core;
the hashes are seeded, so that two runs measure the same work.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.adapters.bank_generation import save_bank
from streamguard.adapters.bank_live import open_bank
from streamguard.core.bank import Bank
from streamguard.core.bank_editor import make_bank
from streamguard.core.bank_table import Table, zeros
from streamguard.core.bank_values import Terms
from streamguard.core.types import HASH_BYTES

MIN_FLIPS, MAX_FLIPS = 8, 40
"""Bits that are flipped in a real hash to grow another one from it."""

_SEED = 20
_N_NEEDLES = 200
_N_WARM_UP = 50
"""Queries before the measured ones: they bring the bank into memory."""


def bench(
    entries: int, grown_from: NDArray[np.uint8] | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """Build, open and query a bank of so many images.

    Args:
        entries: number of images, a hash each.
        grown_from: as for `draw`.
        folder: where the bank lies meanwhile; the system's temporary folder unless told.
    """
    hashes, needles = draw(entries, grown_from)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        directory = Path(name)
        started_s = time.perf_counter()
        save_bank(directory, _bank_of(hashes))
        built_s = time.perf_counter()
        bank = open_bank(directory)
        opened_s = time.perf_counter()
        ms_per_needle = mean_ms(lambda needle: bank.query(needle, "full"), needles)
        n_bytes = sum(path.stat().st_size for path in directory.iterdir())
    return {
        "entries": entries,
        "ms_per_needle": ms_per_needle,
        "bytes_per_entry": round(n_bytes / max(entries, 1), 1),
        "build_s": round(built_s - started_s, 3),
        "start_s": round(opened_s - built_s, 3),
    }


def draw(
    entries: int, grown_from: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the hashes of a bank and the needles to look for, the same ones each time.

    Args:
        entries: number of hashes for the bank.
        grown_from: (n, 32) uint8, hashes of real pictures; all that is drawn is one of them with
            8 to 40 flips. Without them it is random.

    Returns:
        (entries, 32) and (250, 32) uint8.
    """
    rng = np.random.default_rng(_SEED)
    n_drawn = entries + _N_WARM_UP + _N_NEEDLES
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


def mean_ms(query: Callable[[NDArray[np.uint8]], object], needles: NDArray[np.uint8]) -> float:
    """Time a query: the mean over the needles in milliseconds, without those that warm it up."""
    for needle in needles[:_N_WARM_UP]:
        query(needle)
    started_s = time.perf_counter()
    for needle in needles[_N_WARM_UP:]:
        query(needle)
    return round((time.perf_counter() - started_s) * 1e3 / len(needles[_N_WARM_UP:]), 4)


def _bank_of(hashes: NDArray[np.uint8]) -> Bank:
    """Give a bank with an image entry for each hash."""
    n = len(hashes)
    names = np.frombuffer(b"".join(b"%08d" % number for number in range(n)), np.uint8)
    table = Table(
        hashes=hashes,
        offsets_ms=zeros(n, np.uint32),
        variants=zeros(n, np.uint8),
        ends=None,
        name_ends=np.arange(1, n + 1, dtype=np.uint32) * np.uint32(8),
        name_bytes=names,
        durations_ms=zeros(n, np.uint32),
        terms_of=zeros(n, np.uint8),
        terms=(Terms("BENCH", "image"),),
    )
    return make_bank("bench", table)
