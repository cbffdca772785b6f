"""How many live streams of a kind this machine screens, found by bisection.

    python -m loadtest capacity --profile 1080p30 --gop 2 [--classifier] [--cores 0,1]
    python -m loadtest capacity --at 10,40,80,160        CPU a stream at these, no search

A number of streams is carried if coverage is 99.9 % at least and 99 % of known clips are in the log
within 500 ms of their first keyframe's last byte. Found, it is measured again at 80 % of it. All of
it runs on this machine, or on the cores that are named: the origin, the supervisor, the workers.

Rule: the real `streamguard run` with a configuration file of static streams; nothing of it is
simulated.
"""

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from loadtest.capacity_chart import draw_capacity
from loadtest.live_measure import measure
from loadtest.live_run import Load, build_bank
from loadtest.origin_content import GOPS_S, PROFILES
from loadtest.programs import ROOT

MIN_COVERAGE = 0.999
MAX_P99_MS = 500.0
"""The bars of a number of streams that is carried."""

MAX_P95_AT_80_MS, MAX_P99_AT_80_MS = 250.0, 500.0
"""The bars at 80 % of capacity."""

MIN_STREAMS = {("1080p30", False): 160, ("1080p30", True): 40}
"""The bars of capacity on two cores, by profile and whether a model runs."""

FIRST_GUESS = {"1080p30": 160, "720p30": 260, "360p30": 400}
FIRST_GUESS_MODEL = 40
STEP = 1.25
"""How the search widens until it has a number that is carried and one that is not."""

NEAR_ENOUGH = 1.06
"""Where the search ends: they are within 6 %."""

PACK = ROOT / "models" / "opennsfw"

Figures = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a bar is missed."""
    options = _options(arguments)
    if options.cores:
        os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    load = Load(
        profile=options.profile,
        gop_s=options.gop,
        sampling=options.sampling or ("auto" if options.gop > 4 else "keyframes"),
        insert_every_s=options.insert_every,
        origin_options=("--frame-by-frame",) if options.frame_by_frame else (),
        model_pack=PACK if options.classifier else None,
        keeps_evidence=options.evidence,
        more=f"[worker]\n{options.worker}\n" if options.worker else "",
    )
    with tempfile.TemporaryDirectory() as folder:
        bank = build_bank(Path(folder))

        def run(n_streams: int, seconds: float = options.seconds) -> Figures:
            return measure(n_streams, load, seconds, bank)

        if options.at:
            runs = [run(int(n)) for n in options.at.split(",")]
            return _print(options, load, runs, {})
        guess = options.start or (
            FIRST_GUESS_MODEL if options.classifier else FIRST_GUESS[options.profile]
        )
        best, runs = search(run, guess)
        at_80 = run(max(1, round(best["streams"] * 0.8)), options.seconds * 2) if best else None
    found = _found(best, at_80, options)
    return _print(options, load, [*runs, *([at_80] if at_80 else [])], found)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest capacity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", choices=PROFILES, default="1080p30")
    parser.add_argument("--gop", type=int, choices=GOPS_S, default=2, help="seconds")
    parser.add_argument("--classifier", action="store_true", help="a model on every keyframe, too")
    parser.add_argument("--evidence", action="store_true", help="keep clips and stills of flags")
    parser.add_argument("--sampling", choices=("auto", "keyframes", "dense"))
    parser.add_argument("--seconds", type=float, default=30.0, help="of each run's window")
    parser.add_argument("--start", type=int, help="first number of streams")
    parser.add_argument("--at", metavar="N,N,...", help="only these numbers of streams")
    parser.add_argument("--cores", metavar="N,N", help="run everything on these alone")
    parser.add_argument("--worker", metavar="TOML", help="lines for the section [worker]")
    parser.add_argument("--insert-every", type=float, default=25.0, help="mean, seconds")
    parser.add_argument("--frame-by-frame", action="store_true", help="the origin's way to send")
    parser.add_argument("--chart", type=Path, metavar="PNG", help="draw all runs there")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    return parser.parse_args(arguments)


def is_carried(figures: Figures) -> bool:
    """Say whether so many streams were screened as promised."""
    p99_ms = math.inf if figures["p99_ms"] is None else figures["p99_ms"]
    return figures["coverage"] >= MIN_COVERAGE and p99_ms <= MAX_P99_MS


def search(run: Callable[[int], Figures], guess: int) -> tuple[Figures | None, list[Figures]]:
    """Find the most streams that are carried; give their run, None where one is too many."""
    runs: list[Figures] = []
    best: Figures | None = None
    low, high, n = 0, 0, guess
    while n > low and (not high or n < high):
        runs.append(run(n))
        if is_carried(runs[-1]):
            best, low = runs[-1], n
        else:
            high = n
        if high and low and high / low <= NEAR_ENOUGH:
            break
        if not high:
            n = math.ceil(low * STEP)
        elif not low:
            n = math.floor(high / STEP)
        else:
            n = (low + high) // 2
    return best, runs


def _found(best: Figures | None, at_80: Figures | None, options: argparse.Namespace) -> Figures:
    if best is None or at_80 is None:
        return {"streams": 0, "pass": False}
    wanted = MIN_STREAMS.get((options.profile, options.classifier)) if options.gop == 2 else None
    p95_ms, p99_ms = (at_80[name] or math.inf for name in ("p95_ms", "p99_ms"))
    is_good = p95_ms <= MAX_P95_AT_80_MS and p99_ms <= MAX_P99_AT_80_MS
    return {
        **_short(best),
        "answer": answer(best, options.profile),
        "at_80_percent": _short(at_80),
        "pass": None
        if wanted is None or options.gop != 2
        else is_good and best["streams"] >= wanted,
    }


def _short(figures: Figures) -> Figures:
    return {name: value for name, value in figures.items() if name not in {"files", "origin"}}


def answer(figures: Figures, profile: str) -> str:
    """Say what cores so many streams need, and what sending them took beside."""
    cores = figures["cores"]
    needed = cores["supervisor"] + cores["workers"]
    what = f"{figures['streams']} streams of {profile} need {needed:.2f} cores"
    return f"{what}, and their origin {cores['origin']:.2f}"


def _print(options: argparse.Namespace, load: Load, runs: Sequence[Figures], found: Figures) -> int:
    """Print the object, and the search's way on stderr."""
    kind = {"profile": load.profile, "gop_s": load.gop_s, "sampling": load.sampling}
    kind |= {"classifier": options.classifier, "evidence": options.evidence}
    n_cores = len(os.sched_getaffinity(0))
    more = {"cores_given": n_cores, "files": runs[0]["files"]}
    answers = [answer(run, load.profile) for run in runs]
    for line in [found["answer"]] if "answer" in found else answers:
        print(line, file=sys.stderr)
    if options.chart:
        what = f"{load.profile}, GOP {load.gop_s} s{', with a model' * options.classifier}"
        draw_capacity(runs, f"Live streams of {what}, on {n_cores} cores", options.chart)
    tried = [
        {"is_carried": is_carried(run), "answer": line, **_short(run)}
        for run, line in zip(runs, answers, strict=True)
    ]
    print(json.dumps({**kind, **found, **more, "runs": tried}))
    return 1 if found.get("pass") is False else 0
