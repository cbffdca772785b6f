"""Measures a bank of a given size on this machine: what a query, an entry and a start cost.

Rule: it measures what production runs, from the file on disk to the list of matches, on one core.
Two banks of the size are measured, one of random hashes and one of hashes that crowd together
(`streamguard.adapters.bench_hashes`).
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.adapters.bank_generation import save_bank
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bench_hashes import draw, hashes_of_drawn_clips
from streamguard.core.bank import Bank
from streamguard.core.bank_editor import make_bank
from streamguard.core.bank_table import Table, zeros
from streamguard.core.bank_values import Terms
from streamguard.core.types import MATCH_DISTANCE_BITS, NEAR_DISTANCE_BITS

BATCH = 16
"""Needles that are handed over together; the samples of so many streams."""

_N_WARM_UP = 3 * BATCH
"""Queries before the measured ones: they bring the bank into memory."""


@dataclass(frozen=True, slots=True)
class _Figures:
    """What was measured of one bank, each time in the mean, milliseconds a needle.

    query_ms, batch_ms: from a hash to its matches, one by one and 16 in a row: a batch shares no
                        work, each of its needles looks at lists of its own.
    exact_ms, near_ms:  of that, finding the rows within 31 bits, and within 61.
    start_s:            from opening the file to the first answer.
    """

    query_ms: float
    batch_ms: float
    exact_ms: float
    near_ms: float
    bytes_per_entry: float
    build_s: float
    start_s: float


def bench(
    entries: int, grown_from: NDArray[np.uint8] | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """Build, open and query two banks of so many images.

    Args:
        entries: number of images, a hash each.
        grown_from: (n, 32) uint8, hashes of pictures from which the crowded bank is grown; without
            them, those of drawn ones.
        folder: where the banks lie meanwhile; the system's temporary folder unless told.
    """
    crowd = hashes_of_drawn_clips() if grown_from is None else grown_from
    random = _measure(*draw(entries), folder)
    skewed = _measure(*draw(entries, crowd), folder)
    return {
        "entries": entries,
        "ms_per_needle": random.query_ms,
        "bytes_per_entry": random.bytes_per_entry,
        "build_s": random.build_s,
        "start_s": random.start_s,
        "ms_per_needle_of_16": random.batch_ms,
        "index_ms_within_31": random.exact_ms,
        "index_ms_within_61": random.near_ms,
        "skewed_ms_per_needle": skewed.query_ms,
        "skewed_ms_per_needle_of_16": skewed.batch_ms,
        "skewed_index_ms_within_31": skewed.exact_ms,
        "skewed_index_ms_within_61": skewed.near_ms,
        "skewed_start_s": skewed.start_s,
    }


def mean_ms(
    query: Callable[[NDArray[np.uint8]], object], needles: NDArray[np.uint8], batch: int = 1
) -> float:
    """Time a query: the mean over the needles in milliseconds of this thread's CPU.

    So it hardly matters what else runs on the machine; on an idle one it is the time that passes.

    Args:
        query: takes (batch, 32) uint8.
        needles: (n, 32) uint8; the first 48 warm it up and are not counted.
        batch: needles at once.
    """
    batches = [needles[at : at + batch] for at in range(0, len(needles) - batch + 1, batch)]
    n_warm_up = _N_WARM_UP // batch
    for some in batches[:n_warm_up]:
        query(some)
    started_s = time.thread_time()
    for some in batches[n_warm_up:]:
        query(some)
    n_needles = batch * len(batches[n_warm_up:])
    return round((time.thread_time() - started_s) * 1e3 / n_needles, 4)


def _measure(
    hashes: NDArray[np.uint8], needles: NDArray[np.uint8], folder: Path | None
) -> _Figures:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        directory = Path(name)
        started_s = time.perf_counter()
        save_bank(directory, bank_of(hashes))
        built_s = time.perf_counter()
        bank = open_bank(directory)
        bank.query(needles[0], "full")
        answered_s = time.perf_counter()
        index = bank.base.index

        def ask(some: NDArray[np.uint8]) -> None:
            for needle in some:
                bank.query(needle, "full")

        return _Figures(
            query_ms=mean_ms(ask, needles),
            batch_ms=mean_ms(ask, needles, BATCH),
            exact_ms=mean_ms(lambda some: index.query(some[0], MATCH_DISTANCE_BITS), needles),
            near_ms=mean_ms(lambda some: index.query(some[0], NEAR_DISTANCE_BITS), needles),
            bytes_per_entry=round(_bytes_in(directory) / max(len(hashes), 1), 1),
            build_s=round(built_s - started_s, 3),
            start_s=round(answered_s - built_s, 3),
        )


def _bytes_in(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def bank_of(hashes: NDArray[np.uint8]) -> Bank:
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
