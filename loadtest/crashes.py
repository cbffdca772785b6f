"""What a SIGKILL costs: of a worker, of nginx, of the supervisor; ten rounds of each in turn.

    python -m loadtest crashes [--rounds 10] [--streams 8] [--publishers 8]

`streamguard run` screens MPEG-TS from the origin and RTMP from nginx, half of that found through
its stat page. Instants are told by the origin and by nginx, never by streamguard; crash_truth.py
says what is taken for the truth. Of half the origin's streams, and of all of nginx's, the bank has
every keyframe, so that the first sample of a new connection is a flag; on the others a known clip
comes up every 20 s or so.

Rule: nothing is simulated, and nothing waits for a good moment: kills come by chance.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple
from pathlib import Path

from loadtest.crash_figures import Found, judged, table
from loadtest.crash_gaps import lost_clips, unaccounted_s
from loadtest.crash_log import n_without_end, read_log
from loadtest.crash_plan import Plan
from loadtest.crash_stage import Stage, stage
from loadtest.crash_truth import Broadcast, Case, Hit, Kill, hit_of, is_hit
from loadtest.live_figures import Sent, lines_of
from loadtest.origin_content import GOPS_S, PROFILES, file_hashes

CASES: tuple[Case, ...] = ("worker", "server", "supervisor")

SETTLE_S = 10.0
"""Until all streams are screened."""

REST_S = (8.0, 12.0)
"""From the end of a kill to the next one: four GOPs at least, and no fixed phase of any."""

DOWN_S = (1.0, 3.0)
"""How long nginx and the supervisor are away."""


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest crashes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=10, help="kills of each kind")
    parser.add_argument("--streams", type=int, default=8, help="of the origin")
    parser.add_argument("--publishers", type=int, default=8, help="to nginx")
    parser.add_argument("--profile", choices=PROFILES, default="1080p30")
    parser.add_argument("--gop", type=int, choices=GOPS_S, default=2, help="seconds")
    parser.add_argument("--seed", type=int, default=1, help="of what is killed, and when")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the log and the records")
    parser.add_argument("--json", action="store_true", help="one object, no table")
    options = parser.parse_args(arguments)
    plan = Plan(options.streams, options.publishers, options.profile, options.gop)
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        found = _measured(plan, folder, options)
    report = judged(found, plan.gop_s) | {
        "rounds": options.rounds,
        "streams": [options.streams, options.publishers],
        "profile": plan.profile,
        "files": file_hashes(plan.files()),
        "load": [round(load, 1) for load in os.getloadavg()],
    }
    if not options.json:
        print("\n".join(table(report)))
    print(json.dumps(report))
    return 0 if report["pass"] else 1


def _measured(plan: Plan, folder: Path, options: argparse.Namespace) -> Found:
    with stage(plan, folder, options.seed) as on_stage:
        on_stage.wait_published()
        time.sleep(SETTLE_S)
        began_s = time.monotonic()
        for n in range(options.rounds):
            for case in CASES:
                _kill(on_stage, case)
                on_stage.rest(REST_S)
            print(f"round {n + 1}: load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
        ended_s = time.monotonic()
        on_stage.stop()
    log = read_log(on_stage.log, plan.stream_ids())
    lines = sorted([*lines_of(folder / "sent.txt"), *on_stage.watch.lines], key=lambda x: x.sent_s)
    _keep(folder, on_stage.kills, lines)
    broadcasts = {
        name: Broadcast(
            kind, plan.is_known(name), [x for x in lines if x.stream == name], log[name]
        )
        for name, kind in plan.kinds().items()
    }
    return Found(
        hits=[*_hits(on_stage.kills, broadcasts, ended_s)],
        unaccounted_s=[
            (one.kind, s) for one in broadcasts.values() for s in unaccounted_s(one.log).values()
        ],
        n_lost_clips=sum(
            len(lost_clips(one.lines, one.log, (began_s, ended_s - 2 * plan.gop_s)))
            for one in broadcasts.values()
            if not one.is_known
        ),
        n_open=n_without_end(on_stage.log),
        n_left_over=on_stage.n_left_over,
    )


def _keep(folder: Path, kills: Sequence[Kill], lines: Sequence[Sent]) -> None:
    """Write down what was done and what servers told, for who wants to look closer."""
    records = {"kills": [*map(asdict, kills)], "lines": [*map(astuple, lines)]}
    (folder / "records.json").write_text(json.dumps(records))


def _kill(on_stage: Stage, case: Case) -> None:
    down_s = on_stage.chance.uniform(*DOWN_S)
    match case:
        case "worker":
            on_stage.kill_worker()
        case "server":
            on_stage.kill_server(down_s)
        case "supervisor":
            on_stage.kill_supervisor(down_s)


def _hits(
    kills: Sequence[Kill], broadcasts: Mapping[str, Broadcast], ended_s: float
) -> Iterator[tuple[Case, Hit]]:
    """Say what each kill did to each stream that it hit: a worker holds some, nginx its own."""
    untils_s = [*(kill.at_s for kill in kills[1:]), ended_s]
    for kill, until_s in zip(kills, untils_s, strict=True):
        for one in broadcasts.values():
            is_its_own = kill.case == "supervisor" or one.kind != "http"
            if is_hit(kill, one.lines) if kill.case == "worker" else is_its_own:
                yield kill.case, hit_of(kill, one, until_s)
