"""The stage on which processes are killed: the origin, nginx with publishers, `streamguard run`.

Rule: all are real processes. What is killed gets SIGKILL, and is started again with the same
configuration, ports and event log; publishers come back by themselves.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Self

from loadtest.crash_plan import Plan, configuration, publisher
from loadtest.crash_truth import Kill
from loadtest.live_run import wait_listening
from loadtest.origin_content import KNOWN, encoded, known_clip
from loadtest.proc_stat import descendants
from loadtest.programs import ProgramUnavailable, output_of, running, streamguard
from loadtest.rtmp import HOST, RtmpServer, find_nginx, free_ports, rtmp_server
from loadtest.stat_watch import StatWatch

CLIP_EVERY_S = 20.0
"""Mean distance of two known clips on a stream of the origin; of half of that each is a flag of its
own, for a segment closes 5 s after its last match at most."""

PUBLISH_S = 60.0
"""How long publishers may take: ffmpeg looks at 10 s of a stream before it passes it on."""

GONE_S = 10.0
"""How long workers may outlive their supervisor before they count as left over."""


class Ingest:
    """nginx, which can be killed and comes back where it was; a context manager."""

    def __init__(self, folder: Path, ports: tuple[int, int]) -> None:
        self._folder = folder
        self._ports = ports
        self._stack = ExitStack()
        self.server: RtmpServer

    def __enter__(self) -> Self:
        server = rtmp_server(*find_nginx(), self._folder, ports=self._ports)
        self.server = self._stack.enter_context(server)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def kill(self) -> None:
        """Kill it whole; who serves is known for certain only now."""
        for pid in (self.server.master, *descendants(self.server.master)):
            os.kill(pid, signal.SIGKILL)
        self._stack.close()


@dataclass(slots=True)
class Stage:
    """What is running."""

    plan: Plan
    folder: Path
    config: Path
    ingest: Ingest
    watch: StatWatch
    chance: random.Random
    kills: list[Kill] = field(default_factory=list)
    n_left_over: int = 0
    """Worker processes that outlived their supervisor."""
    _runs: ExitStack = field(default_factory=ExitStack)
    _n_runs: int = 0
    _process: Popen[bytes] = field(init=False)

    @property
    def log(self) -> Path:
        """Where the event log is."""
        return self.folder / "events.db"

    def start(self) -> None:
        """Start `streamguard run`."""
        self._n_runs += 1
        command = streamguard("run", "--config", self.config)
        self._process = self._runs.enter_context(running(command, self._printed()))

    def stop(self) -> None:
        """Let it end in order."""
        self._runs.close()

    def wait_published(self) -> None:
        """Wait until nginx has all publishers.

        Raises:
            ProgramUnavailable: one does not come.
        """
        until_s = time.monotonic() + PUBLISH_S
        while len(self._published()) < self.plan.n_rtmp:
            if time.monotonic() > until_s:
                raise ProgramUnavailable(f"of {self.plan.n_rtmp} publishers some did not come up")
            time.sleep(0.1)

    def kill_worker(self) -> None:
        """Kill one of the workers that hold streams."""
        pid = self.chance.choice(self._active())
        at_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        self.kills.append(Kill("worker", at_s, at_s))

    def kill_server(self, down_s: float) -> None:
        """Kill nginx; start it again after so many seconds."""
        at_s = time.monotonic()
        self.ingest.kill()
        time.sleep(down_s)
        self.ingest.__enter__()
        self.kills.append(Kill("server", at_s, time.monotonic()))

    def kill_supervisor(self, down_s: float) -> None:
        """Kill the supervisor; start it again after so many seconds."""
        process = self._process
        workers = descendants(process.pid)
        at_s = time.monotonic()
        process.kill()
        time.sleep(down_s)
        self.n_left_over += _n_alive(workers, at_s + GONE_S)
        self.stop()
        self.start()
        self.kills.append(Kill("supervisor", at_s, time.monotonic()))

    def rest(self, between_s: tuple[float, float]) -> None:
        """Let some time pass, by chance."""
        time.sleep(self.chance.uniform(*between_s))

    def _published(self) -> set[str]:
        return {line.stream for line in tuple(self.watch.lines) if line.kind == "publish"}

    def _printed(self) -> Path:
        return self.folder / f"run-{self._n_runs}.log"

    def _active(self) -> list[int]:
        """Give the processes that hold streams, by what `run` says of them."""
        active: dict[int, int] = {}
        for line in self._printed().read_text().splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            match said.get("event"):
                case "worker_active":
                    active[said["worker"]] = said["pid"]
                case "worker_died":
                    active.pop(said["worker"], None)
        if not active:
            raise ProgramUnavailable(f"no worker is active: {self._printed().read_text()[-300:]}")
        return [*active.values()]


def _n_alive(pids: list[int], until_s: float) -> int:
    """Wait until processes are gone, or long enough; count those that are not."""
    while time.monotonic() < until_s and any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.05)
    return sum(Path(f"/proc/{pid}").exists() for pid in pids)


@contextmanager
def stage(plan: Plan, folder: Path, seed: int) -> Iterator[Stage]:
    """Serve, publish and screen until the end of the `with`."""
    files = [*plan.files().values()]
    known, (port, *ports) = files[::2], free_ports(3)
    print("hashing every frame of what the bank knows", file=sys.stderr)
    first = encoded(KNOWN, known_clip(), plan.profile, plan.gop_s)
    output_of(streamguard("bank", "build", folder / "bank", first, *known, "--policy", "LOAD-TEST"))
    origin = [
        *(sys.executable, "-m", "loadtest", "origin", "--streams", str(plan.n_served())),
        *("--profile", plan.profile, "--gop", str(plan.gop_s), "--port", str(port)),
        *("--insert-every", str(CLIP_EVERY_S), "--report", str(folder / "sent.txt")),
    ]
    with ExitStack() as stack:
        serving = stack.enter_context(running(origin, folder / "origin.log"))
        wait_listening(serving, folder / "origin.log")
        ingest = stack.enter_context(Ingest(folder, (ports[0], ports[1])))
        for n in range(plan.n_rtmp):
            shown = f"http://{HOST}:{port}/{plan.number_of(n):04}.ts"
            published = publisher(shown, ingest.server.url(f"p{n}"), has_sound=n % 4 > 1)
            stack.enter_context(running(published, folder / f"publisher-{n}.log"))
        watch = stack.enter_context(StatWatch(ingest.server.stat_port))
        config = folder / "run.toml"
        config.write_text(configuration(plan, folder, port, ingest.server))
        on_stage = Stage(plan, folder, config, ingest, watch, random.Random(seed))
        stack.callback(on_stage.stop)
        on_stage.start()
        yield on_stage
