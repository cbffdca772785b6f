"""How fast an edit of a bank of N entries counts in another process, and what keeping it costs.

    python -m loadtest bank_edit --entries 1000000 [--json]

Rule: the writer and the reader are two processes, as `bank build` and `run` are. The reader asks
its bank every millisecond, as one that screens many streams does; it is timed from the call of the
edit to the first query that it changes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from streamguard.adapters.bank_bench import bank_of
from streamguard.adapters.bank_check import verify_bank
from streamguard.adapters.bank_file import add_entries, remove_entry
from streamguard.adapters.bank_generation import compact_bank, save_bank
from streamguard.adapters.bank_live import LiveBank, open_bank
from streamguard.core.bank_values import Entry
from streamguard.core.types import HASH_BYTES

BAR_MS = 50.0
"""What is promised for an addition, milliseconds on one host."""

_ROUNDS = 50
_ASK_EVERY_S = 0.001
_ZERO = np.zeros(1, np.int64)


def main(arguments: Sequence[str]) -> int:
    """Measure, and print one JSON object as the last line, or a table."""
    if arguments[:1] == ["reader"]:
        return _read(Path(arguments[1]))
    parser = argparse.ArgumentParser(prog="python -m loadtest bank_edit")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of one hash each")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    print(f"building a bank of {options.entries} entries", file=sys.stderr)
    figures = {"load": round(os.getloadavg()[0], 1), **measure(options.entries)}
    figures["pass"] = figures["add_to_match_ms"]["max"] <= BAR_MS
    if options.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:24} {figure}")
    return 0 if figures["pass"] else 1


def measure(n_entries: int) -> dict[str, Any]:
    """Measure a bank of so many images, in a folder of its own."""
    rng = np.random.default_rng(11)
    hashes = rng.integers(0, 256, (n_entries, HASH_BYTES), np.uint8)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "bank"
        figures: dict[str, Any] = {"entries": n_entries}
        figures["build_s"] = _seconds(lambda: save_bank(directory, bank_of(hashes)))
        n_bytes = sum(path.stat().st_size for path in directory.iterdir())
        figures["bytes_per_entry"] = round(n_bytes / n_entries, 1)
        figures["start_s"] = _seconds(lambda: open_bank(directory).query(hashes[-1], "full"))
        with _Reader(directory) as reader:
            added, returned, removed = zip(*_rounds(directory, rng, reader), strict=True)
        figures["add_to_match_ms"] = _spread(added)
        figures["add_returns_ms"] = _spread(returned)
        figures["remove_to_miss_ms"] = _spread(removed)
        figures["verify_s"] = _seconds(lambda: verify_bank(directory))
        figures["compaction_s"] = _seconds(lambda: compact_bank(directory))
    return figures


def _rounds(
    directory: Path, rng: np.random.Generator, reader: "_Reader"
) -> Iterator[tuple[float, float, float]]:
    """Add entries and remove others; give milliseconds to the match, to the return, to the miss.

    An entry that is added is new; one that is removed has been in the base from the beginning.
    """
    for number in range(_ROUNDS):
        hashes = rng.integers(0, 256, (1, HASH_BYTES), np.uint8)
        new = Entry(f"new {number}", "BENCH", "image", 0, hashes, _ZERO, _ZERO.astype(np.uint8))
        reader.look_for(hashes[0], is_there=True)
        started_s = time.monotonic()
        add_entries(directory, [new])
        returned_s = time.monotonic()
        matched_s = reader.changed_at_s()
        table = open_bank(directory).base.table
        row = int(rng.integers(table.n_entries))
        reader.look_for(table.hashes[row], is_there=False)
        removal_s = time.monotonic()
        remove_entry(directory, table.name_of(row))
        missed_s = reader.changed_at_s()
        yield (
            (matched_s - started_s) * 1e3,
            (returned_s - started_s) * 1e3,
            (missed_s - removal_s) * 1e3,
        )


class _Reader:
    """A process that follows the bank, and says when a query's answer changed."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtest", "bank_edit", "reader", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._line()  # it has opened the bank

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def look_for(self, pdq: NDArray[np.uint8], *, is_there: bool) -> None:
        """Have it ask for a hash until it is there, or is there no more."""
        assert self._process.stdin  # noqa: S101  # it is a pipe
        self._process.stdin.write(f"{pdq.tobytes().hex()} {int(is_there)}\n")
        self._process.stdin.flush()
        self._line()  # it has begun

    def changed_at_s(self) -> float:
        """Wait for it; give the instant, of the clock that all processes share."""
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout  # noqa: S101  # it is a pipe
        return self._process.stdout.readline()


def _read(directory: Path) -> int:
    """Be the reader: answer each line of standard input."""
    live = LiveBank(directory)
    print("open", flush=True)
    for line in sys.stdin:
        text, is_there = line.split()
        pdq = np.frombuffer(bytes.fromhex(text), np.uint8)
        print("looking", flush=True)
        while any(not m.distance_bits for m in live.current().query(pdq, "full")) != bool(
            int(is_there)
        ):
            time.sleep(_ASK_EVERY_S)
        print(time.monotonic(), flush=True)
    return 0


def _seconds(work: Callable[[], object]) -> float:
    started_s = time.monotonic()
    work()
    return round(time.monotonic() - started_s, 3)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 1), "max": round(max(values), 1)}
