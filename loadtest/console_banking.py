"""From a decision that banks its evidence to the workers that find it: the entry is live.

Rule: what is banked had been shown on every stream before, so that each worker finds it as soon as
it knows the entry, by looking back; an entry is live once all streams of all workers are flagged.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.admin_churn import admin_of
from loadtest.console_log import BankingLog, Took
from loadtest.console_people import Client, signed_in
from loadtest.console_scenes import SCENE_S, broadcast_of, programme_of, scene_of
from loadtest.console_stage import ConsoleStage, flag, footage
from loadtest.live import quantiles
from loadtest.programs import output_of, running, streamguard
from loadtest.rtmp import RtmpServer, find_nginx, rtmp_server

MAX_LIVE_S = 5.0
"""The bar, of 95 % of the decisions: from the decision to the last of the workers, seconds."""

JUDGED_FROM = 20
N_STREAMS, N_WORKERS = 4, 2
BANK = "reviewed"
BEHIND_S = 10.0
"""How long after a scene's end it counts as shown on all streams: they join within a few seconds,
and begin one after another."""

PATIENCE_S = 30.0
PAUSE_S = 0.2

RUN = """
[deployment]
name = "load-test"
[worker]
count = {n_workers}
[log]
file = "{folder}/events.db"
[evidence]
directory = "{folder}/evidence"
[http]
port = 0
[bank]
paths = ["{folder}/{bank}"]
[hygiene]
hub_max_share = 1.0
"""


@dataclass(frozen=True, slots=True)
class _Stage:
    """All that runs.

    began_s: when scenes began to be published, one after another, on the steady clock.
    first:   the number of the first scene that all of it was screened of.
    """

    console: ConsoleStage
    log: BankingLog
    printed: Path
    began_s: float
    first: int


def measured(n_banked: int, evidence_s: float) -> dict[str, Any]:
    """Bank the evidence of so many cases, one after another; each is a clip of so many seconds."""
    scenes = [scene_of(number, evidence_s) for number in range(n_banked + 1)]
    clips = [broadcast_of(scene, evidence_s) for scene in scenes[:-1]]
    with tempfile.TemporaryDirectory() as name, _running(Path(name), scenes) as stage:
        reviewer = signed_in(stage.console, [("banker", "reviewer", "*")])[0]
        rounds = []
        for turn in range(stage.first, stage.first + n_banked):
            _wait_shown(stage.began_s, turn)
            number = turn % n_banked
            rounds.append(_round(stage, reviewer, number, clips[number]))
        workers = _workers(stage)
        reviewer.close()
    found = [one.flagged_s for one in rounds if len(one.flagged_s) == N_STREAMS]
    first_ms = [1000 * min(times) for times in found]
    all_ms = [1000 * max(times) for times in found]
    whole_ms = [1000 * one.banked_s for one in rounds if one.banked_s is not None]
    spread = quantiles(all_ms) if all_ms else None
    is_good = (
        spread is not None
        and len(found) == n_banked
        and len(workers) == N_WORKERS
        and spread["p95"] <= MAX_LIVE_S * 1000
    )
    return {
        "banked": n_banked,
        "evidence_s": evidence_s,
        "streams": N_STREAMS,
        "workers_that_have_streams": len(workers),
        "not_found_everywhere": n_banked - len(found),
        "decision_to_first_flag_ms": quantiles(first_ms) if first_ms else None,
        "decision_to_all_workers_ms": spread,
        "decision_to_all_frames_in_the_bank_ms": quantiles(whole_ms) if whole_ms else None,
        "pass": is_good if n_banked >= JUDGED_FROM else None,
    }


@contextmanager
def _running(folder: Path, scenes: Sequence[Path]) -> Iterator[_Stage]:
    """Publish the scenes, all but the last one, and have them screened and reviewed."""
    programme = programme_of(scenes[:-1])
    bank = folder / BANK
    output_of(streamguard("bank", "build", bank, scenes[-1], "--policy", "LOAD-TEST"))
    more = f'[bank]\npaths = ["{bank}"]'
    with ExitStack() as stack:
        console = stack.enter_context(ConsoleStage.serving(folder, more=more))
        (folder / "rtmp").mkdir()
        server = stack.enter_context(rtmp_server(*find_nginx(), folder / "rtmp"))
        began_s = time.monotonic()
        for number in range(N_STREAMS):
            stack.enter_context(server.publish(programme, f"s{number}"))
        config = folder / "run.toml"
        config.write_text(_configuration(folder, server))
        printed = folder / "run.log"
        stack.enter_context(running(streamguard("run", "--config", config), printed))
        log = BankingLog(console.log)
        log.wait_started(N_STREAMS, PATIENCE_S * 2)
        first = int((time.monotonic() - began_s) / SCENE_S) + 1
        yield _Stage(console, log, printed, began_s, first)


def _round(stage: _Stage, reviewer: Client, number: int, clip: Path) -> Took:
    """Confirm a case and bank it; give what that took."""
    code = f"BANKED-{number}"
    event = flag(f"case-{number}", "P0", code)
    stage.console.keep(event, footage(clip))
    stage.console.tell(event)
    given = reviewer.post("/api/v1/claim")["case"]
    reviewer.post(
        f"/api/v1/cases/{given['case_id']}/decision",
        token=given["token"],
        outcome="confirmed",
        reason_code="TVEC.ATTACK_LIVE",
        bank=BANK,
    )
    took = stage.log.took(given["case_id"], code, N_STREAMS, PATIENCE_S)
    said = " ".join(f"{one * 1000:.0f}" for one in took.flagged_s)
    whole = "" if took.banked_s is None else f", all in the bank after {took.banked_s * 1000:.0f}"
    print(f"{code}: flags after {said or 'none'} ms{whole}", file=sys.stderr)
    return took


def _workers(stage: _Stage) -> set[int]:
    """Ask which workers have streams."""
    with admin_of(stage.printed, stage.console.folder / "events.db") as admin:
        rows = admin.get("/streams").raise_for_status().json()["streams"]
    return {row["worker"] for row in rows}


def _wait_shown(began_s: float, number: int) -> None:
    """Wait until every stream has shown a scene."""
    left_s = began_s + (number + 1) * SCENE_S + BEHIND_S - time.monotonic()
    time.sleep(max(PAUSE_S, left_s))


def _configuration(folder: Path, server: RtmpServer) -> str:
    streams = (
        f'[[streams]]\nid = "s{number}"\nurl = "{server.url(f"s{number}")}"\n'
        for number in range(N_STREAMS)
    )
    return RUN.format(folder=folder, bank=BANK, n_workers=N_WORKERS) + "".join(streams)
