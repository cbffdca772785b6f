"""From a flag to its clip playing in a browser, while the segment is open: live over RTMP.

Rule: everything is a process of its own (nginx-rtmp, ffmpeg publishers, `streamguard run`,
Chromium); the time begins with the flag's own record, and ends with the first frame shown. The
reader's poll of the log and the browser's request are part of the figure.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.browser import Browser, Played, browser
from loadtest.live import Screening, quantiles, screening
from loadtest.programs import ProgramUnavailable
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.admin.clips import ACTOR
from streamguard.core.errors import StreamguardError
from streamguard.core.event_data import utc_seconds

MAX_START_S = 1.5
"""The bar: from the flag to the first frame, seconds."""

JUDGED_FROM_FLAGS = 20
PLAYED_S = 1.0
"""Media time that is to be shown of each clip: a first frame alone is no playing."""

PATIENCE_S = 10.0
POLL_S = 0.005
NO_FLAG_S = 60.0
"""No new flag for so long: something is broken."""

RETRY_S = 0.02
"""Pause between two questions whether the clip has begun."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A flag that opened.

    at_s: when its event was made, seconds since 1970 UTC.
    """

    flag_id: str
    at_s: float


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where there are enough flags to judge by and the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest clip_start", description=__doc__)
    parser.add_argument("--flags", type=int, default=JUDGED_FROM_FLAGS, help="clips to play")
    parser.add_argument("--publishers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as name,
        screening(Path(name), options.publishers) as run,
    ):
        taken = list(_played(run, options.flags))
    starts_ms = [start_ms for start_ms, _ in taken if start_ms is not None]
    n_failed, n_closed = len(taken) - len(starts_ms), sum(closed for _, closed in taken)
    judged = len(taken) >= JUDGED_FROM_FLAGS
    is_good = not n_failed and max(starts_ms) <= MAX_START_S * 1000
    figures = {
        "flags": len(taken),
        "publishers": options.publishers,
        "pass": is_good if judged else None,
        "not_played": n_failed,
        "segments_closed_meanwhile": n_closed,
        "flag_to_first_frame_ms": quantiles(starts_ms) if starts_ms else None,
        "share_within_1500_ms": sum(each <= MAX_START_S * 1000 for each in starts_ms) / len(taken),
        "load": [round(load, 2) for load in os.getloadavg()],
    }
    print(json.dumps(figures))
    return 1 if judged and not is_good else 0


def _played(run: Screening, n_flags: int) -> Iterator[tuple[float | None, bool]]:
    """Play the clips of flags as they open; give how long each took, and whether it was over."""
    token_file = run.log.with_name(f"{run.log.name}.token")
    flags = Flags(run)
    flags.wait_open()
    home = f"http://127.0.0.1:{_admin_port(run)}/"
    headers = {"Authorization": f"Bearer {token_file.read_text()}", ACTOR: "load test"}
    with browser(headers, home) as page:
        for _ in range(n_flags):
            flag = flags.next()
            url = f"{home}v1/evidence/{flag.flag_id}/clip"
            played = _started(page, url, flag)
            was_over = flags.is_closed(flag.flag_id)
            start_ms = None
            if played.started_s is not None and not played.error:
                start_ms = (played.started_s - flag.at_s) * 1000
            load = os.getloadavg()[0]
            said = f"{start_ms:.0f} ms" if start_ms is not None else f"failed: {played.error}"
            print(f"clip {flag.flag_id[:8]}: {said}, load {load:.1f}", file=sys.stderr)
            yield start_ms, was_over


def _admin_port(run: Screening) -> int:
    """Read in what `run` says where its admin API listens."""
    until_s = time.monotonic() + NO_FLAG_S
    while time.monotonic() < until_s:
        for line in run.printed.read_text().splitlines():
            if '"admin_started"' in line:
                return int(json.loads(line)["port"])
        time.sleep(POLL_S)
    raise ProgramUnavailable("the admin API did not start")


def _started(page: Browser, url: str, flag: Opened) -> Played:
    """Play a clip, and try again while it has not begun."""
    while True:
        played = page.play(url, PLAYED_S, PATIENCE_S)
        if not played.error or time.time() - flag.at_s > PATIENCE_S:
            return played
        time.sleep(RETRY_S)


class Flags:
    """The flags of a log that is being written."""

    def __init__(self, run: Screening) -> None:
        self._run = run
        self._offset = 1
        self._closed: set[str] = set()
        self._reader: SqliteLog | None = None

    def wait_open(self) -> None:
        """Wait until there is a log, with its token beside it."""
        until_s = time.monotonic() + NO_FLAG_S
        while self._reader is None:
            try:
                self._reader = SqliteLog.open_reader(self._run.log)
            except StreamguardError:
                self._wait(until_s)

    def next(self) -> Opened:
        """Give the next flag that opens from now on."""
        self._read()
        until_s = time.monotonic() + NO_FLAG_S
        while not (opened := self._read()):
            self._wait(until_s)
        return opened[-1]

    def is_closed(self, flag_id: str) -> bool:
        """Say whether a flag has closed."""
        self._read()
        return flag_id in self._closed

    def _read(self) -> list[Opened]:
        assert self._reader is not None  # noqa: S101  # it was waited for
        opened = []
        for record in self._reader.read(self._offset):
            self._offset = record.offset + 1
            event: dict[str, Any] = json.loads(record.body)
            if record.type.endswith(".flag.opened.v1"):
                at_s = utc_seconds(event["recordedtime"])
                opened.append(Opened(event["data"]["flag_id"], at_s))
            elif record.type.endswith(".flag.closed.v1"):
                self._closed.add(event["data"]["flag_id"])
        return opened

    def _wait(self, until_s: float) -> None:
        if time.monotonic() > until_s:
            problem = self._run.printed.read_text().strip()[-300:]
            raise ProgramUnavailable(f"no flag came for {NO_FLAG_S:.0f} s: {problem}")
        time.sleep(POLL_S)
