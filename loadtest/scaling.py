"""Two workers beside one, on files in the page cache: how much more they get done.

    python -m loadtest scaling [--rounds 5]

A worker is a process with one decode thread, which is what `streamguard screen` is for a file. One
screens a file alone; then two screen a copy each, at the same time. Twice the time of one over the
time until both are done is the gain: 2 at best.

Rule: each round has both, so that what disturbs the machine disturbs both; it wants two idle cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from loadtest.live_run import build_bank
from loadtest.origin_content import encoded, file_hashes, source_clips
from loadtest.programs import ProgramUnavailable, environment, streamguard

MIN_GAIN = 1.9
"""The bar."""

N_REPEATS = 20
"""How often each 16 s source is played: 53 minutes of ten sources, 20 s of work."""


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest scaling", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of one worker, then two")
    parser.add_argument("--repeats", type=int, default=N_REPEATS, help="of the footage")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    gains, alone_s, both_s = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bank = build_bank(folder)
        videos = [_video(folder / f"{n}.ts", options.repeats) for n in range(2)]
        for number in range(options.rounds):
            alone_s.append(_seconds(videos[:1], bank))
            both_s.append(_seconds(videos, bank))
            gains.append(2 * alone_s[-1] / both_s[-1])
            load = os.getloadavg()[0]
            line = f"round {number + 1}: one {alone_s[-1]:.2f} s, two {both_s[-1]:.2f} s"
            print(f"{line}, gain {gains[-1]:.2f}, load {load:.1f}", file=sys.stderr, flush=True)
        hashes = file_hashes({"video": videos[0]})
    report = {
        "gain_median": round(median(gains), 3),
        "gain_min": round(min(gains), 3),
        "gain_max": round(max(gains), 3),
        "one_s": [round(s, 2) for s in alone_s],
        "two_s": [round(s, 2) for s in both_s],
        "pass": median(gains) >= MIN_GAIN,
        "files": hashes,
        "load": [round(load, 1) for load in os.getloadavg()],
    }
    print(json.dumps(report))
    return 0 if report["pass"] else 1


def _video(out: Path, repeats: int) -> Path:
    """Join all sources, again and again; writing it leaves it in the page cache.

    Timestamps begin anew with each source: a new epoch for streamguard, and nothing else.
    """
    sources = [encoded(name, clip, "1080p30", 2) for name, clip in source_clips().items()]
    with out.open("wb") as joined:
        for _ in range(repeats):
            for source in sources:
                joined.write(source.read_bytes())
    return out


def _seconds(videos: Sequence[Path], bank: Path) -> float:
    """Screen files at once, a process each; say how long it took until all were done."""
    began_s = time.monotonic()
    processes = [
        subprocess.Popen(
            streamguard("screen", video, "--sampling", "keyframes", "--bank", bank),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for video in videos
    ]
    codes = [process.wait() for process in processes]
    took_s = time.monotonic() - began_s
    if any(codes):
        raise ProgramUnavailable(f"streamguard failed (exit {max(codes)})")
    return took_s
