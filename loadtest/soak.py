"""An hour of streams that come and go: memory, threads, descriptors and zombies do not grow.

    python -m loadtest soak [--minutes 60] [--streams 60] [--added 1]

Each second a stream ends, or one that had ended begins anew; known clips come up on all of them.
With --added, so many streams a second are added through the admin API as well, and the oldest of
them removed; at the end all are, and what the processes hold then is held against the beginning.

Rule: the real `streamguard run`; the first tenth is left out of the slope, for caches fill then.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.admin_churn import AdminChurn
from loadtest.live_run import Live, Load, Taken, build_bank, live
from loadtest.origin_content import GOPS_S, PROFILES
from loadtest.proc_stat import Usage, descendants, n_zombies

MAX_SLOPE_MB_MIN = 1.0
"""The bar: growth of memory, over a run of JUDGED_FROM_MIN minutes."""

JUDGED_FROM_MIN = 10.0
"""In less time a slope says nothing: rings fill, and the heap settles."""

MAX_MORE_THREADS = MAX_MORE_DESCRIPTORS = 8
"""The end may find so many more than the beginning: streams are just then coming and going."""

WARM_UP_SHARE = 0.1
SAMPLE_S = 2.0

SETTLE_S = 5.0
"""Until what was let go is closed: a stop waits 2 s at most for a read."""


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where the run is long enough to be judged and a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--streams", type=int, default=60)
    parser.add_argument("--churn", type=float, default=1.0, help="starts and ends a second")
    parser.add_argument("--added", type=float, default=0.0, help="through the API, a second")
    parser.add_argument("--profile", choices=PROFILES, default="360p30")
    parser.add_argument("--gop", type=int, choices=GOPS_S, default=2, help="seconds")
    parser.add_argument("--evidence", action="store_true", help="keep clips and stills of flags")
    parser.add_argument("--worker", metavar="TOML", help="lines for the section [worker]")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    samples, seen = _run(options)
    report = {**_figures(samples), **seen, "minutes": options.minutes, "streams": options.streams}
    is_judged = options.minutes >= JUDGED_FROM_MIN
    report |= {"pass": _is_good(report) if is_judged else None}
    print(json.dumps(report | {"load": [round(load, 1) for load in os.getloadavg()]}))
    return 1 if report["pass"] is False else 0


def _run(options: argparse.Namespace) -> tuple[list[tuple[float, Usage]], dict[str, Any]]:
    """Let streams come and go; give what the processes held, by time, and what was seen."""
    load = Load(
        profile=options.profile,
        gop_s=options.gop,
        insert_every_s=60.0,
        keeps_evidence=options.evidence,
        origin_options=("--churn", str(options.churn)),
        more=f"[worker]\n{options.worker}\n" if options.worker else "",
    )
    with tempfile.TemporaryDirectory() as name:
        bank = build_bank(Path(name))
        with live(options.streams, load, bank) as run:
            run.wait_connected(options.streams)
            source = f"http://127.0.0.1:{run.port}/0000.ts"
            with AdminChurn(run.folder / "run.log", run.log.path, source) as churn:
                run.follow(SETTLE_S)
                before = run.take()
                samples, zombies = _churned(run, churn, options)
                churn.clear()
                run.follow(SETTLE_S)
                after = run.take()
            seen = {
                "added": churn.n_added,
                "threads_left": _held(after).n_threads - _held(before).n_threads,
                "descriptors_left": _held(after).n_descriptors - _held(before).n_descriptors,
                "sessions": len(run.log.accounts),
                "flags": len(run.log.flags),
                "zombies_most": zombies,
            }
    return samples, seen


def _churned(
    run: Live, churn: AdminChurn, options: argparse.Namespace
) -> tuple[list[tuple[float, Usage]], int]:
    """Look on for as long as asked; give what was held, by time, and the most zombies."""
    samples: list[tuple[float, Usage]] = []
    zombies, began_s = 0, time.monotonic()
    while (at_s := time.monotonic() - began_s) < options.minutes * 60:
        run.follow(SAMPLE_S)
        while churn.n_added < at_s * options.added:
            churn.turn()
        samples.append((at_s, _held(run.take())))
        pids = [run.screening.pid, *descendants(run.screening.pid)]
        zombies = max(zombies, n_zombies(pids))
        _tell(samples)
    return samples, zombies


def _held(taken: Taken) -> Usage:
    return taken.supervisor + taken.workers


def _tell(samples: Sequence[tuple[float, Usage]]) -> None:
    """Say every minute how it stands."""
    at_s, usage = samples[-1]
    if len(samples) < 2 or int(at_s // 60) > int(samples[-2][0] // 60):
        text = f"{at_s / 60:5.1f} min: {usage.rss_bytes / 2**20:.0f} MB, {usage.n_threads} threads"
        print(f"{text}, {usage.n_descriptors} descriptors", file=sys.stderr, flush=True)


def _figures(samples: Sequence[tuple[float, Usage]]) -> dict[str, Any]:
    """Fit a line through memory by time; compare the second tenth with the last."""
    n = max(1, int(len(samples) * WARM_UP_SHARE))
    settled = samples[n:] or samples
    minutes = np.array([at_s / 60 for at_s, _ in settled])
    held_mb = np.array([usage.rss_bytes / 2**20 for _, usage in settled])
    slope, half = _slope(minutes, held_mb), len(settled) // 2
    early, late = [usage for _, usage in settled[:n]], [usage for _, usage in settled[-n:]]
    return {
        "rss_mb_start": round(held_mb[0], 1),
        "rss_mb_end": round(held_mb[-1], 1),
        "rss_mb_most": round(held_mb.max(), 1),
        "slope_mb_min": round(slope, 3),
        "last_half_slope_mb_min": round(_slope(minutes[half:], held_mb[half:]), 3),
        "threads": [_mean([u.n_threads for u in part]) for part in (early, late)],
        "descriptors": [_mean([u.n_descriptors for u in part]) for part in (early, late)],
    }


def _slope(minutes: NDArray[np.float64], held_mb: NDArray[np.float64]) -> float:
    return float(np.polyfit(minutes, held_mb, 1)[0]) if len(minutes) > 1 else 0.0


def _mean(values: Sequence[int]) -> float:
    return round(sum(values) / len(values), 1)


def _is_good(report: dict[str, Any]) -> bool:
    grown = {name: report[name][1] - report[name][0] for name in ("threads", "descriptors")}
    return bool(
        report["slope_mb_min"] <= MAX_SLOPE_MB_MIN
        and grown["threads"] <= MAX_MORE_THREADS
        and grown["descriptors"] <= MAX_MORE_DESCRIPTORS
        and report["threads_left"] <= MAX_MORE_THREADS
        and report["descriptors_left"] <= MAX_MORE_DESCRIPTORS
        and report["zombies_most"] == 0
    )
