"""Looks at the machine: clock, port, open files and cores.

Rule: it only reads; no probe takes longer than a few seconds.
"""

import os
import resource
import shutil
import socket
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

from streamguard.core.check import CONFIGURATION, Check, fail, ok, warn

NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that says less has never been set."""

DRIFT_OVER_S, MOST_DRIFT_S = 0.2, 0.02
"""How long wall clock and monotonic clock are compared, and how far they may part, seconds."""

FILES_ANYWAY, FILES_A_STREAM = 128, 8
"""Open files: of the process itself, and of a stream with its evidence."""

STREAMS_A_CORE = 80
"""Live 1080p30 streams by keyframes alone. Source: the load test's bound of 160 on two cores."""

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def port(host: str, number: int) -> Check:
    """Say whether metrics and health can be served, or are being served already."""
    where = f"{host}:{number}"
    try:
        socket.create_server((host, number)).close()
    except OSError as error:
        if _is_ours(host, number):
            return ok("port", f"{where} is served by a streamguard that runs")
        return fail(
            "port",
            f"{where} cannot be had ({error.strerror})",
            "set another [http] host or port, or end what listens there",
            CONFIGURATION,
        )
    return ok("port", f"{where} is free" if number else f"{host}, any free one")


def _is_ours(host: str, number: int) -> bool:
    """Ask whoever listens for metrics of streamguard's."""
    reachable = "127.0.0.1" if host in {"", "0.0.0.0"} else host  # noqa: S104  # compared, not bound
    url = f"http://{reachable}:{number}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # http, just above
            return b"streamguard_" in answer.read(1 << 20)
    except (OSError, HTTPException, ValueError):
        return False


def clock() -> Check:
    """Compare the clocks, and ask whether somebody keeps the wall clock right."""
    wall_s, steady_s = time.time(), time.monotonic()
    time.sleep(DRIFT_OVER_S)
    drift_s = (time.time() - wall_s) - (time.monotonic() - steady_s)
    return judged_clock(datetime.now(UTC), drift_s, is_synchronised=_is_synchronised())


def judged_clock(now: datetime, drift_s: float, *, is_synchronised: bool | None) -> Check:
    """Say whether the clock will do; `is_synchronised` is None where nobody can say."""
    word = {True: "synchronised", False: "not synchronised", None: "whether synchronised: unknown"}
    what = f"{now:%Y-%m-%dT%H:%M:%SZ}, {word[is_synchronised]}, drift {drift_s * 1000:+.1f} ms"
    remedy = "let chrony or systemd-timesyncd keep the clock: events carry its time"
    if now < NOT_BEFORE:
        return fail("clock", what, remedy)
    if abs(drift_s) > MOST_DRIFT_S or is_synchronised is False:
        return warn("clock", what, remedy)
    return ok("clock", what)


def _is_synchronised() -> bool | None:
    program = shutil.which("timedatectl")
    if program is None:
        return None
    command = [program, "show", "--property=NTPSynchronized", "--value"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)  # noqa: S603  # a fixed command
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())


def open_files(n_streams: int) -> Check:
    """Hold the limit of open files against the streams."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return judged_files(None if limit == resource.RLIM_INFINITY else limit, n_streams)


def judged_files(limit: int | None, n_streams: int) -> Check:
    """Say whether so many open files will do; None is no limit."""
    needed = FILES_ANYWAY + FILES_A_STREAM * n_streams
    what = f"limit {limit or 'none'}, {needed} needed for {n_streams} streams"
    if limit is not None and limit < needed:
        return fail("open files", what, f"raise it: `ulimit -n {needed}`, or LimitNOFILE={needed}")
    return ok("open files", what)


def cores(decode_threads: int, n_streams: int) -> Check:
    """Hold decode threads and streams against the cores.

    decode_threads: as configured; 0 is one for each core that may be used.
    """
    n_seen = len(os.sched_getaffinity(0))
    quota = CGROUP_QUOTA.read_text() if CGROUP_QUOTA.exists() else ""
    return judged_cores(min(float(n_seen), granted(quota)), decode_threads or n_seen, n_streams)


def granted(quota: str) -> float:
    """Give the cores that a cgroup's cpu.max grants: "MICROSECONDS PERIOD", or "max PERIOD"."""
    share, _, period = quota.strip().partition(" ")
    return int(share) / int(period) if share.isdigit() else float("inf")


def judged_cores(n_cores: float, n_threads: int, n_streams: int) -> Check:
    """Say whether so many cores will do."""
    what = f"{n_cores:g} cores, {n_threads} decode threads, {n_streams} streams"
    if n_threads > max(1.0, n_cores):
        fit = max(1, int(n_cores))
        return warn("cores", what, f"set [worker] decode_threads = {fit}: more only wait")
    if n_streams > STREAMS_A_CORE * n_cores:
        return warn("cores", what, f"spread the streams: a core screens about {STREAMS_A_CORE}")
    return ok("cores", what)
