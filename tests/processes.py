"""Streamguard as people and scripts meet it: real processes, and a live stream for them to read.

Rule: nothing outlives its `with`, and nothing is waited for without a deadline.
"""

import io
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError

import av

from streamguard.adapters.bank_file import add_entries
from streamguard.adapters.system_clock import SystemClock
from streamguard.bank_build import EntryPlan, make_entry
from tests.servers import Answer, Connection

POLICY = "TVEC-ATTACK-FOOTAGE"
ROOT = Path(__file__).parent.parent
DEADLINE_S = 60.0
"""Nothing here takes so long unless it hangs."""

Row = dict[str, Any]
"""One line of JSON: an event, a hash, a log line."""


def environment(**variables: str) -> dict[str, str]:
    """Give this process's environment without settings of streamguard, and with `variables`.

    The admin API takes any free port: several may run beside each other.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.upper().startswith("STREAMGUARD_")}
    ours = {"PYTHONPATH": str(ROOT), "STREAMGUARD_ADMIN__PORT": "0"}
    return {**inherited, **ours, **variables}


def command(*arguments: str | Path) -> list[str]:
    """Give the command line that runs streamguard in this Python."""
    return [sys.executable, "-m", "streamguard", *map(str, arguments)]


class Finished:
    """What a process left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def rows(self) -> list[Row]:
        """Read standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def types(self) -> list[str]:
        """Give the types of the events on standard output, without prefix and version."""
        return [short_type(event) for event in self.rows]

    @property
    def problem(self) -> str:
        """Give the one line on standard error with which the command line ends."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("streamguard")
        return lines[0]


def short_type(event: Row) -> str:
    """Give `flag.opened` for `org.streamguard.flag.opened.v1`."""
    return str(event["type"]).removeprefix("org.streamguard.").removesuffix(".v1")


def streamguard(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    wrapper: Sequence[str] = (),
) -> Finished:
    """Run one command to its end; `wrapper` is a command that runs it."""
    done = subprocess.run(
        [*wrapper, *command(*arguments)],
        cwd=cwd,
        env=env or environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


class Running:
    """A command that goes on until it is told to end; a context manager."""

    def __init__(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            command(*arguments),
            cwd=cwd,
            env=env or environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out: list[Row] = []
        self.log: list[Row] = []
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.out)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.log)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, lines: Iterator[str], rows: list[Row]) -> None:
        for line in lines:
            rows.append(json.loads(line) if line.startswith("{") else {"text": line.rstrip()})
            self._news.put(None)

    def wait_for(self, rows: list[Row], **fields: object) -> Row:
        """Wait for a row of `out` or `log` with these fields."""
        seen = 0
        while True:
            for row in rows[seen:]:
                seen += 1
                if fields.items() <= row.items():
                    return row
            self._news.get(timeout=DEADLINE_S)

    def wait_for_type(self, name: str) -> Row:
        """Wait for an event on standard output, as `flag.opened`."""
        return self.wait_for(self.out, type=f"org.streamguard.{name}.v1")

    def get(self, path: str) -> tuple[int, str]:
        """Ask the status server of a `run`; give status and body."""
        port = self.wait_for(self.log, event="run_started")["port"]
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}{path}", timeout=DEADLINE_S
            ) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; give the exit code once all output has been read."""
        self.process.send_signal(number)
        return self.join()

    def join(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait for the end; give the exit code once all output has been read."""
        code = self.process.wait(deadline_s)
        for reader in self._readers:
            reader.join(DEADLINE_S)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()


def metric(service: Running, name: str) -> float:
    """Ask a `run` for one of its metrics, added up over the labels."""
    text = service.get("/metrics")[1]
    rows = re.findall(rf"^streamguard_{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return sum(float(value) for value in rows)


def until(claim: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Wait for what nobody announces."""
    for _ in range(int(deadline_s / 0.05)):
        if claim():
            return
        threading.Event().wait(0.05)
    raise TimeoutError


def transport_stream(clip: Path, n_rounds: int = 1) -> list[tuple[float, bytes]]:
    """Put a clip, so many times in a row, into MPEG-TS; give (seconds when due, bytes)."""
    sink = io.BytesIO()
    chunks: list[tuple[float, bytes]] = []
    with av.open(sink, "w", format="mpegts", options={"flush_packets": "1"}) as muxer:
        out = None
        shift = 0
        for _ in range(n_rounds):
            with av.open(str(clip)) as container:
                stream = container.streams.video[0]
                out = out or muxer.add_stream_from_template(stream)
                for packet in container.demux(stream):
                    if packet.dts is None:
                        continue
                    packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
                    due_s = float(packet.dts * packet.time_base)
                    packet.stream = out
                    muxer.mux(packet)
                    chunks.append((due_s, sink.getvalue()))
                    sink.seek(0)
                    sink.truncate()
                shift += stream.duration
    return [*chunks, (due_s, sink.getvalue())]


def on_time(
    chunks: Sequence[tuple[float, bytes]], burst_s: float = 0, *, then_ends: bool = False
) -> Answer:
    """Send each chunk when it is due, the first `burst_s` seconds at once; then close, or wait."""

    def answer(connection: Connection) -> None:
        connection.head()
        began_s = time.monotonic() - burst_s
        for due_s, payload in chunks:
            if connection.wait(max(0.0, began_s + due_s - time.monotonic())):
                return
            connection.send(payload)
        if not then_ends:
            connection.wait()

    return answer


def build_bank(directory: Path, clip: Path) -> Path:
    """Make a bank of one clip; give its directory."""
    entry = make_entry(str(clip), EntryPlan(clip.name, POLICY), SystemClock(), lambda *_: None)
    add_entries(directory, [entry])
    return directory
