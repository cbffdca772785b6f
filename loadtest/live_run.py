"""One run under load: the origin, the real `streamguard run`, and who reads its log.

Rule: everything is a process of its own and is gone at the end; nothing is taken from what
streamguard says of its speed: sending is told by the origin, commit by a reader of the log.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from loadtest.live_log import LogFollower
from loadtest.origin_content import known_clip
from loadtest.proc_stat import Usage, descendants, total, usage_of
from loadtest.programs import ProgramUnavailable, output_of, running, streamguard
from loadtest.rtmp import free_port

CONNECT_S = 60.0
"""How long streams may take to connect; those that have not by then are not covered."""


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
    port: int
    """Of the origin."""
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
            wait_listening(origin, folder / "origin.log")
            run = streamguard("run", "--config", configuration)
            with running(run, folder / "run.log") as screening:
                yield Live(folder, port, origin, screening, log)
        log.close()


def _origin(n_streams: int, load: Load, folder: Path, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "loadtest", "origin", "--streams", str(n_streams)),
        *("--profile", load.profile, "--gop", str(load.gop_s), "--port", str(port)),
        *("--insert-every", str(load.insert_every_s), "--report", str(folder / "sent.txt")),
        *load.origin_options,
    ]


def wait_listening(origin: Popen[bytes], log: Path) -> None:
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
