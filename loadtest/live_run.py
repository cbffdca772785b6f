"""One run under load: the origin, the real `streamguard run`, and who reads its log.

Rule: everything is a process of its own and is gone at the end; nothing is taken from what
streamguard says of its speed: sending is told by the origin, commit by a reader of the log.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

from loadtest.live import quantile
from loadtest.live_figures import coverage, latencies_ms, sent_within
from loadtest.live_log import LogFollower
from loadtest.origin_content import known_clip
from loadtest.proc_stat import Usage, descendants, total, usage_of
from loadtest.programs import ProgramUnavailable, output_of, running, stop, streamguard
from loadtest.rtmp import free_port

GRACE_S = 3.0
"""How long after the last GOP of the window flags are waited for, and keyframes judged."""

CONNECT_S = 60.0
"""How long streams may take to connect; those that have not by then are not covered."""

SETTLE_S = 8.0
"""From all being connected to the beginning of the window: four of the usual GOPs."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be screened, and how.

    insert_every_s: mean distance of two known clips on one stream; 0 for none.
    keeps_evidence: clips and stills of flags, for which each stream's last 15 s stay in memory.
    more: further lines of the configuration, beginning with the table they are in.
    """

    profile: str = "1080p30"
    gop_s: int = 2
    sampling: str = "keyframes"
    insert_every_s: float = 25.0
    origin_options: tuple[str, ...] = ()
    model_pack: Path | None = None
    keeps_evidence: bool = False
    more: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What the processes of a run hold at one instant."""

    at_s: float
    supervisor: Usage
    workers: Usage
    origin: Usage
    harness: Usage


@dataclass(slots=True)
class Live:
    """A run that is going on."""

    folder: Path
    origin: Popen[bytes]
    screening: Popen[bytes]
    log: LogFollower
    taken: list[Taken] = field(default_factory=list)

    def take(self) -> Taken:
        """Note what the processes hold now."""
        now = Taken(
            time.monotonic(),
            usage_of(self.screening.pid),
            total(descendants(self.screening.pid)),
            usage_of(self.origin.pid),
            usage_of(os.getpid()),
        )
        self.taken.append(now)
        return now

    def follow(self, seconds: float) -> None:
        """Read the log as it grows, for so long.

        Raises:
            ProgramUnavailable: a process ended early.
        """
        until_s = time.monotonic() + seconds
        while (now_s := time.monotonic()) < until_s:
            for process, name in ((self.origin, "origin"), (self.screening, "run")):
                if process.poll() is not None:
                    problem = (self.folder / f"{name}.log").read_text().strip()[-300:]
                    raise ProgramUnavailable(f"{name} ended early: {problem}")
            self.log.follow(min(until_s, now_s + 1.0))

    def wait_connected(self, n_streams: int) -> None:
        """Wait until every stream has begun, or long enough."""
        until_s = time.monotonic() + CONNECT_S
        while len(self.log.started) < n_streams and time.monotonic() < until_s:
            self.follow(0.5)


def build_bank(folder: Path) -> Path:
    """Make a bank of the clip that the origin inserts."""
    bank = folder / "bank"
    output_of(streamguard("bank", "build", bank, known_clip(), "--policy", "LOAD-TEST"))
    return bank


