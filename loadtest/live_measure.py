"""Measures one number of live streams over a window: coverage, send-to-flag, what it took.

Rule: the origin tells what was sent, the log what was found; figures are of the window alone.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from loadtest.live import quantile
from loadtest.live_figures import coverage, latencies_ms, sent_within
from loadtest.live_run import Load, Taken, live
from loadtest.programs import stop

GRACE_S = 3.0
"""How long after the last GOP of the window flags are waited for, and keyframes judged."""

SETTLE_S = 8.0
"""From all being connected to the beginning of the window: four of the usual GOPs."""


def measure(n_streams: int, load: Load, seconds: float, bank: Path) -> dict[str, Any]:
    """Run so many streams for a window of so many seconds; give the figures of the window."""
    with live(n_streams, load, bank) as run:
        run.wait_connected(n_streams)
        n_connected = len(run.log.started)
        run.follow(SETTLE_S)
        before = run.take()
        run.follow(seconds)
        after = run.take()
        run.follow(load.gop_s + GRACE_S)
        for process in (run.screening, run.origin):
            stop(process)
        while run.log.read():  # the last gaps and accounts
            pass
        folder = run.folder
        sent = sent_within(folder / "sent.txt", (before.at_s, after.at_s))
        origin = json.loads((folder / "origin.log").read_text().splitlines()[-1])
        said = (folder / "run.log").read_text()
    detectors = ["hash", "classifier"] if load.model_pack else ["hash"]
    covered, lost = min(
        (coverage(sent, run.log, load.gop_s, of) for of in detectors), key=lambda pair: pair[0]
    )
    late_ms = latencies_ms(sent, run.log.flags)
    files = origin.pop("files")
    figures = {
        "streams": n_streams,
        "connected": n_connected,
        "coverage": round(covered, 5),
        "lost_s": {reason: round(s, 1) for reason, s in lost.items()},
        "flags": len(late_ms),
        "missed": sum(map(_is_missed, late_ms)),
        **_quantiles(late_ms),
        **_taken(before, after, n_streams),
        "errors": said.count('"level":"error"') + said.count('"level": "error"'),
        "origin": origin,
        "load": [round(load, 1) for load in os.getloadavg()],
        "files": files,
    }
    print(_line(figures), file=sys.stderr, flush=True)
    return figures


def _is_missed(late_ms: float) -> bool:
    return late_ms == float("inf")


def _quantiles(late_ms: list[float]) -> dict[str, float | None]:
    """Give the usual ones; None where no flag came, or none was due."""
    marks = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    if not late_ms:
        return dict.fromkeys(marks)
    values = {name: quantile(late_ms, share) for name, share in marks.items()}
    return {name: None if _is_missed(ms) else round(ms, 1) for name, ms in values.items()}


def _taken(before: Taken, after: Taken, n_streams: int) -> dict[str, Any]:
    seconds = after.at_s - before.at_s
    cores = {
        part: round((getattr(after, part).cpu_s - getattr(before, part).cpu_s) / seconds, 3)
        for part in ("supervisor", "workers", "origin", "harness")
    }
    screening = cores["supervisor"] + cores["workers"]
    held = after.supervisor + after.workers
    return {
        "cores": cores,
        "cpu_s_per_stream_s": round(screening / n_streams, 5),
        "rss_mb": round(held.rss_bytes / 2**20, 1),
        "rss_mb_per_stream": round(held.rss_bytes / 2**20 / n_streams, 2),
        "threads": held.n_threads,
        "descriptors": held.n_descriptors,
    }


def _line(figures: dict[str, Any]) -> str:
    cores, load = figures["cores"], figures["load"][0]
    return (
        f"{figures['streams']:4} streams: coverage {100 * figures['coverage']:.2f} %, "
        f"p95 {figures['p95_ms']} p99 {figures['p99_ms']} ms of {figures['flags']} clips, "
        f"{cores['supervisor']:.2f} + {cores['workers']:.2f} cores, "
        f"origin {cores['origin']:.2f}, {figures['rss_mb']:.0f} MB, load {load}"
    )
