"""What it costs to hold a new entry against the last ten minutes of many live streams.

    python -m loadtest look_back --streams 160 --hashes 5000 [--json]

Rule: one stream of them has shown what the new entry holds, the others random hashes. Meanwhile
the event loop judges a live sample every 5 ms: how late it is says what the looks cost the living.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from statistics import quantiles
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank_editor import edit_bank, empty_bank
from streamguard.core.bank_values import Entry
from streamguard.core.banks import Banks
from streamguard.core.match import Matcher
from streamguard.core.policy import Policy
from streamguard.core.types import HASH_BYTES, Region, Sample, View
from streamguard.runtime.rechecker import Rechecker

SAMPLES = 300
"""Ten minutes of keyframes, one every 2 s."""

REGIONS: tuple[Region, ...] = ("full", "content")

LIVE_EVERY_S = 0.005


def main(arguments: Sequence[str]) -> int:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m loadtest look_back")
    parser.add_argument("--streams", type=int, default=160)
    parser.add_argument("--hashes", type=int, default=5_000, help="of the new entry")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    print(f"showing {SAMPLES} samples of {options.streams} streams", file=sys.stderr)
    figures = {"load": round(os.getloadavg()[0], 1), **vars(options)}
    figures |= asyncio.run(_measured(options.streams, options.hashes))
    if figures.pop("json"):
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:20} {figure}")
    return 0 if figures["streams_found"] == 1 else 1


async def _measured(n_streams: int, n_hashes: int) -> dict[str, Any]:
    """Show, put the entry in, and look back in all streams at once."""
    rng = np.random.default_rng(4)
    known = rng.integers(0, 256, (n_hashes, HASH_BYTES), np.uint8)
    old = np.bitwise_not(known[:1])
    banks = Banks((edit_bank(empty_bank("known"), add=[_entry("old", old)]),))
    streams = [Matcher(lambda: banks, Policy()) for _ in range(n_streams)]
    for stream in streams:
        shown = rng.integers(0, 256, (SAMPLES, len(REGIONS), HASH_BYTES), np.uint8)
        if stream is streams[-1]:
            shown[-1, 0] = known[n_hashes // 2]
        for number, hashes in enumerate(shown):
            stream.judge(_sample(number, hashes))
    usual_ms = await _late(asyncio.create_task(asyncio.sleep(0.5)), streams[0])

    banks = Banks((edit_bank(banks.banks[0], add=[_entry("new", known)]),))
    rechecker, begun_s, begun_cpu_s = Rechecker(), time.perf_counter(), time.process_time()
    rechecks = [recheck for stream in streams if (recheck := stream.recheck()) is not None]
    looks = asyncio.gather(*(rechecker.search(recheck) for recheck in rechecks))
    meanwhile_ms = await _late(looks, streams[0])
    took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    return {
        "looked_back_s": round(took_s, 3),
        "cpu_s": round(cpu_s, 3),
        "streams_found": sum(bool(found.decisions) for found in looks.result()),
        "live_late_ms_before": usual_ms,
        "live_late_ms_meanwhile": meanwhile_ms,
    }


async def _late(work: asyncio.Future[Any], live: Matcher) -> dict[str, float]:
    """Judge a sample every so often until something is done; tell how late that was, in ms."""
    rng, late_ms, due_s = np.random.default_rng(5), [], time.perf_counter()
    while not work.done():
        due_s = max(due_s + LIVE_EVERY_S, time.perf_counter())
        await asyncio.sleep(due_s - time.perf_counter())
        live.judge(_sample(SAMPLES, rng.integers(0, 256, (len(REGIONS), HASH_BYTES), np.uint8)))
        late_ms.append((time.perf_counter() - due_s) * 1000)
    cuts = quantiles([0.0, *late_ms, max(late_ms)], n=100)
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2), "max": round(max(late_ms), 2)}


def _sample(number: int, hashes: NDArray[np.uint8]) -> Sample:
    views = [
        View(region, pdq, 100, is_stable=True) for region, pdq in zip(REGIONS, hashes, strict=True)
    ]
    at_s = number * 2.0
    return Sample(
        0, round(at_s * 1e6), is_keyframe=True, read_at_s=at_s, hashed_at_s=at_s, views=tuple(views)
    )


def _entry(name: str, hashes: NDArray[np.uint8]) -> Entry:
    offsets_us: NDArray[np.int64] = np.arange(len(hashes), dtype=np.int64) * 40_000
    last_us = int(offsets_us[-1])
    return Entry(
        name, "TVEC-X", "video", last_us, hashes, offsets_us, np.zeros(len(hashes), np.uint8)
    )
