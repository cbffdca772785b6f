"""Serves N live streams of real footage in real time, from memory: MPEG-TS over chunked HTTP.

    python -m loadtest origin --streams 160 --profile 1080p30 --gop 2 --port 18080

Streams are /0000.ts, /0001.ts, ...; their phases are spread over the GOP. Frames leave in bursts of
100 ms, or one by one. A known clip comes up at random instants. FILE gets a line for each keyframe
that was sent: what, stream, PTS in ticks of 90 kHz, CLOCK_MONOTONIC of its last byte; and one for
each connection that comes ("connect"), gets its first frame ("join"), and is lost ("gone").

Rule: a process of its own, one thread for all sending, and little CPU: the figure is in its report.
"""

import argparse
import heapq
import json
import math
import os
import random
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TextIO

from loadtest.live import quantile
from loadtest.origin_content import (
    GOPS_S,
    KNOWN,
    PROFILES,
    RATE,
    encoded,
    file_hashes,
    known_clip,
    source_clips,
)
from loadtest.origin_door import Door, Visitor
from loadtest.origin_stream import Listener, LiveStream
from loadtest.ts_blocks import blocks_of

BURST_FRAMES = 3
"""100 ms."""

NAP_S = 0.002
"""Shortest sleep: what falls due within it is sent together."""

TOLD_EVERY_S = 1.0
OFF_PERCENT = 10
"""Of the streams that are not live under churn."""


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal, or for a time."""
    parser = argparse.ArgumentParser(prog="python -m loadtest origin", description=__doc__)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--profile", choices=PROFILES, default="1080p30")
    parser.add_argument("--gop", type=int, choices=GOPS_S, default=2, help="seconds")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--insert-every", type=float, default=0, help="mean, seconds; 0: none")
    parser.add_argument("--frame-by-frame", action="store_true", help="instead of 100 ms at once")
    parser.add_argument("--aligned", action="store_true", help="all keyframes at one instant")
    parser.add_argument("--churn", type=float, default=0, help="starts and ends a second")
    parser.add_argument("--report", type=Path, default=os.devnull, metavar="FILE")
    options = parser.parse_args(arguments)
    sources, known = _files(options.profile, options.gop)
    with options.report.open("w") as report:
        origin = Origin(options, [*sources.values()], known, report)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, origin.stop)
        with Door(options.port) as door:
            print(f"listening {door.port}", flush=True)
            origin.serve(door.visitors)
    hashes = file_hashes({**sources, KNOWN: known})
    print(json.dumps({**origin.account(), "files": hashes}))
    return 0


def _files(profile: str, gop_s: int) -> tuple[dict[str, Path], Path]:
    clips = source_clips().items()
    sources = {name: encoded(name, clip, profile, gop_s) for name, clip in clips}
    return sources, encoded(KNOWN, known_clip(), profile, gop_s)


class Origin:
    """The streams, and the clock that they go by."""

    def __init__(
        self,
        options: argparse.Namespace,
        sources: Sequence[Path],
        known: Path,
        report: TextIO,
    ) -> None:
        """Read all files into memory."""
        self._options = options
        self._report = report
        self._is_stopping = False
        self._told: list[str] = []
        self._off: deque[int] = deque()
        self._random = random.Random(options.streams)
        self._late_ms: list[float] = []
        self._n_clips = 0
        self._began_s, self._began_cpu_s = time.monotonic(), time.process_time()
        blocks = [blocks_of(file) for file in sources]
        known_blocks = blocks_of(known)
        self._streams = [
            LiveStream(
                f"{n:04}", blocks[n % len(blocks)], known_blocks, self._tell, options.insert_every
            )
            for n in range(options.streams)
        ]

    def serve(self, visitors: "SimpleQueue[Visitor]") -> None:
        """Send what is due, until the time is over or a signal comes."""
        self._began_s, self._began_cpu_s = time.monotonic(), time.process_time()
        n_frames = 1 if self._options.frame_by_frame else BURST_FRAMES
        due = list(self._phases())
        heapq.heapify(due)
        end_s, tell_s = self._began_s + self._options.seconds, self._began_s + TOLD_EVERY_S
        churn_s = 1 / self._options.churn if self._options.churn else math.inf
        change_s = self._began_s + churn_s
        while not self._is_stopping and (now_s := time.monotonic()) < end_s:
            while due[0][0] <= now_s:
                at_s, number = due[0]
                heapq.heapreplace(due, (at_s + n_frames / RATE, number))
                self._streams[number].send(n_frames)
                self._late_ms.append((now_s - at_s) * 1000)
            self._let_in(visitors)
            if now_s >= tell_s:
                tell_s += TOLD_EVERY_S
                self._write()
            if now_s >= change_s:
                change_s += churn_s
                self._change()
            time.sleep(max(NAP_S, due[0][0] - time.monotonic()))
        self._write()

    def stop(self, *_: object) -> None:
        """Let `serve` end; a signal's handler."""
        self._is_stopping = True

    def _phases(self) -> Iterator[tuple[float, int]]:
        """Spread the beginnings of the streams over a GOP."""
        n = len(self._streams)
        gop_s = 0.0 if self._options.aligned else float(self._options.gop)
        begin_s = time.monotonic()
        yield from ((begin_s + gop_s * number / n, number) for number in range(n))

    def _let_in(self, visitors: "SimpleQueue[Visitor]") -> None:
        while True:
            try:
                visitor = visitors.get_nowait()
            except Empty:
                return
            stream = next(islice(self._streams, visitor.number, None), None)
            if stream is None or visitor.number in self._off:
                visitor.refuse()
            else:
                stream.join(Listener(visitor.welcome()), visitor.came_s)

    def _change(self) -> None:
        """End a stream or, once enough are off, let the one begin again that ended first."""
        if len(self._off) >= max(1, len(self._streams) * OFF_PERCENT // 100):
            self._off.popleft()
            return
        live = [n for n in range(len(self._streams)) if n not in self._off]
        number = self._random.choice(live)
        self._off.append(number)
        self._streams[number].end()

    def _tell(self, kind: str, stream: str, pts_ticks: int, sent_s: float) -> None:
        self._n_clips += kind == "clip"
        self._told.append(f"{kind} {stream} {pts_ticks} {sent_s:.6f}\n")

    def _write(self) -> None:
        self._report.writelines(self._told)
        self._report.flush()
        self._told.clear()

    def account(self) -> dict[str, object]:
        """Say what serving took."""
        seconds = time.monotonic() - self._began_s
        cpu_s = time.process_time() - self._began_cpu_s
        return {
            "streams": len(self._streams),
            "seconds": round(seconds, 1),
            "cores": round(cpu_s / seconds, 3),
            "late_ms_p99": round(quantile(self._late_ms, 0.99), 1),
            "clips": self._n_clips,
            "let_go": sum(stream.n_let_go for stream in self._streams),
        }
