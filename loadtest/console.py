"""The reviewers' console under load: what is seen when, who decides what, and what it leads to.

Rule: everything is a process of its own (`streamguard review`, `streamguard run`, nginx, ffmpeg,
Chromium), clients speak HTTP and server-sent events alone, and instants are taken from the log or
from the page.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from loadtest import console_banking, console_reviewers, console_screen

PARTS = ("screen", "reviewers", "banking")


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest console", description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="this one alone, or these")
    parser.add_argument("--flags", type=int, default=120, help="whose way to the screen is timed")
    parser.add_argument("--opened", type=int, default=24, help="cases opened in the browser")
    parser.add_argument("--cases", type=int, default=2_000, help="cases that reviewers decide")
    parser.add_argument("--banked", type=int, default=24, help="decisions that bank evidence")
    parser.add_argument("--evidence-s", type=float, default=10.0, help="how long each of them is")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    measure: dict[str, Callable[[], dict[str, Any]]] = {
        "screen": lambda: console_screen.measured(options.flags, options.opened),
        "reviewers": lambda: console_reviewers.measured(_plan(options.cases)),
        "banking": lambda: console_banking.measured(options.banked, options.evidence_s),
    }
    figures: dict[str, Any] = {}
    for part in options.part or PARTS:
        print(f"console: {part}", file=sys.stderr)
        load = [round(one, 2) for one in os.getloadavg()]
        figures[part] = {**measure[part](), "load_before": load}
    verdicts = [part["pass"] for part in figures.values()]
    figures["pass"] = False if False in verdicts else None if None in verdicts else True
    figures["load"] = [round(load, 2) for load in os.getloadavg()]
    print(json.dumps(figures))
    return 1 if figures["pass"] is False else 0


def _plan(n_cases: int) -> console_reviewers.Plan:
    """Half of the cases wait at first, and consoles are killed seven times or so."""
    return console_reviewers.Plan(
        n_cases=n_cases, n_waiting=n_cases // 2, kill_every=max(1, n_cases // 8)
    )
