"""streamguard beside other ways to find known clips: CPU a second of stream, and what they find.

    python -m loadtest peers [--rounds 3]

One file of disguised copies (1080p30, 4.5 Mbit/s, a keyframe every 2 s) is looked through by whole
programs in turn: ffmpeg decoding its keyframes to nothing (the floor), ffmpeg decoding everything
into a pipe that is sampled five times a second (the way of camera recorders), PyAV's keyframes with
pdqhash and faiss, vPDQ's method, and `streamguard screen`.

Rule: the same file, the same originals, the same run; start-up counts for all.
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

from loadtest.origin_content import file_hashes
from loadtest.peer_chart import draw_peers
from loadtest.peer_findings import Finding, read_findings, tally
from loadtest.peer_programme import CONTENTS, DISGUISES, Programme, programme
from loadtest.programs import Spent, find, output_of, spent_by, streamguard
from streamguard.adapters.pyav_hasher import read_frames
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.location import parse_location
from streamguard.core.pdq import hash_luma
from streamguard.core.types import MIN_QUALITY

MIN_TIMES_FEWER = 15.0
"""The bar: how many times less CPU than decoding everything, and than vPDQ's method."""

HEAVY = ("decode_all", "vpdq")
OURS = ("keyframes", "auto")
JUDGED = "keyframes"
"""A file of nothing but copies keeps `auto` looking densely, as no stream would: its figure is
told, the bar is held against the floor that every stream costs."""

FLOOR = "ffmpeg_keyframes"

Figures = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, in turn")
    parser.add_argument("--content", action="append", choices=CONTENTS)
    parser.add_argument("--disguise", action="append", choices=DISGUISES)
    parser.add_argument("--chart", type=Path, metavar="PNG", help="draw the figures there")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    shown = programme(options.content or CONTENTS, options.disguise or DISGUISES)
    with tempfile.TemporaryDirectory() as folder:
        commands = _commands(shown, Path(folder))
        figures = _measured(commands, shown, options.rounds, Path(folder))
    bars = _bars(figures)
    if options.chart:
        draw_peers(figures, options.chart)
    report = {
        "seconds": round(shown.length_s, 1),
        "copies": len(shown.shown),
        "pass": all(bar["is_kept"] for bar in bars.values()),
        "methods": figures,
        "bars": bars,
        "files": file_hashes({"programme": shown.video}),
        "load": [round(load, 1) for load in os.getloadavg()],
    }
    print(json.dumps(report))
    return 0 if report["pass"] else 1


def _commands(shown: Programme, folder: Path) -> dict[str, list[str]]:
    """Make the lists that each method wants, and say how each is run."""
    bank, hashes, originals = folder / "bank", folder / "hashes.npz", folder / "originals.txt"
    lines = []
    for content in shown.contents:
        policy = f"LOAD-TEST-{content.name.upper().replace('_', '-')}"
        named = ("--policy", policy, "--entry", content.name)
        output_of(streamguard("bank", "build", bank, content.original, *named))
        lines.append(f"{content.original}\t{content.name}")
    originals.write_text("\n".join(lines))
    _save_hashes(shown, hashes)
    video = str(shown.video)
    quietly = [str(find("ffmpeg")), "-v", "error", "-nostdin", "-threads", "1"]
    method = [sys.executable, "-m", "loadtest.peer_methods"]
    return {
        FLOOR: [*quietly, "-skip_frame", "nokey", "-i", video, *["-an", "-f", "null", "-"]],
        "decode_all": [*method, "decode_all", video, str(hashes)],
        "pyav_pdqhash": [*method, "pyav_pdqhash", video, str(hashes)],
        "vpdq": [*method, "vpdq", video, str(originals)],
        **{name: streamguard("screen", video, "--sampling", name, "--bank", bank) for name in OURS},
    }


def _save_hashes(shown: Programme, out: Path) -> None:
    """Hash every frame of the originals, for the methods that bring no list of their own."""
    hashes, names = [], []
    for content in shown.contents:
        location = parse_location(str(content.original))
        for _, frame in read_frames(location, SystemClock(), every_frame=True):
            view = hash_luma(frame.luma, full_range=frame.full_range)
            if view.quality >= MIN_QUALITY:
                hashes.append(view.bits)
                names.append(content.name)
    np.savez(out, hashes=np.stack(hashes), names=np.array(names))


def _measured(
    commands: dict[str, list[str]], shown: Programme, rounds: int, folder: Path
) -> dict[str, Figures]:
    """Run each in turn, so often; what was found is the same in every round."""
    spent: dict[str, list[Spent]] = {name: [] for name in commands}
    found: dict[str, list[Finding]] = {}
    for number in range(rounds):
        for name, command in commands.items():
            said = folder / f"{name}.out"
            run = spent_by(command, said)
            spent[name].append(run)
            found[name] = read_findings(name, said.read_text())
            load = os.getloadavg()[0]
            line = f"round {number + 1} {name:16} {run.cpu_s:7.2f} s of CPU, load {load:.1f}"
            print(line, file=sys.stderr, flush=True)
    ours = [run.cpu_s for run in spent["keyframes"]]
    return {
        name: {
            "cpu_s": [round(run.cpu_s, 2) for run in runs],
            "cpu_s_per_stream_s": round(median(run.cpu_s for run in runs) / shown.length_s, 5),
            "times_ours": round(
                median(run.cpu_s / own for run, own in zip(runs, ours, strict=True)), 2
            ),
            **({} if name == FLOOR else tally(found[name], shown.shown)),
        }
        for name, runs in spent.items()
    }


def _bars(figures: dict[str, Figures]) -> dict[str, Figures]:
    """Hold ours against each heavy one."""
    bars = {}
    for heavy in HEAVY:
        times = figures[heavy]["times_ours"]
        finds_as_much = figures[JUDGED]["found"] >= figures[heavy]["found"]
        is_kept = times >= MIN_TIMES_FEWER and finds_as_much
        bars[heavy] = {"times_ours": times, "finds_as_much": finds_as_much, "is_kept": is_kept}
    return bars
