"""How fast a bank of N entries is on this machine, beside faiss in the same run.

    python -m loadtest bank_bench --entries 1000000 [--grown-from FILE] [--json]

Rule: all search the same hashes for the same needles within 61 bits, one thread each: a bank of
random hashes, and one that is grown from hashes of pictures by 8 to 40 flips, which fills its slots
as unevenly as real footage does. FILE has hashes of real pictures, 64 hex digits each; without it
they are those of drawn ones. Of faiss, IndexBinaryFlat compares with all, and IndexBinaryMultiHash
(16 slots of 16 bits, one flip) is complete within 31 bits, as ours is.
"""

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.adapters.bank_bench import BATCH, bench, mean_ms
from streamguard.adapters.bench_hashes import draw, hashes_of_drawn_clips, read_hashes
from streamguard.core.types import HASH_BYTES, NEAR_DISTANCE_BITS

N_SLOTS, SLOT_BITS = 16, 16
"""Of the multi hash: 31 flips leave one of its slots with one flip at most."""


def main(arguments: Sequence[str]) -> int:
    """Measure, and print one JSON object as the last line, or a table."""
    parser = argparse.ArgumentParser(prog="python -m loadtest bank_bench")
    parser.add_argument("--entries", type=int, default=1_000_000, help="hashes in the bank")
    parser.add_argument("--grown-from", type=Path, metavar="FILE", help="hashes of real pictures")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    grown_from = read_hashes(options.grown_from) if options.grown_from else None
    print(f"building two banks of {options.entries} entries", file=sys.stderr)
    figures = {"load_at_start": round(os.getloadavg()[0], 1)}
    figures |= bench(options.entries, grown_from)
    figures |= _faiss(options.entries, grown_from)
    figures["load_at_end"] = round(os.getloadavg()[0], 1)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:45} {figure:>14}")
    return 0


def _faiss(entries: int, grown_from: NDArray[np.uint8] | None) -> dict[str, float]:
    """Time faiss on the same work; nothing where it is not installed."""
    try:
        faiss = importlib.import_module("faiss")
    except ImportError:
        return {}
    faiss.omp_set_num_threads(1)
    crowd = hashes_of_drawn_clips() if grown_from is None else grown_from
    figures: dict[str, float] = {}
    for name, source in (("faiss", None), ("skewed_faiss", crowd)):
        print(f"measuring {name} beside it", file=sys.stderr)
        hashes, needles = draw(entries, source)
        flat = faiss.IndexBinaryFlat(8 * HASH_BYTES)
        figures |= _timed(f"{name}_flat", flat, hashes, needles)
        del flat
        multi_hash = faiss.IndexBinaryMultiHash(8 * HASH_BYTES, N_SLOTS, SLOT_BITS)
        multi_hash.nflip = 1
        figures |= _timed(f"{name}_multi_hash", multi_hash, hashes, needles)
        del multi_hash
    return figures


def _timed(
    name: str, index: Any, hashes: NDArray[np.uint8], needles: NDArray[np.uint8]
) -> dict[str, float]:
    """Fill an index of faiss and query it, one by one and in batches."""
    radius = NEAR_DISTANCE_BITS + 1  # faiss leaves out what lies at the radius itself
    started_s = time.perf_counter()
    index.add(hashes)
    built_s = round(time.perf_counter() - started_s, 3)

    def query(some: NDArray[np.uint8]) -> None:
        index.range_search(some, radius)

    return {
        f"{name}_ms_per_needle": mean_ms(query, needles),
        f"{name}_ms_per_needle_of_{BATCH}": mean_ms(query, needles, BATCH),
        f"{name}_build_s": built_s,
    }
