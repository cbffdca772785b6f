"""Thousands of damaged sources, each screened to its end: an error of ours or frames, nothing else.

    python -m loadtest hostile [--cases 10000] [--seed 1] [--keep DIR]

MPEG-TS and FLV over HTTP, MP4 files, HLS, RTMP and RTSP; a case is made again from the seed and a
number. What comes by SRT is MPEG-TS that a program of its own read from the network: its demuxer is
that of the rows of MPEG-TS, and its way in, a pipe to it, that of HLS.

Rule: processes that are used again screen them, and are watched from outside: one that hangs on a
case, dies of it, or holds more afterwards than before, is a failure that names the case.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Lock
from typing import Any

from loadtest.hostile_clips import KINDS
from loadtest.hostile_damage import hostile_case
from loadtest.hostile_watch import Answer, ScreenedBy, Watched

MAX_GROWTH_MB = 32.0
"""From the second tenth of a run to its last: the heap after pictures of all sizes comes and goes
by 10 to 20 MB; a leak of one kilobyte a case would show in a run of 30,000."""

JUDGED_FROM = 200
"""Cases of one process; with fewer its heap has not settled."""


@dataclass
class Tally:
    """What was seen, by all processes; guarded by `lock`."""

    numbers: Iterator[int]
    lock: Lock = field(default_factory=Lock)
    failures: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    with_frames: Counter[str] = field(default_factory=Counter)
    growth_mb: list[float] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: int = 0


def main(arguments: Sequence[str]) -> int:
    """Run the cases; exit 1 where one failed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest hostile", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the failed cases there")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    numbers = range(options.first, options.first + options.cases)
    report, failed = run(options.seed, numbers, options.processes)
    for number in failed if options.keep else ():
        keep(options.seed, number, options.keep)
    print(json.dumps(report | {"load": [round(load, 1) for load in os.getloadavg()]}))
    return 0 if report["pass"] else 1


def run(seed: int, numbers: Sequence[int], n_processes: int) -> tuple[dict[str, Any], list[int]]:
    """Screen the cases of these numbers; give what was seen, and the numbers that failed."""
    tally = Tally(iter(numbers))
    began_s = time.monotonic()
    with ThreadPoolExecutor(n_processes) as pool:
        for done in [pool.submit(_work, seed, tally) for _ in range(n_processes)]:
            done.result()
    failures = sorted(tally.failures, key=lambda line: int(line.split(maxsplit=1)[0]))
    report = {
        "pass": not failures and max(tally.growth_mb, default=0.0) <= MAX_GROWTH_MB,
        "cases": len(numbers),
        "seed": seed,
        "seconds": round(time.monotonic() - began_s, 1),
        "failures": failures,
        "with_frames": {kind: tally.with_frames[kind] for kind in KINDS},
        "ends": dict(tally.ends.most_common()),
        "slowest": {"number": tally.slowest, "s": round(tally.slowest_s, 2)},
        "growth_mb": [round(growth, 1) for growth in tally.growth_mb],
    }
    return report, [int(line.split(maxsplit=1)[0]) for line in failures]


def keep(seed: int, number: int, folder: Path) -> None:
    """Write a case into a folder of its own, as the tests read them."""
    case = hostile_case(seed, number)
    where = folder / f"{case.kind}-{seed}-{number}"
    where.mkdir(parents=True, exist_ok=True)
    for name, payload in case.pages.items():
        (where / name).write_bytes(payload)
    (where / "first").write_text(case.first)


def _work(seed: int, tally: Tally) -> None:
    """Screen cases until there are no more, in one process after the other."""
    rss_mb: list[float] = []
    with Watched() as watched:
        while (number := _next(tally)) is not None:
            seen = watched.ask(f"{seed} {number}")
            with tally.lock:
                _count(tally, number, seen)
            if seen.answer is None:
                rss_mb = []
            else:
                rss_mb.append(seen.answer["rss_mb"])
    tenth = len(rss_mb) // 10
    if len(rss_mb) >= JUDGED_FROM:
        grown = median(rss_mb[-tenth:]) - median(rss_mb[tenth : 2 * tenth])
        with tally.lock:
            tally.growth_mb.append(grown)


def _next(tally: Tally) -> int | None:
    with tally.lock:
        number = next(tally.numbers, None)
    if number is not None and number % 1000 == 0:
        print(f"case {number}", file=sys.stderr)
    return number


def _count(tally: Tally, number: int, seen: ScreenedBy) -> None:
    kind = KINDS[number % len(KINDS)]
    if seen.seconds > tally.slowest_s:
        tally.slowest_s, tally.slowest = seen.seconds, number
    if seen.problem:
        tally.failures.append(f"{number} {kind}: {seen.problem}")
    if seen.answer:
        answer: Answer = seen.answer
        tally.ends[answer["end"] or "whole"] += 1
        tally.with_frames[kind] += answer["frames"] > 0