@contextmanager
def live(n_streams: int, load: Load, bank: Path) -> Iterator[Live]:
    """Serve and screen so many streams until the end of the `with`."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        configuration = folder / "run.toml"
        configuration.write_text(_configuration(n_streams, load, bank, folder, port))
        log = LogFollower(folder / "events.db")
        with running(_origin(n_streams, load, folder, port), folder / "origin.log") as origin:
            _wait_listening(origin, folder / "origin.log")
            run = streamguard("run", "--config", configuration)
            with running(run, folder / "run.log") as screening:
                yield Live(folder, origin, screening, log)
        log.close()


def measure(n_streams: int, load: Load, seconds: float, bank: Path) -> dict[str, Any]:
    """Run so many streams for a window of so many seconds; give the figures of the window."""
    with live(n_streams, load, bank) as run:
        run.wait_connected(n_streams)
        n_connected = len(run.log.started)
        run.follow(SETTLE_S)
        before = run.take()
        run.follow(seconds)
        after = run.take()
        run.follow(load.gop_s + GRACE_S)
        for process in (run.screening, run.origin):
            stop(process)
        while run.log.read():  # the last gaps and accounts
            pass
        folder = run.folder
        sent = sent_within(folder / "sent.txt", (before.at_s, after.at_s))
        origin = json.loads((folder / "origin.log").read_text().splitlines()[-1])
        said = (folder / "run.log").read_text()
    detectors = ["hash", "classifier"] if load.model_pack else ["hash"]
    covered, lost = min(
        (coverage(sent, run.log, load.gop_s, of) for of in detectors), key=lambda pair: pair[0]
    )
    late_ms = latencies_ms(sent, run.log.flags)
    files = origin.pop("files")
    figures = {
        "streams": n_streams,
        "connected": n_connected,
        "coverage": round(covered, 5),
        "lost_s": {reason: round(s, 1) for reason, s in lost.items()},
        "flags": len(late_ms),
        "missed": sum(map(_is_missed, late_ms)),
        **_quantiles(late_ms),
        **_taken(before, after, n_streams),
        "errors": said.count('"level":"error"') + said.count('"level": "error"'),
        "origin": origin,
        "load": [round(load, 1) for load in os.getloadavg()],
        "files": files,
    }
    print(_line(figures), file=sys.stderr, flush=True)
    return figures


def _is_missed(late_ms: float) -> bool:
    return late_ms == float("inf")


def _quantiles(late_ms: list[float]) -> dict[str, float | None]:
    """Give the usual ones; None where no flag came, or none was due."""
    marks = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    if not late_ms:
        return dict.fromkeys(marks)
    values = {name: quantile(late_ms, share) for name, share in marks.items()}
    return {name: None if _is_missed(ms) else round(ms, 1) for name, ms in values.items()}


def _taken(before: Taken, after: Taken, n_streams: int) -> dict[str, Any]:
    seconds = after.at_s - before.at_s
    cores = {
        part: round((getattr(after, part).cpu_s - getattr(before, part).cpu_s) / seconds, 3)
        for part in ("supervisor", "workers", "origin", "harness")
    }
    screening = cores["supervisor"] + cores["workers"]
    held = after.supervisor + after.workers
    return {
        "cores": cores,
        "cpu_s_per_stream_s": round(screening / n_streams, 5),
        "rss_mb": round(held.rss_bytes / 2**20, 1),
        "rss_mb_per_stream": round(held.rss_bytes / 2**20 / n_streams, 2),
        "threads": held.n_threads,
        "descriptors": held.n_descriptors,
    }


def _line(figures: dict[str, Any]) -> str:
    cores, load = figures["cores"], figures["load"][0]
    return (
        f"{figures['streams']:4} streams: coverage {100 * figures['coverage']:.2f} %, "
        f"p95 {figures['p95_ms']} p99 {figures['p99_ms']} ms of {figures['flags']} clips, "
        f"{cores['supervisor']:.2f} + {cores['workers']:.2f} cores, "
        f"origin {cores['origin']:.2f}, {figures['rss_mb']:.0f} MB, load {load}"
    )


def _origin(n_streams: int, load: Load, folder: Path, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "loadtest", "origin", "--streams", str(n_streams)),
        *("--profile", load.profile, "--gop", str(load.gop_s), "--port", str(port)),
        *("--insert-every", str(load.insert_every_s), "--report", str(folder / "sent.txt")),
        *load.origin_options,
    ]


def _wait_listening(origin: Popen[bytes], log: Path) -> None:
    """Wait until the origin has read its files; where some are missing, it encodes them first."""
    while "listening" not in (said := log.read_text()):
        if origin.poll() is not None:
            raise ProgramUnavailable(f"the origin did not come up: {said.strip()[-300:]}")
        time.sleep(0.1)


def _configuration(n_streams: int, load: Load, bank: Path, folder: Path, port: int) -> str:
    """Write static streams, and no end to how often an entry may match."""
    streams = [
        f'[[streams]]\nid = "{n:04}"\nurl = "http://127.0.0.1:{port}/{n:04}.ts"\n'
        f'sampling = "{load.sampling}"'
        for n in range(n_streams)
    ]
    evidence = f'[evidence]\ndirectory = "{folder / "evidence"}"' if load.keeps_evidence else ""
    model = f'[model]\npack = "{load.model_pack}"' if load.model_pack else ""
    return "\n".join(
        [
            '[deployment]\nname = "load-test"',
            *streams,
            f'[bank]\npaths = ["{bank}"]\n[hygiene]\nhub_max_share = 1.0',
            f'[log]\nfile = "{folder / "events.db"}"\n[http]\nport = 0',
            model,
            evidence,
            load.more,
        ]
    )
