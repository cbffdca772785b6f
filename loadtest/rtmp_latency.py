"""From reading a packet to its flag being in the log: live over RTMP, several publishers at once.

Rule: everything is a process of its own (nginx-rtmp, ffmpeg publishers, `streamguard run`); a flag
counts when a reader of the event log sees it, so the reader's poll of 5 ms is part of the figure.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.live import Metrics, quantile, quantiles, screening
from loadtest.programs import ProgramUnavailable
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.errors import StreamguardError
from streamguard.core.event_data import utc_seconds

MAX_P95_MS = 250.0
"""The bar: ingest-to-flag, milliseconds."""

JUDGED_FROM_FLAGS = 50

POLL_S = 0.005
PATIENCE_S = 60.0
"""No new flag for so long: something is broken."""


@dataclass(frozen=True, slots=True)
class SeenFlag:
    """A flag as a reader of the log met it; all times in seconds since 1970 UTC.

    run:         the stream and its unbroken timeline.
    pts_s:       media time of the sample that opened it, seconds.
    ingest_s:    when its packet was read.
    decision_ms: from there to the decision, by the clock of the process that screened.
    seen_s:      when the reader had it.
    """

    run: tuple[str, int]
    pts_s: float
    ingest_s: float
    decision_ms: float
    seen_s: float


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where there are enough flags to judge by and the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest rtmp_latency", description=__doc__)
    parser.add_argument("--flags", type=int, default=JUDGED_FROM_FLAGS, help="flags to wait for")
    parser.add_argument("--publishers", type=int, default=8)
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        flags, metrics = _measure(Path(name), options.publishers, options.flags)
    judged = len(flags) >= JUDGED_FROM_FLAGS
    seen_ms = [(flag.seen_s - flag.ingest_s) * 1000 for flag in flags]
    is_good = quantile(seen_ms, 0.95) <= MAX_P95_MS
    figures = {
        "flags": len(flags),
        "publishers": options.publishers,
        "pass": is_good if judged else None,
        "ingest_to_flag_ms": quantiles(seen_ms),
        "ingest_to_decision_ms": quantiles([flag.decision_ms for flag in flags]),
        "pace_to_flag_ms": quantiles(_behind_pace_ms(flags)),
        "metrics": _from_metrics(metrics),
        "load": [round(load, 2) for load in os.getloadavg()],
    }
    print(json.dumps(figures))
    return 1 if judged and not is_good else 0


def _measure(folder: Path, n_publishers: int, n_flags: int) -> tuple[list[SeenFlag], Metrics]:
    with screening(folder, n_publishers) as run:
        flags = list(_follow(run.log, n_flags, run.printed))
        return flags, run.metrics()


def _follow(log: Path, n_flags: int, printed: Path) -> Iterator[SeenFlag]:
    """Read the log as it grows, until it told of so many flags."""
    deadline_s = time.monotonic() + PATIENCE_S
    n_seen, offset = 0, 1
    reader: SqliteLog | None = None
    while n_seen < n_flags:
        if time.monotonic() > deadline_s:
            problem = printed.read_text().strip()[-300:]
            raise ProgramUnavailable(f"{n_seen} flags came, then none any more: {problem}")
        try:
            reader = reader or SqliteLog.open_reader(log)
        except StreamguardError:  # `run` has not made it yet
            time.sleep(POLL_S)
            continue
        records = reader.read(offset)
        seen_s = time.time()
        for record in records:
            offset = record.offset + 1
            if record.type.endswith(".flag.opened.v1") and n_seen < n_flags:
                n_seen += 1
                deadline_s = time.monotonic() + PATIENCE_S
                yield _seen(json.loads(record.body), seen_s)
        if not records:
            time.sleep(POLL_S)


def _seen(event: dict[str, Any], seen_s: float) -> SeenFlag:
    data = event["data"]
    flag = SeenFlag(
        run=(data["stream"]["session_id"], data["stream"]["epoch"]),
        pts_s=data["window"]["start_pts_ms"] / 1000,
        ingest_s=utc_seconds(event["time"]),
        decision_ms=data["latency_ms"]["ingest_to_decision"],
        seen_s=seen_s,
    )
    took_ms = (flag.seen_s - flag.ingest_s) * 1000
    name = data["stream"]["stream_id"]
    load = os.getloadavg()[0]
    print(f"{name}: flag {took_ms:5.1f} ms after its packet, load {load:.1f}", file=sys.stderr)
    return flag


def _behind_pace_ms(flags: Sequence[SeenFlag]) -> list[float]:
    """Say how late flags were by the publisher's pace, beside the most punctual packet of a stream.

    A publisher sends the packet of media time t at its own start + t. Its start is not known to us;
    the earliest start that any flagged packet of the stream allows is taken for it.
    """
    starts: dict[tuple[str, int], float] = {}
    for flag in flags:
        start_s = flag.ingest_s - flag.pts_s
        starts[flag.run] = min(start_s, starts.get(flag.run, start_s))
    return [(flag.seen_s - flag.pts_s - starts[flag.run]) * 1000 for flag in flags]


def _from_metrics(samples: Metrics) -> dict[str, Any]:
    """Take the histogram of ingest-to-flag, and the mean of each stage, from /metrics."""
    flag, stage = "streamguard_ingest_to_flag_seconds", "streamguard_stage_seconds"
    count = samples[f"{flag}_count",]
    stages = [key[1] for key in samples if key[0] == f"{stage}_sum"]
    means = {of: samples[f"{stage}_sum", of] / samples[f"{stage}_count", of] for of in stages}
    return {
        "flags": int(count),
        "share_within_250_ms": samples[f"{flag}_bucket", "0.25"] / count,
        "mean_ms": round(samples[f"{flag}_sum",] * 1000 / count, 2),
        "stage_mean_ms": {of: round(mean_s * 1000, 2) for of, mean_s in means.items()},
    }
