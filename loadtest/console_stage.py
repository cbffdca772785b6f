"""What the console is measured on: a log, evidence, accounts, and consoles that can be killed.

Rule: each console is the real `streamguard review`, a process of its own; flags are written to the
log as `run` writes them, and their evidence is made and kept as `run` does it.
"""

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from loadtest.made_events import SOURCE, opened
from loadtest.programs import ProgramUnavailable, environment, stop, streamguard
from loadtest.rtmp import HOST, free_port
from streamguard.adapters.evidence_maker import EvidenceMaker
from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.event_data import FlagData, FlagPolicy
from streamguard.core.events import Event, flag_event
from streamguard.core.kept import Subject
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import Codec, Packet
from streamguard.parts.evidence_parts import open_vault
from streamguard.settings import load_settings
from streamguard.vault.recording import Recordings

PASSWORD = secrets.token_urlsafe(24)
"""Of all accounts of this run; nobody keeps it."""

ADMINISTRATOR = "head"
START_S = 60.0
CONFIGURATION = """
[deployment]
name = "load-test"
[log]
file = "{folder}/events.db"
[evidence]
directory = "{folder}/evidence"
[review]
port = {port}
metrics_port = 0
{more}
"""


@dataclass(frozen=True, slots=True)
class Footage:
    """A clip that has been read, as a stream is; its still is of its second keyframe."""

    codec: Codec
    packets: tuple[Packet, ...]

    @property
    def still_at_us(self) -> int:
        """Give the media time of its still."""
        return [packet.pts_us for packet in self.packets if packet.is_keyframe][1]


def footage(clip: Path) -> Footage:
    """Read a clip."""
    with PyavSource(parse_location(str(clip)), Timeline(), SystemClock()) as source:
        return Footage(source.codec, tuple(source.packets()))


def flag(stream: str, severity: str = "P1", code: str = "LOAD-TEST") -> Event:
    """Make the event of a flag that opens now, on a stream whose session has no other."""
    now_s = time.time()
    data = opened(0, stream, time_s=now_s, severity=severity).data
    assert isinstance(data, FlagData)  # noqa: S101  # what was made
    session = data.stream.model_copy(update={"session_id": f"session of {stream}"})
    policy = FlagPolicy(code=code, severity=data.policy.severity)
    told = data.model_copy(update={"stream": session, "policy": policy})
    return flag_event(SOURCE, "opened", told, time_s=now_s, recorded_s=now_s)


class Console:
    """One console: a process that may end and begin again, at the same address."""

    def __init__(self, config: Path, port: int) -> None:
        self._command = streamguard("review", "--config", config)
        self._printed = config.with_suffix(".log")
        self.url = f"http://{HOST}:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            ProgramUnavailable: it did not come up.
        """
        with self._printed.open("ab") as out:
            self._process = subprocess.Popen(self._command, stderr=out, env=environment())
        deadline_s = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise ProgramUnavailable(f"no console: {self._printed.read_text()[-300:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it by SIGKILL."""
        assert self._process is not None  # noqa: S101  # it was started
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end."""
        if self._process is not None:
            stop(self._process)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/livez", timeout=5).is_success
        except httpx.TransportError:
            return False


class ConsoleStage:
    """A folder with a log, evidence and the file of the reviewers."""

    def __init__(self, folder: Path, n_consoles: int = 1, more: str = "") -> None:
        """more: further lines of the configuration, beginning within `[review]`."""
        self.folder = folder
        self._configs = [folder / f"review-{number}.toml" for number in range(n_consoles)]
        self.consoles = []
        for config in self._configs:
            port = free_port()
            config.write_text(CONFIGURATION.format(folder=folder, port=port, more=more))
            self.consoles.append(Console(config, port))
        self.log = SqliteLog(folder / "events.db")
        settings = load_settings(self._configs[0])
        self._recordings = Recordings(open_vault(settings.evidence, settings.deployment.name))

    @classmethod
    @contextmanager
    def serving(cls, folder: Path, n_consoles: int = 1, more: str = "") -> Iterator["ConsoleStage"]:
        """Have consoles with an administrator's account until the end of the `with`."""
        with closing(cls(folder, n_consoles, more)) as stage:
            stage.add_administrator()
            for console in stage.consoles:
                console.start()
            yield stage

    def close(self) -> None:
        """Stop the consoles, and close the files."""
        for console in self.consoles:
            console.stop()
        self._recordings.close()
        self.log.close()

    def add_administrator(self) -> None:
        """Make the first account, by the command.

        Raises:
            ProgramUnavailable: the command failed.
        """
        of = ("account", "add", ADMINISTRATOR, "--role", "administrator")
        command = streamguard(*of, "--config", self._configs[0])
        given = f"{PASSWORD}\n".encode()
        done = subprocess.run(
            command, input=given, capture_output=True, env=environment(), check=False
        )
        if done.returncode:
            raise ProgramUnavailable(f"no account: {done.stderr.decode()[-300:]}")

    def tell(self, *events: Event) -> float:
        """Commit events; give the instant after that, seconds since 1970 UTC."""
        self.log.append(events)
        return time.time()

    def keep(self, event: Event, shown: Footage) -> None:
        """Keep a clip and a still of it as the evidence of a flag."""
        assert isinstance(event.data, FlagData)  # noqa: S101  # a mistake of the caller
        stream = event.data.stream
        subject = Subject(event.data.flag_id, stream.stream_id, stream.session_id)
        maker = EvidenceMaker(self._recordings, SystemClock())
        maker.still(subject, shown.codec, shown.packets, shown.still_at_us)
        clip = maker.clip(subject, shown.codec)
        clip.add(shown.packets)
        clip.close()
