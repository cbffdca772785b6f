"""What publishers and their server feel of streamguard: off, on, and stopped by SIGSTOP.

    python -m loadtest harm [--publishers 8] [--seconds 20]

ffmpeg publishers, which drop frames when the server does not take them in time, send 1080p30 to
nginx with its RTMP module; a viewer of each stream counts the frames that arrive. streamguard pulls
every stream in two of three states; at the end, as proof that the test can fail, the server itself
is stopped for a while: then frames must be missing.

Rule: publishers and viewers go on through all states; only streamguard changes.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

from loadtest.live_run import build_bank
from loadtest.origin_content import encoded, file_hashes, source_clips
from loadtest.proc_stat import usage_of
from loadtest.programs import running, streamguard
from loadtest.rtmp import RtmpServer, find_nginx, rtmp_server
from loadtest.viewers import Viewers

MAX_MORE_MISSING = 0.001
"""The bar: share of frames missing with streamguard on, or stopped, beyond that with it off."""

SETTLE_S = 5.0
STOPPED_S = 6.0
"""How long the server is stopped as the proof: three times what a publisher keeps."""

Figures = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest harm", description=__doc__)
    parser.add_argument("--publishers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each state")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    name, clip = next(iter(source_clips().items()))
    video = encoded(name, clip, "1080p30", 2)
    states = _measured(video, options.publishers, options.seconds)
    per_pull = (states["on"]["server_cores"] - states["off"]["server_cores"]) / options.publishers
    least = states["off"]["missing_share"] + MAX_MORE_MISSING
    is_good = all(states[state]["missing_share"] <= least for state in ("on", "stopped"))
    report = {
        "publishers": options.publishers,
        "states": states,
        "server_cores_per_pull": round(per_pull, 5),
        "pass": is_good and states["server stopped"]["missing_share"] > least,
        "files": file_hashes({name: video}),
        "load": [round(load, 1) for load in os.getloadavg()],
    }
    print(json.dumps(report))
    return 0 if report["pass"] else 1


def _measured(video: Path, n_publishers: int, seconds: float) -> dict[str, Figures]:
    states: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        bank = build_bank(folder)
        server = stack.enter_context(rtmp_server(*find_nginx(), folder))
        names = [f"p{n}" for n in range(n_publishers)]
        for each in names:
            stack.enter_context(server.publish(video, each, drops=True))
            time.sleep(0.1)
        urls = [server.url(each) for each in names]
        viewers = stack.enter_context(Viewers(urls))
        viewers.wait()
        time.sleep(SETTLE_S)

        def over(state: str) -> AbstractContextManager[None]:
            return _counted(state, states, viewers, server)

        with over("off"):
            time.sleep(seconds)
        with _screening(folder, bank, urls) as run:
            time.sleep(SETTLE_S)
            with over("on"):
                time.sleep(seconds)
            run.send_signal(signal.SIGSTOP)
            with over("stopped"):
                time.sleep(seconds)
            run.send_signal(signal.SIGCONT)
        time.sleep(SETTLE_S)
        with over("server stopped"):
            os.kill(server.worker, signal.SIGSTOP)
            time.sleep(STOPPED_S)
            os.kill(server.worker, signal.SIGCONT)
            time.sleep(seconds)
    return states


@contextmanager
def _counted(
    state: str, states: dict[str, Figures], viewers: Viewers, server: RtmpServer
) -> Iterator[None]:
    """Count what arrives until the end of the `with`, and what the server takes."""
    viewers.begin()
    began_s, before = time.monotonic(), usage_of(server.worker)
    yield
    seconds, after = time.monotonic() - began_s, usage_of(server.worker)
    arrived = viewers.so_far()
    missing = arrived.n_missing / max(1, arrived.n_missing + arrived.n_frames)
    states[state] = {
        "frames": arrived.n_frames,
        "missing_share": round(missing, 5),
        "longest_pause_ms": round(arrived.longest_pause_s * 1000),
        "server_cores": round((after.cpu_s - before.cpu_s) / seconds, 4),
        "server_mb": round(after.rss_bytes / 2**20, 1),
    }
    print(
        f"{state:15} {arrived.n_frames} frames, {100 * missing:.2f} % missing,"
        f" longest pause {arrived.longest_pause_s * 1000:.0f} ms, load {os.getloadavg()[0]:.1f}",
        file=sys.stderr,
        flush=True,
    )


@contextmanager
def _screening(folder: Path, bank: Path, urls: Sequence[str]) -> Iterator[Popen[bytes]]:
    """Screen all publishers, evidence on, until the end of the `with`."""
    configuration = folder / "run.toml"
    streams = [f'[[streams]]\nid = "p{n}"\nurl = "{url}"' for n, url in enumerate(urls)]
    rest = f'[bank]\npaths = ["{bank}"]\n[log]\nfile = "{folder / "events.db"}"\n[http]\nport = 0\n'
    evidence = f'[evidence]\ndirectory = "{folder / "evidence"}"\n'
    configuration.write_text("\n".join([*streams, rest, evidence]))
    with running(streamguard("run", "--config", configuration), folder / "run.log") as run:
        yield run
