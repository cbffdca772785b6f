"""Looks at the machine: clock, ports, open files, cores and memory.

Rule: it only reads; no probe takes longer than a few seconds.
"""

import resource
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from ipaddress import ip_address
from pathlib import Path
from urllib.error import HTTPError

from streamguard.adapters.cores import cores_granted
from streamguard.core.check import CONFIGURATION, Check, fail, ok, warn

NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that says less has never been set."""

DRIFT_OVER_S, MOST_DRIFT_S = 0.2, 0.02
"""How long wall clock and monotonic clock are compared, and how far they may part, seconds."""

FILES_ANYWAY, FILES_A_STREAM = 128, 8
"""Open files: of the process itself, and of a stream with its evidence."""

MEMORY, CGROUP_MEMORY = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")

STREAMS_A_CORE = 80
"""Live 1080p30 streams by keyframes alone. Source: the load test's bound of 160 on two cores."""


@dataclass(frozen=True, slots=True)
class Served:
    """What is served on a port.

    name:    of the check.
    section: of the configuration that says where.
    path, sign: what a streamguard that runs says there.
    """

    name: str
    section: str
    path: str
    sign: bytes


METRICS = Served("port", "http", "/metrics", b"streamguard_")
ADMIN = Served("admin", "admin", "/v1/streams", b"give the token")


def port(host: str, number: int, served: Served = METRICS) -> Check:
    """Say whether something can be served, or is being served already."""
    where = f"{host}:{number}"
    try:
        socket.create_server((host, number)).close()
    except OSError as error:
        if _is_ours(host, number, served):
            return ok(served.name, f"{where} is served by a streamguard that runs")
        return fail(
            served.name,
            f"{where} cannot be had ({error.strerror})",
            f"set another [{served.section}] host or port, or end what listens there",
            CONFIGURATION,
        )
    return ok(served.name, f"{where} is free" if number else f"{host}, any free one")


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach what listens on an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_ours(host: str, number: int, served: Served) -> bool:
    """Ask whoever listens for what streamguard says there."""
    reachable = "127.0.0.1" if host in {"", "0.0.0.0"} else host  # noqa: S104  # compared, not bound
    url = f"http://{reachable}:{number}{served.path}"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # http, just above
            return served.sign in answer.read(1 << 20)
    except HTTPError as refusal:
        with refusal:
            return served.sign in refusal.read(1 << 10)
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


def open_files(n_streams: int, most: int) -> Check:
    """Hold the limit of open files against the streams of one worker.

    most: beyond which a worker opens none, whatever the machine allows.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return judged_files(most if hard == resource.RLIM_INFINITY else min(hard, most), n_streams)


def judged_files(limit: int, n_streams: int) -> Check:
    """Say whether a worker may open enough files for so many streams."""
    needed = FILES_ANYWAY + FILES_A_STREAM * n_streams
    what = f"{limit} a worker, {needed} needed for its {n_streams} streams"
    if limit < needed:
        remedy = f"raise the limit to {needed} (`ulimit -Hn`, LimitNOFILE=), or spread the streams"
        return fail("open files", what, remedy)
    return ok("open files", what)


def cores(n_workers: int, threads_each: int, n_streams: int) -> Check:
    """Hold workers, their decode threads and streams against the cores."""
    return judged_cores(cores_granted(), n_workers, threads_each, n_streams)


def judged_cores(n_cores: float, n_workers: int, threads_each: int, n_streams: int) -> Check:
    """Say whether so many cores will do."""
    threads = f"{n_workers * threads_each} decode threads in {n_workers} workers"
    what = f"{n_cores:g} cores, {threads}, {n_streams} streams"
    if n_workers * threads_each > max(1.0, n_cores):
        fit = max(1, int(n_cores))
        remedy = f"set [worker] count and decode_threads for {fit} in all: more only wait"
        return warn("cores", what, remedy)
    if n_streams > STREAMS_A_CORE * n_cores:
        return warn("cores", what, f"spread the streams: a core screens about {STREAMS_A_CORE}")
    return ok("cores", what)


def memory(n_workers: int, max_rss_mb: int) -> Check:
    """Hold what workers may take against the memory."""
    limit = CGROUP_MEMORY.read_text() if CGROUP_MEMORY.exists() else ""
    return judged_memory(memory_mb(MEMORY.read_text(), limit), n_workers, max_rss_mb)


def memory_mb(meminfo: str, limit: str) -> int:
    """Give the memory that there is, MiB: of the machine, or as a cgroup's memory.max grants."""
    of_machine = int(meminfo.partition("MemTotal:")[2].split()[0]) >> 10
    granted = limit.strip()
    return min(of_machine, int(granted) >> 20) if granted.isdigit() else of_machine


def judged_memory(there_mb: int, n_workers: int, max_rss_mb: int) -> Check:
    """Say whether a worker that grows is ended by us, and not by the kernel, with whom it likes."""
    what = f"{there_mb} MiB, {n_workers} workers of {max_rss_mb} MiB at most"
    if n_workers * max_rss_mb > there_mb:
        fit = there_mb * 3 // 4 // n_workers
        remedy = f"set [worker] max_rss_mb = {fit}, or the kernel ends whom it likes"
        return warn("memory", what, remedy)
    return ok("memory", what)
