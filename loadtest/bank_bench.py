"""How fast a bank of N entries is on this machine, beside faiss IndexBinaryFlat in the same run.

    python -m loadtest bank_bench --entries 1000000 [--grown-from FILE] [--json]

Rule: both search the same hashes for the same needles within 61 bits, one thread each. FILE has
hashes of real pictures, 64 hex digits in each line that counts; the bank is then grown from those
by 8 to 40 flips, which fills its slots as unevenly as real footage does.
"""

import argparse
import importlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.adapters.bank_bench import bench, draw, mean_ms
from streamguard.core.types import HASH_BYTES, NEAR_DISTANCE_BITS

_HEX = re.compile(rf"\b[0-9a-f]{{{2 * HASH_BYTES}}}\b")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print one JSON object as the last line, or a table."""
    parser = argparse.ArgumentParser(prog="python -m loadtest bank_bench")
    parser.add_argument("--entries", type=int, default=1_000_000, help="hashes in the bank")
    parser.add_argument("--grown-from", type=Path, metavar="FILE", help="hashes of real pictures")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    grown_from = _read_hashes(options.grown_from) if options.grown_from else None
    print(f"building a bank of {options.entries} entries", file=sys.stderr)
    figures = bench(options.entries, grown_from) | _faiss(options.entries, grown_from)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:20} {figure:>14}")
    return 0


def _read_hashes(path: Path) -> NDArray[np.uint8]:
    digits = "".join(_HEX.findall(path.read_text()))
    return np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(-1, HASH_BYTES)


def _faiss(entries: int, grown_from: NDArray[np.uint8] | None) -> dict[str, Any]:
    """Time faiss on the same work; nothing where it is not installed."""
    try:
        faiss = importlib.import_module("faiss")
    except ImportError:
        return {}
    print("measuring faiss beside it", file=sys.stderr)
    faiss.omp_set_num_threads(1)
    hashes, needles = draw(entries, grown_from)
    index = faiss.IndexBinaryFlat(8 * HASH_BYTES)
    index.add(hashes)
    radius = NEAR_DISTANCE_BITS + 1  # faiss leaves out what lies at the radius itself
    ms = mean_ms(lambda needle: index.range_search(needle[None], radius), needles)
    return {"faiss_ms_per_needle": ms}
